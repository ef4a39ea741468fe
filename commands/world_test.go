package commands_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/catalog"
	"customercenter/domain/customer"
	"customercenter/domain/session"
	"customercenter/eventstore"
	"customercenter/eventstore/eventstoretest"
)

const tenant = "acme"

var codec = eventstore.NewCodec(catalog.Events()...)

// command is any of the commands.
type command interface {
	Run(context.Context, *commands.Center, commands.By) (commands.Done, error)
}

// world is a tenant with two associations, 1 of the channel app and 2 of wechat, and what the tests did in it.
type world struct {
	t      *testing.T
	store  *eventstore.Store
	center *commands.Center
	by     commands.By
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOn(t, eventstoretest.Pool(t))
}

func newWorldOn(t *testing.T, pool *pgxpool.Pool) *world {
	t.Helper()
	store := eventstoretest.On(t, pool, codec, tenant)
	w := &world{t: t, store: store, center: newCenter(store), by: commands.By{
		Tenant: tenant, Actor: eventstore.Actor{Kind: "admin", ID: "a-1"}, Cause: "cause", Correlation: "correlation",
	}}
	if head, err := store.Head(t.Context(), tenant); err != nil {
		t.Fatal(err)
	} else if head == 0 {
		w.must(commands.RegisterAssociation{Channel: "app", Account: "org#shop", Name: "商城"})
		w.must(commands.RegisterAssociation{Channel: "wechat", Account: "gh_1", Name: "公众号"})
	}
	return w
}

func newCenter(store *eventstore.Store) *commands.Center {
	return commands.NewCenter(store, time.Now, func() uuid.UUID { return uuid.Must(uuid.NewV7()) })
}

// must runs a command that has to be accepted.
func (w *world) must(cmd command) commands.Done {
	w.t.Helper()
	return w.mustBy(w.by, cmd)
}

func (w *world) mustBy(by commands.By, cmd command) commands.Done {
	w.t.Helper()
	done, err := cmd.Run(w.t.Context(), w.center, by)
	if err != nil {
		w.t.Fatalf("%T: %v", cmd, err)
	}
	return done
}

// refused runs a command that has to be refused, and checks that it left nothing in the log.
func (w *world) refused(by commands.By, cmd command, code, location string) commands.Done {
	w.t.Helper()
	before := w.head()
	done, err := cmd.Run(w.t.Context(), w.center, by)
	mustRefuse(w.t, err, code, location)
	if after := w.head(); after != before {
		w.t.Errorf("%T was refused and appended %d events", cmd, after-before)
	}
	return done
}

func mustRefuse(t *testing.T, err error, code, location string) {
	t.Helper()
	var refusal *domain.Refusal
	if !errors.As(err, &refusal) {
		t.Fatalf("got %v, want it refused with %s", err, code)
	}
	if refusal.Code != code || refusal.Location != location {
		t.Fatalf("refused with %s at %q, want %s at %q", refusal.Code, refusal.Location, code, location)
	}
}

func (w *world) head() int64 {
	w.t.Helper()
	head, err := w.store.Head(w.t.Context(), tenant)
	if err != nil {
		w.t.Fatal(err)
	}
	return head
}

// log returns what was appended after a position.
func (w *world) log(after int64) []eventstore.Decoded {
	w.t.Helper()
	events, err := w.store.ReadLog(w.t.Context(), tenant, after, 100_000)
	if err != nil {
		w.t.Fatal(err)
	}
	decoded, err := w.store.Open(w.t.Context(), events)
	if err != nil {
		w.t.Fatal(err)
	}
	return decoded
}

// appends runs a command and checks what it appended, in order.
func (w *world) appends(by commands.By, cmd command, want ...domain.Event) commands.Done {
	w.t.Helper()
	before := w.head()
	done := w.mustBy(by, cmd)
	got := []domain.Event{}
	var last int64
	for _, d := range w.log(before) {
		got = append(got, d.Payload.(domain.Event))
		last = d.Position
		if d.Envelope.Actor != by.Actor || d.Envelope.Cause != by.Cause || d.Envelope.Correlation != by.Correlation {
			w.t.Errorf("%s has the envelope %+v", d.Type, d.Envelope)
		}
		if !by.OccurredAt.IsZero() && !d.OccurredAt().Equal(by.OccurredAt) {
			w.t.Errorf("%s occurred at %v, want %v", d.Type, d.OccurredAt(), by.OccurredAt)
		}
	}
	if len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
		w.t.Fatalf("%T appended\n%#v, want\n%#v", cmd, got, want)
	}
	if done.Changed != (len(want) > 0) {
		w.t.Errorf("%T: changed is %v with %d events", cmd, done.Changed, len(want))
	}
	if len(want) > 0 && done.Position != last {
		w.t.Errorf("%T: position %d, want %d", cmd, done.Position, last)
	}
	if len(want) == 0 && (done.Position > before || done.Position == 0) {
		w.t.Errorf("%T changed nothing and has position %d of %d", cmd, done.Position, before)
	}
	return done
}

// state folds a customer from the log alone.
func (w *world) customer(id uuid.UUID) *customer.State {
	state := new(customer.State)
	w.fold(customer.Stream(id), state.Apply)
	return state
}

func (w *world) session(id uuid.UUID) *session.State {
	state := new(session.State)
	w.fold(session.Stream(id), state.Apply)
	return state
}

func (w *world) fold(stream string, apply func(domain.Event, time.Time)) {
	w.t.Helper()
	events, err := w.store.ReadStream(w.t.Context(), tenant, stream, 0, 100_000)
	if err != nil {
		w.t.Fatal(err)
	}
	decoded, err := w.store.Open(w.t.Context(), events)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, d := range decoded {
		apply(d.Payload.(domain.Event), d.OccurredAt())
	}
}

// at is who runs the command, for something that happened at an instant.
func (w *world) at(instant time.Time) commands.By {
	by := w.by
	by.OccurredAt = instant
	return by
}

// once is who runs the command, for a request with a key and a body.
func (w *world) once(key, body string) commands.By {
	by := w.by
	by.Once = &commands.Once{Route: "test", Key: key, Body: []byte(body), Keep: time.Hour}
	return by
}

// text is a message of a visitor through the association 1.
func text(externalID, id, words string) commands.ReceiveMessage {
	return commands.ReceiveMessage{Association: 1, ExternalID: externalID, Message: commands.Message{ID: id, Kind: "text", Text: words}}
}

func byIdentity(externalID string) commands.SessionRef {
	return commands.SessionRef{Association: 1, ExternalID: externalID}
}

func byID(id uuid.UUID) commands.SessionRef { return commands.SessionRef{ID: id} }
