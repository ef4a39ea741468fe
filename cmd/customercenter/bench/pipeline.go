package bench

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"customercenter/api/ingest"
	"customercenter/eventstore"
	"customercenter/eventstore/bell"
	"customercenter/eventstore/relay"
	"customercenter/internal/natsserver"
	"customercenter/internal/traffic"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// Pipeline measures the way of simulated traffic through all parts, which run in this process: relay, projector, bells over NATS.
//
// First, at a steady 1,000 channel events a second, how long it takes from the call that carries an event out until every read model shows
// what it did, against the same calls while neither relay nor projector runs. Then, as fast as it goes, how many events a second get from the
// channels' queue into the read models, against bare publishing to and consuming from a work queue on the same server.
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
}

const (
	perSecond     = 1000
	warmUp        = 500
	queueInFlight = 256
)

// Run prints two lines.
func (p Pipeline) Run(ctx context.Context, report *Report) (err error) {
	b := &pipelineBench{Pipeline: p, paced: max(int(p.Each.Seconds()*perSecond), 1), queued: max(p.Events/10, 1)}
	if b.nc, b.js, err = connect(p.NATS); err != nil {
		return err
	}
	defer b.nc.Close()
	if b.bells, err = bell.Listen(b.nc); err != nil {
		return err
	}
	defer b.bells.Close()
	if b.plant, err = openPlant(ctx, p.URL, "bench", eventstore.WithBell(bell.Ringer(b.nc))); err != nil {
		return err
	}
	defer b.plant.close()
	engine, err := b.projector()
	if err == nil {
		err = engine.EnsureBuilt(ctx, nil)
	}
	if err != nil {
		return err
	}
	// One history for the whole run, so that nobody meets a past that does not fit.
	o := b.plant.past(1, warmUp+b.Rounds*(2*b.paced+b.queued))
	o.Until = time.Time{}
	if b.generator, err = traffic.New(o); err != nil {
		return err
	}
	if err := b.plant.carry(ctx, b.generator, warmUp, 0, func(time.Time, ingest.Outcome) {}); err != nil {
		return err
	}
	report.Heading("pipeline: relay, projector and bells in one process")
	if err := b.steady(ctx, report); err != nil {
		return err
	}
	return b.queue(ctx, report)
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

// steady compares how long it takes until an event is visible with how long its call alone takes.
func (b *pipelineBench) steady(ctx context.Context, report *Report) error {
	var alone, called, visible []time.Duration
	for range b.Rounds {
		calls, err := b.call(ctx)
		if err != nil {
			return err
		}
		for _, c := range calls {
			alone = append(alone, c.done.Sub(c.due))
		}
		calls, seen, err := b.callAndWatch(ctx)
		if err != nil {
			return err
		}
		for _, c := range calls {
			called = append(called, c.done.Sub(c.due))
			visible = append(visible, seen.since(c))
		}
	}
	base := Percentile(alone, 99)
	report.Print(Line{Case: fmt.Sprintf("pipeline call to visible, %d/s: p99", perSecond), Unit: "ms", Value: Percentile(visible, 99),
		Note: fmt.Sprintf("the call itself p50 %.2f ms  p99 %.2f ms; baseline: without relay and projector", Percentile(called, 50), Percentile(called, 99)),
	}.Against(base).Latency(visible))
	return nil
}

// call is an event that was carried out.
type call struct {
	due, done time.Time
	position  int64
}

// call carries out events at the steady rate. Repeated events change nothing and are left out.
func (b *pipelineBench) call(ctx context.Context) (calls []call, err error) {
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

// callAndWatch does the same while all parts run, and notes when the read models move.
func (b *pipelineBench) callAndWatch(ctx context.Context) (calls []call, seen sightings, err error) {
	measured, engine, stop, err := b.running(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	watched, end := context.WithCancel(measured)
	defer end()
	watchers, watched := errgroup.WithContext(watched)
	seen = make(sightings, len(projections.Definitions()))
	for i, d := range projections.Definitions() {
		watchers.Go(func() (err error) {
			seen[i], err = b.watch(watched, engine, d.Name)
			return err
		})
	}
	if calls, err = b.call(measured); err == nil {
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

// watch notes every move of a read model until ctx ends.
func (b *pipelineBench) watch(ctx context.Context, engine *projector.Projector, name string) (seen []sighting, err error) {
	for next := int64(1); ; {
		position, fresh, err := engine.WaitFor(ctx, name, b.plant.tenant, next, time.Minute)
		switch {
		case ctx.Err() != nil:
			// Whatever has moved since the last look counts from now.
			position, _, err = engine.WaitFor(context.WithoutCancel(ctx), name, b.plant.tenant, next, 0)
			return append(seen, sighting{time.Now(), position}), err
		case err != nil:
			return nil, err
		case fresh:
			seen = append(seen, sighting{time.Now(), position})
			next = position + 1
		}
	}
}

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

// queue compares the way from the channels' queue to the read models with bare publishing and consuming.
func (b *pipelineBench) queue(ctx context.Context, report *Report) error {
	if err := ingest.EnsureStreams(ctx, b.js, 1, 0); err != nil {
		return err
	}
	var rates, bases []float64
	for range b.Rounds {
		messages := make([]*nats.Msg, 0, b.queued)
		for range b.queued {
			event, more := b.generator.Next()
			if !more {
				break
			}
			messages = append(messages, &nats.Msg{Subject: event.Subject, Data: event.Body})
		}
		base, err := b.bareQueue(ctx, messages)
		if err != nil {
			return err
		}
		rate, err := b.throughQueue(ctx, messages)
		if err != nil {
			return err
		}
		rates, bases = append(rates, rate), append(bases, base)
	}
	dead, err := lastSequence(ctx, b.js, ingest.StreamDead)
	if err == nil && dead > 0 {
		err = fmt.Errorf("bench: %d events have gone to the dead letters", dead)
	}
	if err != nil {
		return err
	}
	report.Print(Line{Case: "pipeline queue to visible", Unit: "events/s", Value: Median(rates),
		Note: "baseline: bare publish, consume and acknowledge"}.Against(Median(bases)))
	return nil
}

// throughQueue publishes channel events while all parts run, until all are visible.
func (b *pipelineBench) throughQueue(ctx context.Context, messages []*nats.Msg) (rate float64, err error) {
	consumer, err := ingest.NewConsumer(ingest.Config{Handler: b.plant.handler, NATS: b.nc, Pool: b.plant.pool})
	if err != nil {
		return 0, err
	}
	measured, engine, stop, err := b.running(ctx, consumer.Run)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	began := time.Now()
	if err := b.publish(measured, messages, func(subject string) string { return subject }); err != nil {
		return 0, err
	}
	if err := b.drained(measured, ingest.StreamIn); err != nil {
		return 0, err
	}
	if err := b.visible(measured, engine); err != nil {
		return 0, err
	}
	return float64(len(messages)) / time.Since(began).Seconds(), nil
}

// bareQueue publishes the same messages to a work queue of its own, and acknowledges them as they come.
func (b *pipelineBench) bareQueue(ctx context.Context, messages []*nats.Msg) (rate float64, err error) {
	const name = "BENCH_QUEUE"
	if err := dropStream(ctx, b.js, name); err != nil {
		return 0, err
	}
	stream, err := b.js.CreateStream(ctx, jetstream.StreamConfig{Name: name, Subjects: []string{"bench.queue.>"},
		Retention: jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage, MaxBytes: 1 << 30})
	if err != nil {
		return 0, fmt.Errorf("bench: baseline queue: %w", err)
	}
	defer func() { err = errors.Join(err, dropStream(context.WithoutCancel(ctx), b.js, name)) }()
	consumer, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{Durable: "bare", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		return 0, fmt.Errorf("bench: baseline queue: %w", err)
	}
	began := time.Now()
	consuming, err := consumer.Consume(func(m jetstream.Msg) { _ = m.Ack() }) // one that gets lost keeps the queue from emptying, and comes again
	if err != nil {
		return 0, fmt.Errorf("bench: baseline queue: %w", err)
	}
	defer consuming.Stop()
	if err := b.publish(ctx, messages, func(string) string { return "bench.queue.messages" }); err != nil {
		return 0, err
	}
	if err := b.drained(ctx, name); err != nil {
		return 0, err
	}
	return float64(len(messages)) / time.Since(began).Seconds(), nil
}

// publish sends messages as a channel does: a bounded number at a time are on their way to the server's disk.
func (b *pipelineBench) publish(ctx context.Context, messages []*nats.Msg, to func(subject string) string) error {
	pending := make([]jetstream.PubAckFuture, 0, len(messages))
	for i := range len(messages) + queueInFlight {
		if i < len(messages) {
			future, err := b.js.PublishMsgAsync(&nats.Msg{Subject: to(messages[i].Subject), Data: messages[i].Data}, jetstream.WithStallWait(30*time.Second))
			if err != nil {
				return fmt.Errorf("bench: publish: %w", err)
			}
			pending = append(pending, future)
		}
		if oldest := i - queueInFlight; oldest >= 0 {
			select {
			case <-pending[oldest].Ok():
			case err := <-pending[oldest].Err():
				return fmt.Errorf("bench: publish: %w", err)
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

// drained waits until a work queue is empty.
func (b *pipelineBench) drained(ctx context.Context, name string) error {
	stream, err := b.js.Stream(ctx, name)
	if err != nil {
		return fmt.Errorf("bench: stream %s: %w", name, err)
	}
	return until(ctx, func() (bool, error) {
		info, err := stream.Info(ctx)
		if err != nil {
			return false, fmt.Errorf("bench: stream %s: %w", name, err)
		}
		return info.State.Msgs == 0, nil
	})
}
