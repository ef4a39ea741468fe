// Package projectionstest makes random, valid histories for tests of read models: what it appends is what the domain decides.
package projectionstest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/catalog"
	"customercenter/domain/customer"
	"customercenter/domain/session"
	"customercenter/domain/suppressed"
	"customercenter/domain/tag"
	"customercenter/eventstore"
	"customercenter/eventstore/eventstoretest"
)

// Codec knows all events of the domain.
func Codec() *eventstore.Codec { return eventstore.NewCodec(catalog.Events()...) }

// Store returns a store for the domain's events on a database of its own.
func Store(t testing.TB, tenants ...string) *eventstore.Store {
	t.Helper()
	return eventstoretest.Store(t, Codec(), tenants...)
}

// World is one tenant's history in the making, by one writer. The same seed makes the same history, but for recorded times.
type World struct {
	t      testing.TB
	store  *eventstore.Store
	tenant string
	rand   *rand.Rand

	// Clock, if set, is what time it is in the history: events are recorded then, whatever time it is. It must not run backwards.
	Clock func() time.Time

	// Erasing has some of the steps erase somebody.
	Erasing bool

	Customers []*Person
	Tags      []uuid.UUID
	Sessions  []uuid.UUID

	tagState tag.State
	versions map[string]int64
	sessions map[uuid.UUID]*session.State
	pending  eventstore.Append
	waiting  int // events in pending
	written  int
	pack     int
	head     int64
	clocked  bool // the database records events as of Clock
}

// Person is a customer of the world, or was one.
type Person struct {
	ID    uuid.UUID
	State customer.State

	identity customer.New // in every life
}

// NewWorld begins a history. pack is how many events go into one append at most; 1 appends every step by itself.
func NewWorld(t testing.TB, store *eventstore.Store, tenant string, seed uint64, pack int) *World {
	return &World{
		t: t, store: store, tenant: tenant, rand: rand.New(rand.NewPCG(seed, 1)), versions: map[string]int64{},
		sessions: map[uuid.UUID]*session.State{}, pack: pack,
	}
}

// Head is the position of the last event written.
func (w *World) Head() int64 { return w.head }

func (w *World) id() uuid.UUID {
	var b [16]byte
	for i := range b {
		b[i] = byte(w.rand.Uint32())
	}
	b[6], b[8] = b[6]&0x0f|0x70, b[8]&0x3f|0x80
	return uuid.UUID(b)
}

var (
	names    = []string{"王小明", "李 雷", "Ｗａｎｇ", "张伟", "Émile", "O'Hara", "陈_%", "Anna", "赵敏", "Bob", "刘洋"}
	channels = []string{domain.ChannelApp, domain.ChannelWeb, domain.ChannelWechat, domain.ChannelWeibo}
)

// Run appends at least that many events.
func (w *World) Run(events int) {
	w.t.Helper()
	for until := w.written + events; w.written < until; {
		w.Step()
	}
	w.Flush()
}

// Step does one thing, chosen at random in about the proportions of real traffic.
func (w *World) Step() {
	w.t.Helper()
	switch n := w.rand.IntN(100); {
	case len(w.Tags) == 0 || n < 1 && len(w.Tags) < 12:
		w.NewTag(fmt.Sprintf("tag %d", len(w.Tags)))
	case len(w.Customers) < 3 || n < 4:
		w.NewCustomer(names[w.rand.IntN(len(names))])
	case n < 6:
		w.revert()
	case n < 8 && w.Erasing:
		w.Erase(w.anybody())
	default:
		w.goOn(w.anybody(), n)
	}
}

// revert withdraws somebody whom an import has made, and nobody touched since; if there is none, the import comes first.
func (w *World) revert() {
	for _, p := range w.Customers {
		if p.State.Via == customer.ViaImport && !p.State.Touched && w.rand.IntN(2) == 0 {
			w.Withdraw(p)
			return
		}
	}
	w.Import(names[w.rand.IntN(len(names))])
}

// goOn goes on with somebody. Who is a customer no more seldom comes back.
func (w *World) goOn(p *Person, n int) {
	w.t.Helper()
	switch {
	case !p.State.Exists:
		if w.rand.IntN(4) == 0 {
			w.ComeBack(p)
		}
	case n < 9:
		w.Rename(p, names[w.rand.IntN(len(names))])
	case n < 15:
		w.Retag(p)
	case n < 16:
		w.Blacklist(p, time.Time{})
	case n < 17:
		w.CallBack(p, fmt.Sprintf("agent-%d", w.rand.IntN(5)))
	default:
		w.talk(p)
	}
}

func (w *World) anybody() *Person {
	// The newest are met more often than the others.
	n := len(w.Customers)
	if w.rand.IntN(2) == 0 {
		return w.Customers[n-1-w.rand.IntN(min(n, 20))]
	}
	return w.Customers[w.rand.IntN(n)]
}

// NewTag adds a tag to the catalogue.
func (w *World) NewTag(name string) uuid.UUID {
	w.t.Helper()
	id := w.id()
	e := tag.Created{Tag: id, Name: name}
	w.tagState.Apply(e, time.Time{})
	w.add(tag.Stream, uuid.Nil, e)
	w.Tags = append(w.Tags, id)
	w.settle()
	return id
}

// DeleteTag takes a tag out of the catalogue.
func (w *World) DeleteTag(id uuid.UUID) {
	w.t.Helper()
	w.add(tag.Stream, uuid.Nil, tag.Deleted{Tag: id})
	w.settle()
}

// NewCustomer creates a customer of some channel.
func (w *World) NewCustomer(nickname string, tags ...uuid.UUID) *Person {
	w.t.Helper()
	return w.newCustomer(customer.ViaInbound, uuid.Nil, nickname, tags)
}

// Import creates a customer by an import of one row.
func (w *World) Import(nickname string, tags ...uuid.UUID) *Person {
	w.t.Helper()
	return w.newCustomer(customer.ViaImport, w.id(), nickname, tags)
}

func (w *World) newCustomer(via string, by uuid.UUID, nickname string, tags []uuid.UUID) *Person {
	w.t.Helper()
	n := len(w.Customers)
	p := &Person{ID: w.id(), identity: customer.New{Association: n%4 + 1, Channel: channels[n%4], ExternalID: fmt.Sprintf("Visitor-%d", n)}}
	w.begin(p, customer.Created{
		Via: via, Import: by, Profile: customer.Profile{Nickname: nickname, Phone: fmt.Sprintf("1380000%04d", n%10000)}, Tags: tags,
	})
	w.Customers = append(w.Customers, p)
	w.settle()
	return p
}

// begin begins a life of a person.
func (w *World) begin(p *Person, e customer.Created) {
	e.Association, e.Channel, e.ExternalID = p.identity.Association, p.identity.Channel, p.identity.ExternalID
	e.Generation = p.State.Generation + 1
	w.pending.NewCustomers = append(w.pending.NewCustomers, eventstore.NewCustomer{ID: p.ID, Generation: e.Generation})
	w.person(p, []customer.Event{e})
}

// Recreate gives a customer a second life, whether or not the first has ended.
func (w *World) Recreate(p *Person, nickname string) {
	w.t.Helper()
	w.Flush()
	w.begin(p, customer.Created{Via: customer.ViaAPI, Profile: customer.Profile{Nickname: nickname}})
	w.Flush()
}

// Withdraw reverts the import that has made a customer whom nobody touched since.
func (w *World) Withdraw(p *Person) {
	w.t.Helper()
	events, err := p.State.Withdraw(p.State.Import)
	w.must(err)
	w.person(p, events)
	w.settle()
}

// Erase erases a person, customer or not any more; nothing happens to one who was. An unfinished session ends before.
func (w *World) Erase(p *Person) {
	w.t.Helper()
	if p.State.Erased {
		return
	}
	w.Flush() // what is queued is sealed when it goes out
	if id := p.State.Unfinished.ID; id != uuid.Nil {
		s := w.sessions[id]
		aborted := s.Status == session.StatusWaiting
		if aborted {
			w.session(id, s, session.Aborted{By: domain.PartySystem})
		} else {
			w.session(id, s, session.Closed{By: domain.PartySystem})
		}
		w.closed(p, id, s, aborted)
	}
	events, err := p.State.Erase()
	w.must(err)
	w.person(p, events)
	w.Flush()
}

// ComeBack makes somebody a customer again who is none any more, by a message.
func (w *World) ComeBack(p *Person) {
	w.t.Helper()
	w.Flush() // of one append there is one key for a customer
	w.begin(p, customer.Created{Via: customer.ViaInbound, Profile: customer.Profile{Nickname: names[w.rand.IntN(len(names))]}})
	w.OpenSession(p)
}

// Rename changes a customer's nickname and name.
func (w *World) Rename(p *Person, name string) {
	w.t.Helper()
	events, err := p.State.ChangeProfile(customer.Edit{Fields: map[string]*string{"nickname": &name, "name": &name}}, nil)
	w.must(err)
	w.person(p, events)
	w.settle()
}

// Retag puts a tag on a customer or takes one off.
func (w *World) Retag(p *Person) {
	w.t.Helper()
	id := w.Tags[w.rand.IntN(len(w.Tags))]
	decide := func() ([]customer.Event, error) { return p.State.Tag(id, w.tagState.Known) }
	if p.State.HasTag(id) {
		decide = func() ([]customer.Event, error) { return p.State.Untag(id) }
	}
	events, err := decide()
	w.must(err)
	w.person(p, events)
	w.settle()
}

// talk goes on with a customer's session, or opens one.
func (w *World) talk(p *Person) {
	w.t.Helper()
	id := p.State.Unfinished.ID
	if id == uuid.Nil {
		if p.State.Listing == nil {
			w.OpenSession(p)
		} else if w.rand.IntN(4) > 0 {
			w.Suppress(p)
		} else {
			w.Unblacklist(p)
		}
		return
	}
	s := w.sessions[id]
	switch n := w.rand.IntN(20); {
	case s.Status == session.StatusWaiting && n < 8:
		w.session(id, s, session.Accepted{Agent: fmt.Sprintf("agent-%d", w.rand.IntN(5))})
	case s.Status == session.StatusWaiting && n < 9:
		w.session(id, s, session.Aborted{By: domain.PartyCustomer})
		w.closed(p, id, s, true)
	case s.Status == session.StatusProcessing && n < 2:
		w.session(id, s, session.Closed{By: domain.PartyAgent})
		w.closed(p, id, s, false)
		if n == 0 {
			w.session(id, s, session.Rated{Score: 1 + w.rand.IntN(5), Reasons: []string{"friendly"}, Comment: "谢谢"})
		}
		if n == 1 {
			w.session(id, s, session.MessageRecorded{Message: "late", Sender: session.Sender{Kind: domain.PartyCustomer}, Kind: session.KindText, Text: "late", Late: true})
		}
	case s.Status == session.StatusProcessing && n < 3:
		w.session(id, s, session.Transferred{From: s.Agent, To: fmt.Sprintf("agent-%d", w.rand.IntN(5))})
	case s.Channel == domain.ChannelWeb && n < 4:
		w.session(id, s, session.WebAttributesRecorded{IP: "203.0.113.7", Region: "上海", UserAgent: "Mozilla/5.0 (Windows NT 10.0) Chrome/130.0", Referrer: "https://example.com/"})
	default:
		w.Say(p, "你好, is anybody there?")
	}
	w.settle()
}

// Say records a message of the customer in the unfinished session.
func (w *World) Say(p *Person, words string) {
	w.t.Helper()
	id := p.State.Unfinished.ID
	w.session(id, w.sessions[id], session.MessageRecorded{
		Message: fmt.Sprint("m", w.written), Sender: session.Sender{Kind: domain.PartyCustomer}, Kind: session.KindText, Text: words,
	})
}

// OpenSession opens a session with its first message.
func (w *World) OpenSession(p *Person) uuid.UUID {
	w.t.Helper()
	id := w.id()
	events, err := p.State.OpenSession(id, domain.PartyCustomer, time.Now())
	w.must(err)
	w.person(p, events)
	s := &session.State{}
	w.sessions[id] = s
	w.Sessions = append(w.Sessions, id)
	w.session(id, s, session.Started{Customer: p.ID, Association: p.State.Association, Channel: p.State.Channel, Initiator: domain.PartyCustomer})
	w.Say(p, "first words")
	w.settle()
	return id
}

// CallBack opens a session towards a customer; nothing happens if that is not allowed now.
func (w *World) CallBack(p *Person, agent string) uuid.UUID {
	w.t.Helper()
	if p.State.Listing != nil || p.State.Unfinished.ID != uuid.Nil {
		return uuid.Nil
	}
	id := w.id()
	events, err := p.State.OpenSession(id, domain.PartyAgent, time.Now())
	w.must(err)
	w.person(p, events)
	s := &session.State{}
	w.sessions[id] = s
	w.Sessions = append(w.Sessions, id)
	w.session(id, s, session.Started{
		Customer: p.ID, Association: p.State.Association, Channel: p.State.Channel, Initiator: domain.PartyAgent, Callback: true,
	})
	w.session(id, s, session.Accepted{Agent: agent})
	w.settle()
	return id
}

// Accept gives the customer's unfinished session to an agent.
func (w *World) Accept(p *Person, agent string) {
	w.t.Helper()
	id := p.State.Unfinished.ID
	w.session(id, w.sessions[id], session.Accepted{Agent: agent})
	w.settle()
}

// Close ends the customer's unfinished session, which somebody has accepted.
func (w *World) Close(p *Person) {
	w.t.Helper()
	id := p.State.Unfinished.ID
	w.session(id, w.sessions[id], session.Closed{By: domain.PartyAgent})
	w.closed(p, id, w.sessions[id], false)
	w.settle()
}

// Blacklist puts a customer on the blacklist; nothing happens to one who is on it.
func (w *World) Blacklist(p *Person, expiresAt time.Time) {
	w.t.Helper()
	if p.State.Listing != nil {
		return
	}
	events, err := p.State.Blacklist("spam from "+p.State.Profile.Nickname, expiresAt, time.Now())
	w.must(err)
	w.person(p, events)
	w.settle()
}

// Unblacklist takes a customer off the blacklist.
func (w *World) Unblacklist(p *Person) {
	w.t.Helper()
	w.person(p, []customer.Event{customer.Unblacklisted{Cause: customer.CauseManual}})
	w.settle()
}

// Suppress records a message of a customer on the blacklist.
func (w *World) Suppress(p *Person) {
	w.t.Helper()
	w.add(suppressed.Stream(p.ID), p.ID, suppressed.MessageRecorded{Message: fmt.Sprint("m", w.written), Kind: session.KindText, Text: "listen!"})
	w.settle()
}

func (w *World) closed(p *Person, id uuid.UUID, s *session.State, aborted bool) {
	events, err := p.State.CloseSession(id, aborted, s.LastCustomerMessageAt)
	w.must(err)
	w.person(p, events)
}
