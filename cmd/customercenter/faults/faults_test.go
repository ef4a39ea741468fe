//go:build unix

package faults

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"customercenter/cmd/customercenter/crash"
	"customercenter/projections"
)

var (
	soakFor  = flag.Duration("faults.for", 0, "for how long TestFaults goes on at random after it has gone through all faults once; give -timeout more than that and five minutes")
	soakSeed = flag.Uint64("faults.seed", 0, "what TestFaults draws; 0 for another one each time")
)

// hold is how long a fault lasts at least.
const hold = 500 * time.Millisecond

// pairs is how many times two faults are there at once, besides those of a soak.
const pairs = 3

// TestFaults breaks one thing after the other while people and channels write and read, then two things at once, and mends them again. Everything then has to work
// again by itself, and in the end everything must be as the answers said.
func TestFaults(t *testing.T) {
	if deadline, ok := t.Deadline(); ok && time.Until(deadline) < *soakFor+4*time.Minute {
		t.Fatalf("-faults.for=%s needs a longer -timeout", *soakFor)
	}
	seed := *soakSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("to do the same again: -faults.seed=%d -faults.for=%s", seed, *soakFor)
	bytes, pace := int64(192<<20), 150*time.Millisecond
	if *soakFor > 0 {
		bytes, pace = 3<<30, 60*time.Millisecond
	}
	w := newWorld(t, bytes)
	w.traffic.begin(w.js, w.people, pace, seed)
	began := time.Now()
	possible := w.possible()
	for _, f := range possible {
		w.strike(f, hold)
	}
	chance := rand.New(rand.NewPCG(seed, 0))
	for range pairs {
		w.strike(pair(possible, chance), hold)
	}
	once := time.Since(began)
	var sizes *sizes
	if *soakFor > 0 {
		sizes = w.soak(possible, chance)
	}
	p := w.rest()

	requests := w.traffic.asked()
	var names []string
	for _, d := range projections.Definitions() {
		names = append(names, d.Name)
	}
	findings, err := crash.Check(t.Context(), crash.System{Store: w.store, JetStream: w.js, Projector: p, Projections: names, Requests: requests})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		t.Error(f)
	}
	if n := w.deadLetters(); n > 0 {
		t.Errorf("%d channel events were set aside, though nothing was wrong with them", n)
	}
	if sizes != nil {
		sizes.judge(t)
	}
	t.Logf("%d faults and %d pairs in %s, then %s in all; %d requests were carried out, %d connections broke", len(possible), pairs, once.Round(time.Millisecond),
		time.Since(began).Round(time.Millisecond), len(requests), w.traffic.broken)
}

// possible are the faults that can be made here. What cannot is said.
func (w *world) possible() (all []fault) {
	for _, f := range faults {
		switch {
		case f.disk && w.room.why != "":
			w.t.Logf("NOT TRIED: %s, because %s", f.name, w.room.why)
		case f.soak != "" && *soakFor == 0:
			w.t.Logf("NOT TRIED: %s, because %s; a soak does", f.name, f.soak)
		default:
			all = append(all, f)
		}
	}
	return all
}

// strike lets a fault last for a time and until what is expected was seen, and waits until everything works again.
func (w *world) strike(f fault, long time.Duration) {
	w.t.Helper()
	began := time.Now()
	loose := func(when string) *period {
		p := &period{name: f.name + " (" + when + ")", reads: either, writes: either, gone: f.gone}
		w.traffic.now.Store(p)
		return p
	}
	loose("begins")
	end := f.begin(w)
	w.traffic.leave(f.gone)
	p := &period{name: f.name, reads: f.reads, writes: f.writes, gone: f.gone}
	w.traffic.now.Store(p)
	lasts := time.Now()
	if f.until != nil {
		f.until(w)
	}
	for !p.shown() || time.Since(lasts) < long {
		if time.Since(lasts) > patience {
			w.t.Fatalf("%s: reads should be %s and writes %s, which was never seen: %d and %d were answered, %d and %d refused", f.name, f.reads, f.writes,
				p.ok[read].Load(), p.ok[write].Load(), p.unavailable[read].Load(), p.unavailable[write].Load())
		}
		pause(10 * time.Millisecond)
	}
	loose("ends")
	lasted := time.Since(lasts)
	if end != nil {
		end()
	}
	p.report(w, lasts.Sub(began), lasted, w.recovered())
	w.calm(f.name)
}

// report tells how a fault went.
func (p *period) report(w *world, began, lasted time.Duration, recovered string) {
	w.t.Logf("%s: begun in %s, lasted %s, again%s; reads %d answered, %d refused; writes %d answered, %d refused", p.name, began.Round(time.Millisecond),
		lasted.Round(time.Millisecond), recovered, p.ok[read].Load(), p.unavailable[read].Load(), p.ok[write].Load(), p.unavailable[write].Load())
	for _, c := range w.traffic.complaints() {
		w.t.Error(c)
	}
}

// calm sees that every request is answered again.
func (w *world) calm(after string) {
	w.t.Helper()
	p := &period{name: "calm after " + after, reads: answered, writes: answered}
	w.traffic.now.Store(p)
	for end := time.Now().Add(patience); p.ok[read].Load() < 4 || p.ok[write].Load() < 4; pause(5 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("requests do not get on: %s", p.name)
		}
	}
	for _, c := range w.traffic.complaints() {
		w.t.Error(c)
	}
}
