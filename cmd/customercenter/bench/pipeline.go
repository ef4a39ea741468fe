package bench

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"customercenter/api/ingest"
	"customercenter/commands"
	"customercenter/domain/session"
	"customercenter/eventstore"
	"customercenter/eventstore/bell"
	"customercenter/eventstore/relay"
	"customercenter/internal/natsserver"
	"customercenter/internal/traffic"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// Pipeline measures the way through all parts, which run in this process: relay, projector, bells over NATS.
//
// First, at a steady 1,000 a second, how long it takes from the start of an append until every read model shows it, against the same appends while
// neither relay nor projector runs; and the same for the call that carries out a channel event of simulated traffic, which loads, decides and
// appends. Then, as fast as it goes, how many channel events a second get from the channels' queue into the read models, against bare publishing
// to and consuming from a work queue on the same server.
type Pipeline struct {
	URL    string // of an empty database; it is migrated
	NATS   *natsserver.Server
	Rounds int           // of baseline and product in turn
	Each   time.Duration // how long each measurement at a steady rate lasts
	Events int           // a tenth of them go through the queue in each round
}

type pipelineBench struct {
	Pipeline
	plant     *plant
	nc        *nats.Conn
	js        jetstream.JetStream
	bells     *bell.Listener
	generator *traffic.Generator
	paced     int // events of a measurement at a steady rate
	queued    int // events of a measurement through the queue
	talks     []*talk
	written   int // messages appended to talks
}

// talk is an open session to append messages to.
type talk struct {
	mu       sync.Mutex
	stream   string
	customer uuid.UUID
	version  int64
}

const (
	perSecond = 1000
	warmUp    = 500 // channel events
	talking   = 500 // open sessions; each gets two messages a second
)

// Run prints three lines.
func (p Pipeline) Run(ctx context.Context, report *Report) (err error) {
	b := &pipelineBench{Pipeline: p, paced: max(int(p.Each.Seconds()*perSecond), 1), queued: max(p.Events/10, 1)}
	if err := b.open(ctx, p.URL, p.NATS); err != nil {
		return err
	}
	defer b.nc.Close()
	defer b.bells.Close()
	defer b.plant.close()
	// One history for the whole run, so that nobody meets a past that does not fit.
	o := b.plant.past(1, warmUp+b.Rounds*(2*b.paced+b.queued))
	o.Until = time.Time{}
	if b.generator, err = traffic.New(o); err != nil {
		return err
	}
	if err := b.plant.carry(ctx, b.generator, warmUp, 0, func(time.Time, ingest.Outcome) {}); err != nil {
		return err
	}
	if err := b.openTalks(ctx); err != nil {
		return err
	}
	report.Heading("pipeline: relay, projector and bells in one process")
	if err := b.steady(ctx, report, "append", b.appends); err != nil {
		return err
	}
	if err := b.steady(ctx, report, "channel event", b.channelEvents); err != nil {
		return err
	}
	return b.queue(ctx, report)
}

// open connects to empty servers and builds the read models.
func (b *pipelineBench) open(ctx context.Context, url string, server *natsserver.Server) (err error) {
	if b.nc, b.js, err = connect(server); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			b.nc.Close()
		}
	}()
	for _, name := range []string{eventStream, ingest.StreamIn, ingest.StreamDead} { // of other benches, or of a run that was interrupted
		if err = dropStream(ctx, b.js, name); err != nil {
			return err
		}
	}
	if b.bells, err = bell.Listen(b.nc); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			b.bells.Close()
		}
	}()
	if b.plant, err = openPlant(ctx, url, "bench", eventstore.WithBell(bell.Ringer(b.nc))); err != nil {
		return err
	}
	engine, err := b.projector()
	if err == nil {
		err = engine.EnsureBuilt(ctx, nil)
	}
	if err != nil {
		b.plant.close()
	}
	return err
}

// openTalks lets some people open a session each.
func (b *pipelineBench) openTalks(ctx context.Context) error {
	app := b.plant.traffic.Associations[0].ID
	for i := range talking {
		done, err := commands.ReceiveMessage{Association: app, ExternalID: fmt.Sprintf("talker-%d", i),
			Message: commands.Message{ID: "first", Kind: session.KindText, Text: "你好"}}.Run(ctx, b.plant.center, b.plant.by())
		if err != nil {
			return fmt.Errorf("bench: open a session: %w", err)
		}
		stream := session.Stream(done.Session)
		events, err := b.plant.store.ReadStream(ctx, b.plant.tenant, stream, 0, 10)
		if err != nil {
			return err
		}
		b.talks = append(b.talks, &talk{stream: stream, customer: done.Customer, version: events[len(events)-1].Version})
	}
	return nil
}

func (b *pipelineBench) projector() (*projector.Projector, error) {
	return projector.New(projector.Config{Store: b.plant.store, Definitions: projections.Definitions(), Bells: b.bells})
}

// running starts relay and projector, and more if wanted, and waits until the read models show all there is.
func (b *pipelineBench) running(ctx context.Context, more ...func(context.Context) error) (measured context.Context, engine *projector.Projector, stop func() error, err error) {
	if engine, err = b.projector(); err != nil {
		return nil, nil, nil, err
	}
	r, err := relay.New(relay.Config{Store: b.plant.store, NATS: b.nc})
	if err != nil {
		return nil, nil, nil, err
	}
	measured, stop = running(ctx, func(ctx context.Context) error {
		parts, ctx := errgroup.WithContext(ctx)
		for _, part := range append(more, r.Run, engine.Run) {
			parts.Go(func() error { return part(ctx) })
		}
		return parts.Wait()
	})
	if err := b.visible(measured, engine); err != nil {
		return nil, nil, nil, errors.Join(err, stop())
	}
	return measured, engine, stop, nil
}

// visible waits until every read model shows the whole log.
func (b *pipelineBench) visible(ctx context.Context, engine *projector.Projector) error {
	head, err := b.plant.store.Head(ctx, b.plant.tenant)
	if err != nil {
		return err
	}
	for _, d := range projections.Definitions() {
		if _, fresh, err := engine.WaitFor(ctx, d.Name, b.plant.tenant, head, tooLong); err != nil || !fresh {
			return errors.Join(err, fmt.Errorf("bench: %s does not show position %d", d.Name, head))
		}
	}
	return nil
}

// call is something that was done and wrote up to a position.
type call struct {
	due, done time.Time
	position  int64
}

// steady compares how long it takes until what a call wrote is visible with how long the call takes alone.
func (b *pipelineBench) steady(ctx context.Context, report *Report, what string, do func(context.Context) ([]call, error)) error {
	var alone, called, visible latencies
	for range b.Rounds {
		calls, err := do(ctx)
		if err != nil {
			return err
		}
		alone.round(calls, func(c call) time.Duration { return c.done.Sub(c.due) })
		calls, seen, err := b.watched(ctx, do)
		if err != nil {
			return err
		}
		called.round(calls, func(c call) time.Duration { return c.done.Sub(c.due) })
		visible.round(calls, seen.since)
	}
	p50, p99 := Median(visible.p50), Median(visible.p99)
	report.Print(Line{Case: fmt.Sprintf("pipeline %s to visible, %d/s: p99", what, perSecond), Unit: "ms", Value: p99, P50: &p50, P99: &p99,
		Note: fmt.Sprintf("the call itself p50 %.2f ms  p99 %.2f ms; baseline: without relay and projector, p50 %.2f ms",
			Median(called.p50), Median(called.p99), Median(alone.p50)),
	}.Against(Median(alone.p99)))
	return nil
}

// latencies are those of each round: a round that something else on the machine has spoilt does not spoil the others.
type latencies struct{ p50, p99 []float64 }

func (l *latencies) round(calls []call, took func(call) time.Duration) {
	all := make([]time.Duration, len(calls))
	for i, c := range calls {
		all[i] = took(c)
	}
	l.p50, l.p99 = append(l.p50, Percentile(all, 50)), append(l.p99, Percentile(all, 99))
}

// appends appends one message at a time to the open talks in turn, at the steady rate, however long each takes.
func (b *pipelineBench) appends(ctx context.Context) ([]call, error) {
	calls := make([]call, b.paced)
	group, working := errgroup.WithContext(ctx)
	pace := newPace(perSecond)
	for i := range calls {
		due := pace.wait(working)
		if working.Err() != nil {
			break
		}
		t, n := b.talks[i%len(b.talks)], b.written
		b.written++
		group.Go(func() error {
			position, err := b.say(working, t, n)
			calls[i] = call{due: due, done: time.Now(), position: position}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return calls, context.Cause(ctx)
}

func (b *pipelineBench) say(ctx context.Context, t *talk, n int) (position int64, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	result, err := b.plant.store.Append(ctx, eventstore.Append{Tenant: b.plant.tenant, ID: uuid.New(), Now: time.Now(),
		Actor:   eventstore.Actor{Kind: "channel", ID: "1"},
		Streams: []eventstore.StreamAppend{{Stream: t.stream, Version: t.version, Events: []eventstore.NewEvent{{Payload: message(n), Customer: t.customer}}}}})
	if err == nil {
		t.version++
	}
	return result.Last, err
}

// channelEvents carries out channel events at the steady rate. Repeated events change nothing and are left out.
func (b *pipelineBench) channelEvents(ctx context.Context) (calls []call, err error) {
	var mu sync.Mutex
	err = b.plant.carry(ctx, b.generator, b.paced, perSecond, func(due time.Time, o ingest.Outcome) {
		c := call{due: due, done: time.Now(), position: o.Position}
		if o.Status == ingest.StatusAccepted {
			mu.Lock()
			calls = append(calls, c)
			mu.Unlock()
		}
	})
	return calls, err
}

// watched does the same while all parts run, and notes when the read models move.
func (b *pipelineBench) watched(ctx context.Context, do func(context.Context) ([]call, error)) (calls []call, seen sightings, err error) {
	measured, engine, stop, err := b.running(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	watching, end := context.WithCancel(measured)
	defer end()
	watchers, watching := errgroup.WithContext(watching)
	seen = make(sightings, len(projections.Definitions()))
	for i, d := range projections.Definitions() {
		watchers.Go(func() (err error) {
			seen[i], err = b.plant.watch(watching, engine, d.Name)
			return err
		})
	}
	if calls, err = do(measured); err == nil {
		err = b.visible(measured, engine)
	}
	end()
	return calls, seen, errors.Join(err, watchers.Wait())
}

// sighting is the instant from which a read model shows a position.
type sighting struct {
	at       time.Time
	position int64
}

// sightings are those of each read model, in order.
type sightings [][]sighting

// since is how long it took until all read models showed what a call did.
func (s sightings) since(c call) time.Duration {
	latest := c.done
	for _, model := range s {
		if i := sort.Search(len(model), func(i int) bool { return model[i].position >= c.position }); i < len(model) && model[i].at.After(latest) {
			latest = model[i].at
		}
	}
	return latest.Sub(c.due)
}
