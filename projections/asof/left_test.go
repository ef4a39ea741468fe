package asof

import (
	"context"
	"slices"
	"testing"
	"time"
)

// What a program of other versions has left half built, or asked for and never built, goes when it is gone; nobody else would remove it.
func TestWhatFormerProgramsHaveLeftGoes(t *testing.T) {
	w := newWorld(t, 100)
	s := w.process(func(c *Config) { c.Grace = time.Hour })
	half, mine, waiting := w.ask(s, 50, 0), w.ask(s, 60, 0), w.ask(s, 70, 0)
	change := func(sql string, args ...any) {
		t.Helper()
		if _, err := w.store.Pool().Exec(t.Context(), `update as_of_schemas set `+sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	state := func(of Schema) string {
		t.Helper()
		if err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		found, known, err := s.one(t.Context(), `select `+columns+` from as_of_schemas where id = $1`, of.ID)
		if err != nil {
			t.Fatal(err)
		}
		if !known {
			return ""
		}
		return found.State
	}
	if err := w.p.BuildAsOf(t.Context(), half.Name, tenant, half.Moment(), Models, func(int64, int64) {}); err != nil {
		t.Fatal(err)
	}
	change(`state = 'building', definitions = 'of another program' where id = $1`, half.ID)
	change(`state = 'building', noted_at = now() - interval '1 day' where id = $1`, mine.ID)
	change(`definitions = 'of another program' where id = $1`, waiting.ID)
	for _, one := range []Schema{half, mine} {
		if got := state(one); got != Building {
			t.Errorf("it is %q, though its program may be there", got)
		}
	}
	change(`noted_at = now() - interval '11 minutes' where id = $1`, half.ID)
	if got := state(half); got != Leaving {
		t.Errorf("what was left half built is %q", got)
	}
	if got := state(mine); got != Building { // the next process of this program begins it anew
		t.Errorf("what this program builds is %q", got)
	}
	change(`asked_at = now() - interval '59 minutes' where id = $1`, waiting.ID)
	if got := state(waiting); got != Queued {
		t.Errorf("what somebody waits for is %q", got)
	}
	change(`asked_at = now() - interval '61 minutes' where id = $1`, waiting.ID)
	if _, known, err := s.Find(t.Context(), tenant, waiting.ID); !known || err != nil { // somebody looks at the job
		t.Fatal(known, err)
	}
	if got := state(waiting); got != Queued {
		t.Errorf("what somebody looks at is %q", got)
	}
	change(`asked_at = now() - interval '61 minutes' where id = $1`, waiting.ID)
	if got := state(waiting); got != Leaving {
		t.Errorf("what nobody waits for is %q", got)
	}
	change(`changed_at = now() - interval '61 minutes' where state = 'leaving'`)
	if half, waiting := state(half), state(waiting); half != "" || waiting != "" {
		t.Errorf("they are %q and %q", half, waiting)
	}
	if there := w.there(); len(there) != 0 {
		t.Errorf("the database has %v", there)
	}
}

// While one schema is built, however long that takes, others go.
func TestSchemasGoWhileOneIsBuilt(t *testing.T) {
	w := newWorld(t, 100)
	s := w.process(func(c *Config) { c.Grace = time.Nanosecond })
	w.run(s)
	ready, next := w.ask(s, 80, time.Minute), w.moment(60)
	holdsUp, err := w.store.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer holdsUp.Rollback(context.Background())
	if _, err := holdsUp.Exec(t.Context(), `lock table events in access exclusive mode`); err != nil {
		t.Fatal(err)
	}
	asked, err := s.Ask(t.Context(), tenant, next, analyst, 0)
	if err != nil {
		t.Fatal(err)
	}
	w.await("it is being built", func() bool { return slices.Contains(w.there(), asked.Name) })
	if _, err := w.store.Pool().Exec(t.Context(), `update as_of_schemas set asked_at = now() - interval '2 hours' where id = $1`, ready.ID); err != nil {
		t.Fatal(err)
	}
	w.await("the other one is gone", func() bool { return slices.Equal(w.there(), []string{asked.Name}) })
	if found, _, err := s.Find(t.Context(), tenant, asked.ID); err != nil || found.State != Building {
		t.Errorf("meanwhile it is %+v, %v", found, err)
	}
	if err := holdsUp.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Ask(t.Context(), tenant, next, analyst, time.Minute); err != nil || got.ID != asked.ID || got.State != Ready {
		t.Errorf("%+v, %v", got, err)
	}
}
