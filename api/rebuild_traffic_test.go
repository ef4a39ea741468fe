package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"customercenter/projections"
	"customercenter/projections/projector"
)

// Whoever reads while a read model is built anew, compared, switched, gone back from and dropped, by the process that does so or by another, meets no
// error and misses nobody who was there before: several readers ask as fast as they are answered, and customers are changed all the while.
func TestRebuildUnderTraffic(t *testing.T) {
	w := start(t, options{})
	other := another(t, w, options{idle: true})
	people := meet(t, w, 20)
	for _, where := range []*world{w, other, w, other} {
		people.read(where)
	}
	people.write(w)
	began := time.Now()
	p := w.core.Projector
	for _, name := range []string{projections.CustomersName, projections.GroupsName, projections.SessionsName} {
		former, err := p.Live(t.Context(), name)
		var built projector.Build
		if err == nil {
			built, err = p.Rebuild(t.Context(), name, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		if differences, err := p.Compare(t.Context(), name, built.ID); err != nil || len(differences) > 0 {
			t.Errorf("%s: %+v, %v", name, differences, err)
		}
		for _, do := range []func() error{
			func() error { return p.Switch(t.Context(), name, built.ID) },
			func() error { return p.Rollback(t.Context(), name) },
			func() error { return p.Switch(t.Context(), name, built.ID) },
			func() error { return p.Drop(t.Context(), name, former.ID) },
		} {
			if err := do(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	took := time.Since(began)
	reads := people.end()
	t.Logf("%d reads in %s, %.0f a second", reads, took, float64(reads)/took.Seconds())
	if reads == 0 {
		t.Error("nothing was read")
	}
}

// visitors are customers who are asked for all the time and of whom nobody may ever be missing, in lists, in a group and in the history of sessions.
type visitors struct {
	t       *testing.T
	ids     []string
	members string // the path of a group that has all of them
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	readers int
	reads   atomic.Int64
}

// meet makes visitors.
func meet(t *testing.T, w *world, size int) *visitors {
	t.Helper()
	w.associations("acme/admin")
	c := &visitors{t: t}
	for n := range size {
		id, _ := w.session("acme/admin", fmt.Sprint("v", n), "hello")
		c.ids = append(c.ids, id)
	}
	group := w.admin("POST", "/v1/groups", map[string]any{"name": "all", "rule": map[string]any{"field": "session_count", "op": "gte", "value": 1}}).want(http.StatusCreated)
	c.members = "/v1/groups/" + group.get("id").(string) + "/members?limit=200"
	for has(w.admin("GET", c.members, nil).body) != size {
		time.Sleep(10 * time.Millisecond)
	}
	w.caughtUp()
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(func() { c.end() })
	return c
}

// caughtUp waits until the read models of the visitors have all there is.
func (w *world) caughtUp() {
	w.t.Helper()
	for _, name := range []string{projections.CustomersName, projections.GroupsName, projections.SessionsName} {
		if _, fresh, err := w.projector.WaitFor(w.t.Context(), name, "acme", w.head("acme"), time.Minute); err != nil || !fresh {
			w.t.Fatal(name, err)
		}
	}
}

// read asks a server for the visitors until the end, as fast as it answers.
func (c *visitors) read(where *world) {
	first := c.readers
	c.readers++
	c.running.Go(func() {
		for i := first; c.ctx.Err() == nil; i++ {
			c.look(where, i)
		}
	})
}

// look asks a server once for everything.
func (c *visitors) look(where *world, i int) {
	all := len(c.ids)
	c.holds(where, "/v1/customers?filter=%7B%7D&limit=200", all)
	c.holds(where, "/v1/customers/"+c.ids[i%all], 0)
	c.holds(where, c.members, all)
	c.holds(where, "/v1/sessions?limit=200", all)
}

func (c *visitors) holds(where *world, path string, want int) {
	status, body, err := where.ask(c.ctx, http.MethodGet, path, "")
	if c.ctx.Err() != nil {
		return
	}
	c.reads.Add(1)
	if err != nil || status != http.StatusOK {
		c.t.Errorf("%s: %d %s, %v", path, status, body, err)
	} else if got := has(body); got != want {
		c.t.Errorf("%s has %d of %d: %s", path, got, want, body)
	}
}

// write changes the names of the visitors until the end.
func (c *visitors) write(where *world) {
	c.running.Go(func() {
		for i := 0; c.ctx.Err() == nil; i++ {
			c.rename(where, i)
		}
	})
}

func (c *visitors) rename(where *world, i int) {
	status, body, err := where.ask(c.ctx, http.MethodPatch, "/v1/customers/"+c.ids[i%len(c.ids)], fmt.Sprintf(`{"profile":{"name":"name %d"}}`, i))
	if c.ctx.Err() == nil && (err != nil || status != http.StatusOK) {
		c.t.Errorf("written: %d %s, %v", status, body, err)
	}
}

// end ends reading and writing, and returns how often was read.
func (c *visitors) end() int64 {
	c.cancel()
	c.running.Wait()
	return c.reads.Load()
}

// ask makes a request as an admin, in any goroutine.
func (w *world) ask(ctx context.Context, method, path, body string) (status int, text []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, method, w.server.URL+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+w.bearer["acme/admin"])
	r.Header.Set("Content-Type", "application/json")
	answer, err := w.server.Client().Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	text, err = io.ReadAll(answer.Body)
	return answer.StatusCode, text, err
}

// has counts the items of a list.
func has(body []byte) int {
	var list struct{ Items []json.RawMessage }
	if json.Unmarshal(body, &list) != nil {
		return -1
	}
	return len(list.Items)
}
