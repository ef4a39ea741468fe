//go:build unix

package crash

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/commands"
	"customercenter/domain/catalog"
	"customercenter/eventstore"
	"customercenter/eventstore/eventstoretest"
	"customercenter/eventstore/relay"
	"customercenter/internal/natstest"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// small is a little system at rest, whose tenants all have the same history of 19 events.
type small struct {
	t *testing.T
	System
}

// The history of each tenant, with the positions that each step writes after the three of furnish.
var history = []struct {
	kind, visitor string
	last          int64
	changed       bool
}{
	{kindMessage, "one", 7, true}, // customer.created, customer.session_opened, session.started, session.message_recorded
	{kindAccept, "one", 8, true},
	{kindAnswer, "one", 9, true},
	{kindMessage, "two", 13, true},
	{kindMessage, "two", 14, true},
	{kindTag, "one", 15, true},
	{kindTag, "one", 15, false},
	{kindClose, "one", 17, true}, // session.closed, customer.session_closed
	{kindRate, "one", 18, true},
	{kindEdit, "one", 19, true},
}

// step names the request of a step of the history, counted from 0.
func step(tenant string, n int) string { return fmt.Sprintf("%s-%d", tenant, n) }

func newSmall(t *testing.T, tenants ...string) *small {
	t.Helper()
	store := eventstoretest.Store(t, eventstore.NewCodec(catalog.Events()...))
	nc := natstest.Connect(t, natstest.Start(t))
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s := &small{t: t, System: System{Store: store, JetStream: js, Projections: []string{projections.CustomersName, projections.SessionsName}}}
	center := commands.NewCenter(store, time.Now, func() uuid.UUID { return uuid.Must(uuid.NewV7()) })
	for _, tenant := range tenants {
		w := &writer{center: center, config: childConfig{Tags: map[string]uuid.UUID{tenant: furnish(t, store, center, tenant)}}}
		for i, h := range history {
			o := order{ID: step(tenant, i), Tenant: tenant, Kind: h.kind, Association: 1, Visitor: h.visitor, Once: true}
			done, err := w.run(t.Context(), o)
			if err != nil || done.Position != h.last || done.Changed != h.changed {
				t.Fatalf("step %d: %+v, %v", i, done, err)
			}
			s.Requests = append(s.Requests, Request{Tenant: tenant, Correlation: o.ID, Acknowledged: true, Changed: done.Changed, Position: done.Position, Receipt: o.receipt()})
		}
	}
	s.carry(nc)
	if s.Projector, err = projector.New(projector.Config{Store: store, Definitions: projections.Definitions()}); err != nil {
		t.Fatal(err)
	}
	if err := s.Projector.EnsureBuilt(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return s
}

// carry runs a relay until it has carried everything.
func (s *small) carry(nc *nats.Conn) {
	s.t.Helper()
	r, err := relay.New(relay.Config{Store: s.Store, NATS: nc})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	for behind := true; behind; {
		status, err := relay.Status(ctx, s.Store)
		if err != nil {
			s.t.Fatal(err)
		}
		behind = slices.ContainsFunc(status, func(t relay.TenantStatus) bool { return t.Lag() != 0 })
	}
	cancel()
	if err := <-ended; err != nil {
		s.t.Fatal(err)
	}
}

// check returns what is found, by tenant.
func (s *small) check() map[string][]Finding {
	s.t.Helper()
	system := s.System
	system.Store = eventstoretest.On(s.t, s.Store.Pool(), s.Store.Codec()) // which has seen no keys
	var err error
	if system.Projector, err = projector.New(projector.Config{Store: system.Store, Definitions: projections.Definitions()}); err != nil {
		s.t.Fatal(err)
	}
	findings, err := Check(s.t.Context(), system)
	if err != nil {
		s.t.Fatal(err)
	}
	by := map[string][]Finding{}
	for _, f := range findings {
		by[f.Tenant] = append(by[f.Tenant], f)
	}
	return by
}

// sql changes the database by hand. Its one argument is the tenant; it must change something.
func (s *small) sql(tenant, sql string) {
	s.t.Helper()
	tag, err := s.Store.Pool().Exec(s.t.Context(), sql, tenant)
	if err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	if tag.RowsAffected() == 0 {
		s.t.Fatalf("%s: it changed nothing", sql)
	}
}

// request is the one of that correlation, to be changed.
func (s *small) request(correlation string) *Request {
	s.t.Helper()
	i := slices.IndexFunc(s.Requests, func(q Request) bool { return q.Correlation == correlation })
	if i < 0 {
		s.t.Fatalf("there is no request %s", correlation)
	}
	return &s.Requests[i]
}

// rewrite makes the event stream anew, with the messages of each tenant as edit returns them.
func (s *small) rewrite(edit func(tenant string, messages []*nats.Msg) []*nats.Msg) {
	s.t.Helper()
	ctx := s.t.Context()
	old, err := s.JetStream.Stream(ctx, stream)
	if err != nil {
		s.t.Fatal(err)
	}
	tenants, err := s.Store.Tenants(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	var messages []*nats.Msg
	for _, tenant := range tenants {
		var own []*nats.Msg
		for sequence := uint64(1); sequence <= old.CachedInfo().State.LastSeq; {
			m, err := old.GetMsg(ctx, sequence, jetstream.WithGetMsgSubject(subjectPrefix+tenant.Slug+".>"))
			if err != nil {
				break // of this tenant there are no more
			}
			for _, h := range []string{jetstream.MsgIDHeader, jetstream.ExpectedLastMsgIDHeader, jetstream.ExpectedLastSeqHeader} {
				m.Header.Del(h)
			}
			own = append(own, &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data})
			sequence = m.Sequence + 1
		}
		if len(own) != 19 {
			s.t.Fatalf("%s has %d messages", tenant.Slug, len(own))
		}
		messages = append(messages, edit(tenant.Slug, own)...)
	}
	config := old.CachedInfo().Config
	if err := s.JetStream.DeleteStream(ctx, stream); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.JetStream.CreateStream(ctx, config); err != nil {
		s.t.Fatal(err)
	}
	for _, m := range messages {
		if _, err := s.JetStream.PublishMsg(ctx, m); err != nil {
			s.t.Fatal(err)
		}
	}
}

// schema is where the rows of the live build of a projection are.
func (s *small) schema(projection string) string {
	s.t.Helper()
	b, err := s.Projector.Live(s.t.Context(), projection)
	if err != nil {
		s.t.Fatal(err)
	}
	return pgx.Identifier{b.Schema}.Sanitize()
}
