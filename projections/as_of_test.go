package projections

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/domain/filter"
	"customercenter/projections/projector"
)

// pastModels are the read models that are asked as of a moment.
var pastModels = []string{CustomersName, SessionsName, GroupsName}

// pastWorld is a groupWorld with all that can be asked as of a moment.
type pastWorld struct {
	*chances
	live AsOf // as of now, from what is served
}

func newPastWorld(t *testing.T, seed uint64) *pastWorld {
	w := newGroupWorld(t, seed, 40, 50, 1)
	definitions := []projector.Definition{CustomersDefinition(), SessionsDefinition(), GroupsDefinition()}
	p, err := projector.New(projector.Config{Store: w.store, Definitions: definitions, Batch: 40, Piece: 50, Watermark: func(ctx context.Context, tenant string) (int64, time.Time, error) {
		head, err := w.store.Head(ctx, tenant)
		return head, w.now, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.p, w.hands = p, []*projector.Hand{p.ByHand()}
	t.Cleanup(w.hands[0].Close)
	w.build()
	c := &chances{Rand: rand.New(rand.NewPCG(seed, 6)), w: w, left: map[uuid.UUID]int{}}
	catalogues := NewCatalogues(w.store)
	groups := NewGroups(w.store, p, catalogues)
	now := func() time.Time { return w.now }
	return &pastWorld{chances: c, live: AsOf{
		Catalogues: catalogues, Groups: groups,
		Customers: NewCustomers(w.store, p, catalogues).WithGroups(groups).WithClock(now), Sessions: NewSessions(w.store, p).WithClock(now),
	}}
}

// answers are what is told at a moment, by what was asked.
type answers map[string]string

// told is an answer, or that there is none.
func told[T any](t *testing.T, answer T, err error) string {
	t.Helper()
	if errors.Is(err, ErrNotFound) {
		return "not found"
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// led is what is compared of a cursor: whether there is one. It says what moment it belongs to.
func led(cursor string) string {
	if cursor != "" {
		return "there is one"
	}
	return ""
}

// questions are what is asked at a moment, and again later.
type questions struct {
	filters           []string
	customers, groups []uuid.UUID
}

// ask asks of whatever stands for the read models.
func ask(t *testing.T, of AsOf, q questions) answers {
	t.Helper()
	ctx, all := t.Context(), answers{}
	calendar, err := of.Catalogues.Calendar(ctx, groupTenant)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range q.filters {
		f, err := filter.Parse(json.RawMessage(text), &filter.Language{Groups: true}, "filter")
		if err != nil {
			t.Fatal(err)
		}
		for _, sort := range []string{"", "last_session_at", "nickname"} {
			list := ListQuery{Filter: f, Calendar: calendar, Sort: sort, Limit: 7, Facets: Facets()}
			for page := 0; ; page++ {
				found, err := of.Customers.List(ctx, groupTenant, list)
				list.Cursor = found.Next
				found.Next, found.Prev = led(found.Next), led(found.Prev)
				all[fmt.Sprint("list ", text, " ", sort, " ", page)] = told(t, found, err)
				if list.Cursor == "" {
					break
				}
			}
		}
	}
	for _, id := range q.customers {
		askOfCustomer(t, of, id, all)
	}
	sessions, err := of.Sessions.List(ctx, groupTenant, SessionQuery{Limit: 200})
	all["sessions"] = told(t, sessions, err)
	for _, id := range q.groups {
		members, err := of.Groups.Members(ctx, groupTenant, id, "", 200)
		all[fmt.Sprint("members ", id)] = told(t, members, err)
		status, err := of.Groups.Status(ctx, groupTenant, id)
		all[fmt.Sprint("group ", id)] = told(t, status, err)
	}
	return all
}

// askOfCustomer asks what concerns one customer.
func askOfCustomer(t *testing.T, of AsOf, id uuid.UUID, all answers) {
	t.Helper()
	one, err := of.Customers.One(t.Context(), groupTenant, id)
	all[fmt.Sprint("customer ", id)] = told(t, one, err)
	groups, err := of.Groups.Of(t.Context(), groupTenant, id)
	all[fmt.Sprint("groups of ", id)] = told(t, groups, err)
	sessions, err := of.Sessions.List(t.Context(), groupTenant, SessionQuery{Customer: id, Limit: 200})
	all[fmt.Sprint("sessions of ", id)] = told(t, sessions, err)
}

// questions are about everything there is to be asked for.
func (w *pastWorld) questions() questions {
	q := questions{groups: slices.Clone(w.groups)}
	for _, p := range w.w.Customers {
		q.customers = append(q.customers, p.ID)
	}
	q.filters = []string{`{}`, `{"field":"created_at","op":"in","value":{"period":"this_week"}}`, `{"field":"last_session_at","op":"older_than","value":{"days":1},"unset":true}`,
		`{"field":"blacklisted","op":"is","value":true}`, `{"field":"any_text","op":"contains","value":"王"}`}
	if len(w.w.Tags) > 0 {
		q.filters = append(q.filters, fmt.Sprintf(`{"field":"tags","op":"has_any","value":[%q]}`, w.w.Tags[0]))
	}
	if len(w.groups) > 0 {
		q.filters = append(q.filters, fmt.Sprintf(`{"field":"groups","op":"has_any","value":[%q]}`, w.groups[w.IntN(len(w.groups))]))
	}
	return q
}

func same(t *testing.T, what string, got, want answers) {
	t.Helper()
	for _, question := range slices.Sorted(maps.Keys(want)) {
		if got[question] != want[question] {
			t.Fatalf("%s, %s:\n%s\nwant\n%s", what, question, got[question], want[question])
		}
	}
}

// Whatever happens before and after: what is told as of a moment is, to the byte, what was told at that moment. That of one customer is the same
// from the customer's streams alone.
func TestAsOfTellsWhatWasToldThen(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := newPastWorld(t, seed)
			type remembered struct {
				at        time.Time
				questions questions
				answers   answers
			}
			var past []remembered
			for range 4 {
				for range 60 + w.IntN(60) {
					w.step()
				}
				w.w.pass(time.Duration(w.IntN(1_000_000)) * time.Microsecond)
				w.w.settle()
				q := w.questions()
				past = append(past, remembered{w.w.now, q, ask(t, w.live, q)})
				w.w.pass(time.Microsecond) // what comes now is recorded later
			}
			for i, then := range past {
				m, err := w.w.p.MomentAt(t.Context(), groupTenant, then.at)
				if err != nil {
					t.Fatal(err)
				}
				schema := fmt.Sprintf("then_%d", i)
				if err := w.w.p.BuildAsOf(t.Context(), schema, groupTenant, m, pastModels, nil); err != nil {
					t.Fatal(err)
				}
				same(t, fmt.Sprint("as of ", then.at), ask(t, NewAsOf(w.live.Customers, w.live.Sessions, schema, m), then.questions), then.answers)
				w.sameFromStreams(t, m, then.questions.customers, then.answers)
				if err := w.w.p.DropAsOf(t.Context(), schema); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// sameFromStreams compares what is told of some customers from their streams alone with what was told.
func (w *pastWorld) sameFromStreams(t *testing.T, m projector.Moment, customers []uuid.UUID, want answers) {
	t.Helper()
	for _, i := range w.Perm(len(customers))[:min(len(customers), 8)] {
		id, got := customers[i], answers{}
		err := w.w.p.CustomerAsOf(t.Context(), groupTenant, id, m, pastModels, func(tx pgx.Tx, schema string) error {
			askOfCustomer(t, NewAsOfIn(tx, w.live.Customers, w.live.Sessions, schema, m), id, got)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for question, answer := range got {
			if want[question] != answer {
				t.Fatalf("as of %d from the streams, %s:\n%s\nwant\n%s", m.Position, question, answer, want[question])
			}
		}
	}
}

// A moment in the middle of everything is the same from a build of all and from the streams of one.
func TestAsOfAnyPosition(t *testing.T) {
	w := newPastWorld(t, 11)
	for range 250 {
		w.step()
	}
	w.w.settle()
	for i := range 6 {
		m, err := w.w.p.MomentAfter(t.Context(), groupTenant, w.Int64N(w.w.Head()+1))
		if err != nil {
			t.Fatal(err)
		}
		schema := fmt.Sprintf("at_%d", i)
		if err := w.w.p.BuildAsOf(t.Context(), schema, groupTenant, m, pastModels, nil); err != nil {
			t.Fatal(err)
		}
		all, customers := answers{}, w.questions().customers
		for _, id := range customers {
			askOfCustomer(t, NewAsOf(w.live.Customers, w.live.Sessions, schema, m), id, all)
		}
		w.sameFromStreams(t, m, customers, all)
	}
}

func TestAsOfBeforeAndAfterAllThatHappened(t *testing.T) {
	w := newPastWorld(t, 3)
	w.w.NewCustomer("n")
	w.w.Flush()
	began := w.w.now
	if _, err := w.w.p.MomentAt(t.Context(), groupTenant, began.Add(time.Microsecond)); !errors.Is(err, projector.ErrNotYet) {
		t.Errorf("as of the future: %v", err)
	}
	if _, err := w.w.p.MomentAfter(t.Context(), groupTenant, w.w.Head()+1); !errors.Is(err, projector.ErrNotYet) {
		t.Errorf("as of a position that is not there: %v", err)
	}
	m, err := w.w.p.MomentAt(t.Context(), groupTenant, began.Add(-time.Microsecond))
	if err != nil || m.Position != 0 {
		t.Fatalf("before the log: %+v, %v", m, err)
	}
	if err := w.w.p.BuildAsOf(t.Context(), "before", groupTenant, m, pastModels, nil); err != nil {
		t.Fatal(err)
	}
	past := NewAsOf(w.live.Customers, w.live.Sessions, "before", m)
	page, err := past.Customers.List(t.Context(), groupTenant, ListQuery{Facets: Facets()})
	if err != nil || len(page.Items) != 0 || page.Count != (Count{0, true}) {
		t.Errorf("before the log: %+v, %v", page, err)
	}
	// A cursor belongs to the moment of its list.
	for _, c := range []cursor{{Sort: SortCreatedDesc}, {Sort: SortCreatedDesc, Past: &projector.Moment{Position: 1, At: m.At}}} {
		if _, err := past.Customers.List(t.Context(), groupTenant, ListQuery{Cursor: c.String()}); err != ErrCursor {
			t.Errorf("customers from a cursor of another moment: %v", err)
		}
		c.Sort = sessionSort
		if _, err := past.Sessions.List(t.Context(), groupTenant, SessionQuery{Cursor: c.String()}); err != ErrCursor {
			t.Errorf("sessions from a cursor of another moment: %v", err)
		}
	}
	mine := cursor{Sort: SortCreatedDesc, Past: &m}.String()
	if of, is := CursorMoment(mine); !is || of.Position != m.Position || !of.At.Equal(m.At) {
		t.Errorf("the moment of a cursor: %+v, %v", of, is)
	}
	if _, err := w.live.Customers.List(t.Context(), groupTenant, ListQuery{Cursor: mine}); err != ErrCursor {
		t.Errorf("the present from a cursor of the past: %v", err)
	}
}

// Builds as of a moment stand beside those that are served: nobody lists, feeds, retries or drops them with these.
func TestAsOfStaysApartFromWhatIsServed(t *testing.T) {
	w := newPastWorld(t, 5)
	for range 40 {
		w.step()
	}
	w.w.settle()
	before, err := w.w.p.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m, err := w.w.p.MomentAfter(t.Context(), groupTenant, w.w.Head()/2)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.w.p.BuildAsOf(t.Context(), "apart", groupTenant, m, pastModels, nil); err != nil {
		t.Fatal(err)
	}
	if after, err := w.w.p.Status(t.Context()); err != nil || len(after) != len(before) {
		t.Errorf("%d builds are listed, %d were before, %v", len(after), len(before), err)
	}
	as := NewAsOf(w.live.Customers, w.live.Sessions, "apart", m)
	q := w.questions()
	asked := ask(t, as, q)
	w.w.compare() // rebuilds the groups, and drops what stands beside
	for range 40 {
		w.step()
	}
	w.w.settle()
	same(t, "after a rebuild", ask(t, as, q), asked)
	if err := w.w.p.DropAsOf(t.Context(), "apart"); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := w.w.store.Pool().QueryRow(t.Context(), `select (select count(*) from projection_builds where status = 'as_of') + (select count(*) from pg_namespace where nspname = 'apart')`).
		Scan(&left); err != nil || left != 0 {
		t.Errorf("%d things are left, %v", left, err)
	}
	if err := w.w.p.DropAsOf(t.Context(), "apart"); err != nil {
		t.Errorf("dropped twice: %v", err)
	}
}

// What is in memory of a schema that was dropped is not taken for what is in one of the same name.
func TestAsOfSchemaOfTheSameName(t *testing.T) {
	w := newPastWorld(t, 7)
	for range 80 {
		w.step()
	}
	w.w.settle()
	for _, position := range []int64{w.w.Head() / 3, w.w.Head()} {
		m, err := w.w.p.MomentAfter(t.Context(), groupTenant, position)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.w.p.BuildAsOf(t.Context(), "again", groupTenant, m, pastModels, nil); err != nil {
			t.Fatal(err)
		}
		page, err := NewAsOf(w.live.Customers, w.live.Sessions, "again", m).Customers.List(t.Context(), groupTenant, ListQuery{Limit: 1, Facets: Facets()})
		if err != nil {
			t.Fatal(err)
		}
		var n int64
		if err := w.w.store.Pool().QueryRow(t.Context(), `select count(*) from again.customer where tenant = $1`, groupTenant).Scan(&n); err != nil || n == 0 || page.Count.Value != n {
			t.Errorf("as of %d: %d are counted, %d are there, %v", position, page.Count.Value, n, err)
		}
		if err := w.w.p.DropAsOf(t.Context(), "again"); err != nil {
			t.Fatal(err)
		}
	}
}
