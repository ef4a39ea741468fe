package projections

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// What is written is JSON as encoding/json has it, and is read back as it was.
func TestMembershipsAreJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var groups []membership
		for range rapid.IntRange(0, 3).Draw(t, "groups") {
			text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{`"`, `\`, `]}`, `{"group":"`, `,"evidence":[`, "王"}))
			evidence := []map[string]any{}
			for range rapid.IntRange(0, 2).Draw(t, "conditions") {
				evidence = append(evidence, map[string]any{"observed": text.Draw(t, "observed"), "threshold": []string{text.Draw(t, "threshold")}})
			}
			raw, err := json.Marshal(evidence)
			if err != nil {
				t.Fatal(err)
			}
			m := membership{Group: uuid.New()}
			if rapid.Bool().Draw(t, "explained") {
				m.Evidence = raw
			}
			groups = append(groups, m)
		}
		raw := string(appendMemberships(nil, groups))
		want, err := json.Marshal(groups)
		if err != nil {
			t.Fatal(err)
		}
		if len(groups) == 0 {
			want = []byte(noGroups)
		}
		if raw != string(want) {
			t.Fatalf("%s, want %s", raw, want)
		}
		got, err := readMemberships(raw)
		if err != nil || !reflect.DeepEqual(got, groups) {
			t.Fatalf("%+v, %v; want %+v", got, err, groups)
		}
		p := groupPerson{raw: raw}
		for _, m := range groups {
			if !p.has(m.Group) {
				t.Fatal("a group is not found")
			}
		}
		if p.has(uuid.New()) {
			t.Fatal("a group is found that is not there")
		}
		cut := rapid.IntRange(0, len(raw)-1).Draw(t, "cut")
		if _, err := readMemberships(raw[:cut]); !errors.Is(err, errStanding) {
			t.Fatalf("cut off at %d: %v", cut, err)
		}
	})
}

func TestMembershipsThatCannotBeRead(t *testing.T) {
	whole := string(appendMemberships(nil, []membership{{Group: uuid.New(), Evidence: json.RawMessage("[]")}}))
	for _, raw := range []string{"", "{}", "null", whole + "]", "[" + whole, whole[:len(whole)-1] + ",]", strings.Replace(whole, "-", "+", 1), strings.Replace(whole, "[]", "{}", 1)} {
		if groups, err := readMemberships(raw); !errors.Is(err, errStanding) {
			t.Errorf("%s is read as %+v, %v", raw, groups, err)
		}
	}
}
