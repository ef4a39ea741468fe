package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/session"
	"customercenter/eventstore"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// Transcript measures pages of the transcripts of two customers who have a lot to show, against reading all of it to show a page: all sessions,
// and every session's stream from its beginning. One customer has very many sessions, the other a single session that is very long.
type Transcript struct {
	URL      string // of an empty database; it is migrated
	Rounds   int    // of baseline and product in turn
	Each     time.Duration
	Sessions int // of the first customer; the second's session has a twentieth as many messages
}

type transcriptBench struct {
	Transcript
	plant    *plant
	sessions *projections.Sessions
	schema   string

	many, long   uuid.UUID // the customers
	begun        []uuid.UUID
	endless      uuid.UUID // the session of the second
	from         time.Time // when the first session began; a minute later the next
	perSession   int       // items
	manyVersions int64     // of the first customer's stream
}

// view is one kind of question: a page by the product, and the same page plainly.
type view struct {
	name     string
	customer uuid.UUID
	query    func(i int) projections.TranscriptQuery
	// first is which of all items the page begins with; negative counts from the end.
	first func(i int) int
	agent string
}

const transcriptAgents = 20

// Run prints one line per kind of page.
func (t Transcript) Run(ctx context.Context, report *Report) (err error) {
	b := &transcriptBench{Transcript: t}
	if b.plant, err = openPlant(ctx, t.URL, "bench"); err != nil {
		return err
	}
	defer b.plant.close()
	if err := b.populate(ctx); err != nil {
		return err
	}
	engine, err := projector.New(projector.Config{Store: b.plant.store, Definitions: projections.Definitions()})
	if err == nil {
		err = engine.EnsureBuilt(ctx, nil)
	}
	if err != nil {
		return err
	}
	build, err := engine.Live(ctx, projections.SessionsName)
	if err != nil {
		return err
	}
	b.schema = build.Schema
	for _, table := range []string{"session", "session_agent"} {
		if _, err := b.plant.pool.Exec(ctx, `vacuum (analyze) `+b.schema+`.`+table); err != nil {
			return fmt.Errorf("bench: vacuum: %w", err)
		}
	}
	b.sessions = projections.NewSessions(b.plant.store, engine)
	report.Heading("transcript: pages of %d items, of a customer with %d sessions and of a session with %d messages, against reading all; a ratio below 1 is faster",
		projections.DefaultLimit, b.Sessions, b.messages())
	for _, v := range b.views() {
		if err := b.measure(ctx, report, v); err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
	}
	return b.histories(ctx, report, engine)
}

func (b *transcriptBench) messages() int { return max(b.Sessions/20, 2*projections.DefaultLimit) }

// populate appends the two customers' sessions, in large batches.
func (b *transcriptBench) populate(ctx context.Context) error {
	for name, id := range map[string]*uuid.UUID{"many": &b.many, "long": &b.long} {
		done, err := commands.CreateCustomer{Association: b.plant.traffic.Associations[0].ID, ExternalID: name}.Run(ctx, b.plant.center, b.plant.by())
		if err != nil {
			return fmt.Errorf("bench: customer: %w", err)
		}
		*id = done.Customer
	}
	b.manyVersions, b.perSession = 1, 4
	b.from = time.Now().Add(-time.Duration(b.Sessions+1) * time.Minute)
	const batch = 250 // sessions of seven events
	for at := 0; at < b.Sessions; at += batch {
		if err := b.manySessions(ctx, at, min(batch, b.Sessions-at)); err != nil {
			return fmt.Errorf("bench: sessions: %w", err)
		}
	}
	if err := b.longSession(ctx); err != nil {
		return fmt.Errorf("bench: messages: %w", err)
	}
	return b.plant.settle(ctx)
}

func (b *transcriptBench) append(ctx context.Context, streams []eventstore.StreamAppend) error {
	_, err := b.plant.store.Append(ctx, eventstore.Append{Tenant: b.plant.tenant, ID: uuid.Must(uuid.NewV7()), Now: time.Now(), Actor: b.plant.by().Actor, Streams: streams})
	return err
}

// manySessions appends n sessions of the first customer: begun, accepted, a message of either side, closed.
func (b *transcriptBench) manySessions(ctx context.Context, at, n int) error {
	own := eventstore.StreamAppend{Stream: customer.Stream(b.many), Version: b.manyVersions}
	streams := []eventstore.StreamAppend{}
	for i := at; i < at+n; i++ {
		id, agent := uuid.Must(uuid.NewV7()), fmt.Sprint("agent-", i%transcriptAgents)
		begun := b.from.Add(time.Duration(i) * time.Minute)
		own.Events = append(own.Events,
			eventstore.NewEvent{Payload: customer.SessionOpened{Session: id, Initiator: domain.PartyCustomer}, Customer: b.many, OccurredAt: begun},
			eventstore.NewEvent{Payload: customer.SessionClosed{Session: id}, Customer: b.many, OccurredAt: begun.Add(30 * time.Second)})
		one := eventstore.StreamAppend{Stream: session.Stream(id)}
		for n, payload := range []any{
			session.Started{Customer: b.many, Association: b.plant.traffic.Associations[0].ID, Channel: b.plant.traffic.Associations[0].Channel, Initiator: domain.PartyCustomer},
			session.Accepted{Agent: agent},
			session.MessageRecorded{Message: fmt.Sprint("c", i), Sender: session.Sender{Kind: domain.PartyCustomer}, Kind: session.KindText, Text: "你好，我的订单到哪里了？"},
			session.MessageRecorded{Message: fmt.Sprint("a", i), Sender: session.Sender{Kind: domain.PartyAgent, ID: agent}, Kind: session.KindText, Text: "您好，正在为您查询。"},
			session.Closed{By: domain.PartyAgent},
		} {
			one.Events = append(one.Events, eventstore.NewEvent{Payload: payload, Customer: b.many, OccurredAt: begun.Add(time.Duration(n) * time.Second)})
		}
		streams, b.begun = append(streams, one), append(b.begun, id)
	}
	b.manyVersions += int64(len(own.Events))
	return b.append(ctx, append([]eventstore.StreamAppend{own}, streams...))
}

// longSession appends the session of the second customer, which goes on.
func (b *transcriptBench) longSession(ctx context.Context) error {
	b.endless = uuid.Must(uuid.NewV7())
	events := []any{
		session.Started{Customer: b.long, Association: b.plant.traffic.Associations[0].ID, Channel: b.plant.traffic.Associations[0].Channel, Initiator: domain.PartyCustomer},
		session.Accepted{Agent: "agent-0"},
	}
	for i := range b.messages() {
		events = append(events, session.MessageRecorded{Message: fmt.Sprint(i), Sender: session.Sender{Kind: domain.PartyCustomer}, Kind: session.KindText, Text: "还有一个问题。"})
	}
	opened := eventstore.StreamAppend{Stream: customer.Stream(b.long), Version: 1, Events: []eventstore.NewEvent{
		{Payload: customer.SessionOpened{Session: b.endless, Initiator: domain.PartyCustomer}, Customer: b.long}}}
	for version := 0; version < len(events); {
		part := eventstore.StreamAppend{Stream: session.Stream(b.endless), Version: int64(version)}
		for range min(1500, len(events)-version) {
			part.Events = append(part.Events, eventstore.NewEvent{Payload: events[version], Customer: b.long})
			version++
		}
		streams := []eventstore.StreamAppend{part}
		if part.Version == 0 {
			streams = []eventstore.StreamAppend{opened, part}
		}
		if err := b.append(ctx, streams); err != nil {
			return err
		}
	}
	return nil
}

// views are the questions.
func (b *transcriptBench) views() []view {
	const page = projections.DefaultLimit
	end := func(customer uuid.UUID, agent string) func(int) projections.TranscriptQuery {
		return func(int) projections.TranscriptQuery {
			return projections.TranscriptQuery{Customer: customer, Agent: agent}
		}
	}
	last := func(int) int { return -page }
	somewhere := func(i int) int { return (i*7919 + b.Sessions/2) % max(b.Sessions-page, 1) }
	return []view{
		{name: "many sessions, the end", customer: b.many, query: end(b.many, ""), first: last},
		{name: "many sessions, from one of them on", customer: b.many, query: func(i int) projections.TranscriptQuery {
			return projections.TranscriptQuery{Customer: b.many, Session: b.begun[somewhere(i)]}
		}, first: func(i int) int { return somewhere(i) * b.perSession }},
		{name: "many sessions, the end of an agent's", customer: b.many, agent: "agent-7", query: end(b.many, "agent-7"), first: last},
		{name: "a long session, the end", customer: b.long, query: end(b.long, ""), first: last},
		{name: "a long session, its beginning", customer: b.long, query: func(int) projections.TranscriptQuery {
			return projections.TranscriptQuery{Customer: b.long, Session: b.endless}
		}, first: func(int) int { return 0 }},
	}
}

// measure asks one kind, the baseline and the product in turn. Both must show the same page.
func (b *transcriptBench) measure(ctx context.Context, report *Report, v view) error {
	var took, base []time.Duration
	for round := range b.Rounds + 1 {
		asked := time.Now()
		want, err := b.plainly(ctx, v, v.first(round*questions))
		if err != nil {
			return err
		}
		naive := time.Since(asked)
		began := time.Now()
		for i := 0; i < questions && (i == 0 || time.Since(began) < b.Each/4); i++ {
			asked := time.Now()
			page, err := b.sessions.Transcript(ctx, b.plant.tenant, v.query(round*questions+i))
			if err != nil {
				return err
			}
			if round > 0 { // the first warms up
				took = append(took, time.Since(asked))
			}
			if i == 0 && !same(page.Items, want) {
				return fmt.Errorf("bench: the page has %d items and another beginning or end than plainly read, with %d", len(page.Items), len(want))
			}
		}
		if round > 0 {
			base = append(base, naive)
		}
	}
	note := fmt.Sprintf("max %.2f ms; baseline p50 %.2f ms", Percentile(took, 100), Percentile(base, 50))
	report.Print(Line{Case: "transcript " + v.name + ": p95", Unit: "ms", Value: Percentile(took, 95), Note: note}.Against(Percentile(base, 95)).Latency(took))
	return nil
}

func same(items []projections.TranscriptItem, events []eventstore.Decoded) bool {
	if len(items) != len(events) {
		return false
	}
	for i, e := range events {
		if items[i].Version != e.Version || session.Stream(items[i].SessionID) != e.Stream {
			return false
		}
	}
	return true
}

// plainly reads and opens everything that the customer's sessions hold, to show a page of it.
func (b *transcriptBench) plainly(ctx context.Context, v view, first int) ([]eventstore.Decoded, error) {
	rows, err := b.plant.pool.Query(ctx, `select id from `+b.schema+`.session s where tenant = $1 and customer = $2
		and ($3 = '' or exists (select from `+b.schema+`.session_agent a where a.tenant = s.tenant and a.session = s.id and a.agent = $3)) order by started_at, id`,
		b.plant.tenant, v.customer, v.agent)
	if err != nil {
		return nil, fmt.Errorf("bench: plain query: %w", err)
	}
	var streams []string
	for rows.Next() {
		var id uuid.UUID
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("bench: plain query: %w", err)
		}
		streams = append(streams, session.Stream(id))
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("bench: plain query: %w", err)
	}
	events, err := b.plant.store.ReadStreams(ctx, b.plant.tenant, streams, make([]int64, len(streams)))
	if err != nil {
		return nil, err
	}
	decoded, err := b.plant.store.Open(ctx, events)
	if err != nil {
		return nil, err
	}
	var shown []eventstore.Decoded
	for _, e := range decoded {
		if e.Type != "session.accepted" {
			shown = append(shown, e)
		}
	}
	if first < 0 {
		first = max(len(shown)+first, 0)
	}
	return shown[first:min(first+projections.DefaultLimit, len(shown))], nil
}
