package traffic_test

import (
	"testing"
	"time"
	"unicode/utf8"

	"customercenter/internal/traffic"
)

// The people whom one can ask for by number are those who write, and most have a name of three characters.
func TestPeopleAreThoseOfTheTraffic(t *testing.T) {
	o := traffic.Defaults()
	o.Start, o.Customers, o.Events = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), 200, 4000
	people, err := traffic.NewPeople(o)
	if err != nil {
		t.Fatal(err)
	}
	known := map[traffic.Identity]bool{}
	three, wang := 0, 0
	for n := range 20_000 {
		p := people.At(n)
		identity := traffic.Identity{Association: p.Association.ID, ExternalID: p.ExternalID}
		if known[identity] {
			t.Fatalf("person %d has an identity that another has", n)
		}
		known[identity] = true
		if first, _ := utf8.DecodeRuneInString(p.FullName); first > 0x2e80 {
			if utf8.RuneCountInString(p.FullName) == 3 {
				three++
			}
			if first == '王' {
				wang++
			}
		}
	}
	if share := float64(three) / 20_000 / 0.94; share < 0.82 || share > 0.86 {
		t.Errorf("%.3f of the Chinese names have three characters", share)
	}
	if share := float64(wang) / 20_000 / 0.94; share < 0.06 || share > 0.08 {
		t.Errorf("%.3f of the Chinese are called 王", share)
	}
	generator, err := traffic.New(o)
	if err != nil {
		t.Fatal(err)
	}
	for {
		e, more := generator.Next()
		if !more {
			return
		}
		if !known[traffic.Identity{Association: e.Association, ExternalID: e.ExternalID}] {
			t.Fatal("somebody writes who is none of the people")
		}
	}
}

func TestPeopleNeedOptions(t *testing.T) {
	if _, err := traffic.NewPeople(traffic.Options{}); err == nil {
		t.Error("options without anything are taken")
	}
}
