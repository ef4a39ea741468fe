//go:build unix

package crash

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/session"
	"customercenter/eventstore"
)

const (
	// writers is how many goroutines write in each of the two writing processes.
	writers = 8
	// pace is the time between two orders of a writer, so that a slow machine has time for the others.
	pace = 10 * time.Millisecond
	// shared is how many visitors of a tenant all writers are at together.
	shared = 3
)

var tenants = []string{"acme", "beta"}

// order is what a writer is to do: all of it, so that another process can be given the same.
type order struct {
	ID          string
	Worker      int
	Tenant      string
	Kind        string
	Association int
	Visitor     string
	Number      int
	At          time.Time // when it happened outside; zero if it did not
	Once        bool      // as channels and careful clients ask; the others take an unknown outcome for what it is
}

// What is done; shares says how often.
const (
	kindMessage = "message" // of the visitor
	kindAccept  = "accept"
	kindAnswer  = "answer"
	kindClose   = "close"
	kindRate    = "rate"
	kindEdit    = "edit"
	kindTag     = "tag"
	kindUntag   = "untag"
	kindRename  = "rename" // a tag, on which those who tag depend
	kindImport  = "import" // the visitor, if they are none
	kindRevert  = "revert" // that import, if nobody has touched the visitor since
)

var shares = []struct {
	kind  string
	share int
}{{kindMessage, 40}, {kindAccept, 10}, {kindAnswer, 12}, {kindClose, 9}, {kindRate, 6}, {kindEdit, 5}, {kindTag, 5}, {kindUntag, 4}, {kindRename, 1},
	{kindImport, 2}, {kindRevert, 6}}

// outcome is the answer to an order.
type outcome struct {
	ID       string
	Unknown  bool // the writer gave up without an answer
	Changed  bool
	Repeated bool
	Position int64
	Refused  string
}

// line is what a writer writes: an order before it is begun, an outcome after it is known.
type line struct {
	Begin   *order   `json:",omitempty"`
	Outcome *outcome `json:",omitempty"`
}

// journal writes lines, each by one write, so that whoever dies has written a line wholly or not at all.
type journal struct {
	mu  sync.Mutex
	out io.Writer
}

func (j *journal) write(l line) error {
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	_, err = j.out.Write(append(b, '\n'))
	return err
}

// beWriter carries out orders until the context ends, and finishes those it has begun.
func beWriter(ctx context.Context, c childConfig, out io.Writer) error {
	p, err := openPart(ctx, c.Database, c.NATS)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.loseAnswers(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	center := commands.NewCenter(p.store, time.Now, func() uuid.UUID { return uuid.Must(uuid.NewV7()) })
	j := &journal{out: out}
	var all sync.WaitGroup
	for i := range writers {
		w := &writer{config: c, number: i, store: p.store, center: center, journal: j, rand: rand.New(rand.NewPCG(c.Seed, uint64(c.Slot<<32|c.Life<<8|i)))}
		all.Go(func() {
			if err := w.work(ctx); err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// writer is one goroutine that writes.
type writer struct {
	config  childConfig
	number  int
	store   *eventstore.Store
	center  *commands.Center
	journal *journal
	rand    *rand.Rand
	orders  int
	known   []order // one of each visitor of its own
}

func (w *writer) work(ctx context.Context) error {
	for _, o := range w.config.Carried {
		if o.Worker != w.number {
			continue
		}
		// Begun already: the parent knows.
		if err := w.carryOut(o); err != nil {
			return err
		}
	}
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		o := w.next()
		if err := w.journal.write(line{Begin: &o}); err != nil {
			return err
		}
		if err := w.carryOut(o); err != nil {
			return err
		}
	}
}

// next makes up an order.
func (w *writer) next() order {
	w.orders++
	o := order{ID: fmt.Sprintf("s%d-l%d-w%d-%d", w.config.Slot, w.config.Life, w.number, w.orders), Worker: w.number,
		Tenant: tenants[w.rand.IntN(len(tenants))], Association: 1, Number: w.rand.IntN(1000), Once: w.rand.IntN(5) > 0}
	switch n := w.rand.IntN(100); {
	case n < 30:
		o.Visitor = fmt.Sprint("shared-", w.rand.IntN(shared))
	case n < 45 || len(w.known) == 0:
		o.Association, o.Visitor = 1+w.rand.IntN(2), "visitor-"+o.ID
		o.Kind = kindMessage // who is new has to say something, or is imported
		if w.rand.IntN(2) == 0 {
			o.Kind = kindImport
		}
		w.known = append(w.known, o)
	default:
		met := w.known[len(w.known)-1-w.rand.IntN(min(len(w.known), 12))]
		o.Tenant, o.Association, o.Visitor = met.Tenant, met.Association, met.Visitor
	}
	n := w.rand.IntN(100)
	for _, s := range shares {
		if n -= s.share; n < 0 && o.Kind == "" {
			o.Kind = s.kind
		}
	}
	o.Once = o.Once && o.Kind != kindImport && o.Kind != kindRevert // there are no commands for them yet, and so no receipts
	switch n := w.rand.IntN(100); {
	case n < 50:
		o.At = time.Now().Add(-time.Duration(w.rand.IntN(2000)) * time.Millisecond)
	case n < 53:
		o.At = time.Now().Add(-time.Duration(w.rand.IntN(120)) * time.Second) // late
	}
	return o
}

// by says on whose behalf the order is carried out.
func (o order) by() commands.By {
	by := commands.By{Tenant: o.Tenant, Actor: eventstore.Actor{Kind: "agent", ID: "a-1"}, Cause: "crash-test", Correlation: o.ID, OccurredAt: o.At}
	if o.Kind == kindMessage {
		by.Actor = eventstore.Actor{Kind: "channel", ID: fmt.Sprint(o.Association)}
	}
	if o.Once {
		body := sha256.Sum256([]byte(o.ID))
		by.Once = &commands.Once{Route: "crash", Key: o.ID, Body: body[:], Keep: 24 * time.Hour}
	}
	return by
}

// receipt is the key of the receipt that the order leaves.
func (o order) receipt() ReceiptKey {
	if !o.Once {
		return ReceiptKey{}
	}
	actor := o.by().Actor
	return ReceiptKey{Actor: actor.Kind + "/" + actor.ID, Route: "crash", Key: o.ID}
}

// carryOut does what the order says and writes down the outcome. What is to be done once is tried until there is an answer.
func (w *writer) carryOut(o order) error {
	for {
		result, retry, err := w.try(o)
		if err != nil {
			return fmt.Errorf("%s: %w", o.Kind, err)
		}
		if !retry {
			return w.journal.write(line{Outcome: &result})
		}
		// The store has its own pauses while the database is away; this one is for the reads before.
		pause := time.NewTimer(20 * time.Millisecond)
		<-pause.C
	}
}

// try runs the order's command. An error is one that a caller could not make sense of.
func (w *writer) try(o order) (result outcome, retry bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), lastMoment)
	defer cancel()
	done, err := w.run(ctx, o)
	result = outcome{ID: o.ID, Changed: done.Changed, Repeated: done.Repeated, Position: done.Position}
	var refusal *domain.Refusal
	switch {
	case err == nil:
	case errors.As(err, &refusal):
		result.Refused, result.Changed = refusal.Code, false
	case errors.Is(err, commands.ErrBusy):
		return result, true, nil // nothing was changed
	case errors.Is(err, eventstore.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		result.Unknown = true
		return result, o.Once, nil
	default:
		return result, false, err
	}
	return result, false, nil
}

func (w *writer) run(ctx context.Context, o order) (commands.Done, error) {
	by, c := o.by(), w.center
	talk := commands.SessionRef{Association: o.Association, ExternalID: o.Visitor}
	said := commands.Message{ID: o.ID, Kind: session.KindText, Text: fmt.Sprint("第 ", o.Number, " 句话 of many")}
	switch o.Kind {
	case kindMessage:
		return commands.ReceiveMessage{Association: o.Association, ExternalID: o.Visitor, Profile: customer.Profile{Nickname: "访客 " + o.Visitor}, Message: said}.Run(ctx, c, by)
	case kindAccept:
		return commands.AcceptSession{Session: talk, Agent: fmt.Sprint("a-", o.Number%7)}.Run(ctx, c, by)
	case kindAnswer:
		return commands.RecordMessage{Session: talk, Sender: session.Sender{Kind: domain.PartyAgent, ID: "a-1"}, Message: said}.Run(ctx, c, by)
	case kindClose:
		return commands.CloseSession{Session: talk, By: domain.PartyAgent}.Run(ctx, c, by)
	case kindRate:
		return commands.RateSession{Session: talk, Score: 1 + o.Number%5, Comment: "谢谢"}.Run(ctx, c, by)
	case kindRename:
		return commands.RenameTag{Tag: w.config.Tags[o.Tenant], Name: "tag " + o.ID}.Run(ctx, c, by)
	}
	who, err := c.CustomerID(ctx, o.Tenant, o.Association, o.Visitor)
	if err != nil {
		return commands.Done{}, err
	}
	switch o.Kind {
	case kindImport, kindRevert:
		return w.own(ctx, o, who)
	case kindEdit:
		name := fmt.Sprint("名字 ", o.Number)
		return commands.EditProfile{Customer: who, Changes: map[string]*string{"nickname": &name}}.Run(ctx, c, by)
	case kindTag:
		return commands.TagCustomer{Customer: who, Tag: w.config.Tags[o.Tenant]}.Run(ctx, c, by)
	case kindUntag:
		return commands.UntagCustomer{Customer: who, Tag: w.config.Tags[o.Tenant]}.Run(ctx, c, by)
	}
	return commands.Done{}, fmt.Errorf("unknown order %q", o.Kind)
}

// own appends what an import, or its being reverted, makes of a customer.
func (w *writer) own(ctx context.Context, o order, who uuid.UUID) (commands.Done, error) {
	stored, err := w.store.ReadStreams(ctx, o.Tenant, []string{customer.Stream(who)}, []int64{0})
	if err != nil {
		return commands.Done{}, err
	}
	decoded, err := w.store.Open(ctx, stored)
	if err != nil {
		return commands.Done{}, err
	}
	var state customer.State
	for _, d := range decoded {
		state.Apply(d.Payload.(domain.Event), d.OccurredAt())
	}
	by := uuid.NewSHA1(who, []byte("import"))
	decide := func() ([]customer.Event, error) { return state.Withdraw(by) }
	if o.Kind == kindImport {
		n := customer.New{Association: o.Association, Channel: domain.ChannelApp, ExternalID: o.Visitor, Via: customer.ViaImport, Import: by,
			Profile: customer.Profile{Name: "导入 " + o.Visitor}}
		if o.Association != 1 {
			n.Channel = domain.ChannelWeb
		}
		decide = func() ([]customer.Event, error) { return state.Create(n, nil, nil) }
	}
	events, err := decide()
	if err != nil {
		return commands.Done{}, err
	}
	on := o.by()
	a := eventstore.Append{Tenant: o.Tenant, ID: uuid.Must(uuid.NewV7()), Now: time.Now(), Actor: on.Actor, Cause: on.Cause, Correlation: on.Correlation,
		Streams: []eventstore.StreamAppend{{Stream: customer.Stream(who), Version: int64(len(stored))}}}
	for _, e := range events {
		a.Streams[0].Events = append(a.Streams[0].Events, eventstore.NewEvent{Payload: e, Customer: who, OccurredAt: on.OccurredAt})
		if created, ok := e.(customer.Created); ok {
			a.NewCustomers = []eventstore.NewCustomer{{ID: who, Generation: created.Generation}}
		}
	}
	result, err := w.store.Append(ctx, a)
	var conflict *eventstore.ConflictError
	if errors.As(err, &conflict) {
		return commands.Done{}, commands.ErrBusy
	}
	return commands.Done{Changed: err == nil, Position: result.Last}, err
}
