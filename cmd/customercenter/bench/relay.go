package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/eventstore/relay"
	"customercenter/internal/natsserver"
)

// Relay measures how fast a tenant's log is carried to the event stream, from the start of the relay to the last event stored, against
// bare asynchronous publishing of messages of the same size with as many headers, as many in flight, to a stream with the same settings.
type Relay struct {
	URL    string // of an empty database; it is migrated
	NATS   *natsserver.Server
	Rounds int // of baseline and product in turn
	Events int // channel events of which the log is made
}

type relayBench struct {
	Relay
	plant  *plant
	head   int64
	nc     *nats.Conn
	js     jetstream.JetStream
	sample []nats.Msg // what bare publishing publishes, over and over
	config jetstream.StreamConfig
}

const (
	eventStream   = "CC_EVENTS"
	relayInFlight = 4096 // the relay's default
	sampleSize    = 5000
)

// Run prints one line.
func (r Relay) Run(ctx context.Context, report *Report) (err error) {
	b := &relayBench{Relay: r}
	if b.plant, err = openPlant(ctx, r.URL, "bench"); err != nil {
		return err
	}
	defer b.plant.close()
	if b.head, err = b.plant.fill(ctx, r.Events); err != nil {
		return err
	}
	if b.nc, b.js, err = connect(r.NATS); err != nil {
		return err
	}
	defer b.nc.Close()
	if _, err = b.relayed(ctx); err != nil { // warms up, and gives the messages
		return err
	}
	if err = b.takeSample(ctx); err != nil {
		return err
	}
	report.Heading("relay: %d sealed events of one tenant, against bare asynchronous publishing", b.head)
	var rates, bases []float64
	for range b.Rounds {
		base, err := b.bare(ctx)
		if err != nil {
			return err
		}
		rate, err := b.relayed(ctx)
		if err != nil {
			return err
		}
		rates, bases = append(rates, rate), append(bases, base)
	}
	report.Print(Line{Case: "relay", Unit: "events/s", Value: Median(rates)}.Against(Median(bases)))
	return nil
}

// connect opens a connection of its own to the server in this process.
func connect(server *natsserver.Server) (*nats.Conn, jetstream.JetStream, error) {
	nc, err := server.Connect(nats.Name("customercenter bench"))
	if err != nil {
		return nil, nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		nc.Close()
		return nil, nil, fmt.Errorf("bench: %w", err)
	}
	return nc, js, nil
}

// relayed carries the whole log to a stream that does not exist yet, and returns events per second.
func (b *relayBench) relayed(ctx context.Context) (float64, error) {
	if err := dropStream(ctx, b.js, eventStream); err != nil {
		return 0, err
	}
	if _, err := b.plant.pool.Exec(ctx, `delete from relay_cursors`); err != nil {
		return 0, fmt.Errorf("bench: forget how far the relay is: %w", err)
	}
	nc, _, err := connect(b.NATS)
	if err != nil {
		return 0, err
	}
	defer nc.Close()
	began := time.Now()
	r, err := relay.New(relay.Config{Store: b.plant.store, NATS: nc})
	if err != nil {
		return 0, err
	}
	measured, stop := running(ctx, r.Run)
	err = until(measured, often, func() (bool, error) {
		stored, err := lastSequence(measured, b.js, eventStream)
		return stored >= uint64(b.head), err
	})
	took := time.Since(began)
	if err = errors.Join(err, stop()); err != nil {
		return 0, err
	}
	return float64(b.head) / took.Seconds(), nil
}

// lastSequence is how many messages a stream has got; 0 if there is no such stream.
func lastSequence(ctx context.Context, js jetstream.JetStream, name string) (uint64, error) {
	s, err := js.Stream(ctx, name)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("bench: stream %s: %w", name, err)
	}
	return s.CachedInfo().State.LastSeq, nil
}

func dropStream(ctx context.Context, js jetstream.JetStream, name string) error {
	if err := js.DeleteStream(ctx, name); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("bench: delete stream %s: %w", name, err)
	}
	return nil
}

// takeSample reads what the relay has published, and how its stream is set up.
func (b *relayBench) takeSample(ctx context.Context) error {
	stream, err := b.js.Stream(ctx, eventStream)
	if err != nil {
		return fmt.Errorf("bench: stream: %w", err)
	}
	b.config = stream.CachedInfo().Config
	b.config.Name, b.config.Subjects = "BENCH_BARE", []string{"bench.bare.>"}
	consumer, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return fmt.Errorf("bench: read stream: %w", err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("bench: read stream: %w", err)
	}
	defer messages.Stop()
	for range min(b.head, sampleSize) {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("bench: read stream: %w", err)
		}
		header := nats.Header{}
		for name, values := range m.Headers() {
			// As many headers of the same length, but none that the server looks at.
			header[strings.Replace(name, "Nats-", "Bare-", 1)] = values
		}
		b.sample = append(b.sample, nats.Msg{Subject: strings.Replace(m.Subject(), "cc.events.", "bench.bare.", 1), Header: header, Data: m.Data()})
	}
	return nil
}

// bare publishes as many messages to a stream of its own and returns messages per second, from the start to the last acknowledgement.
func (b *relayBench) bare(ctx context.Context) (rate float64, err error) {
	nc, _, err := connect(b.NATS)
	if err != nil {
		return 0, err
	}
	defer nc.Close()
	if err := dropStream(ctx, b.js, eventStream); err != nil { // the limits of both exceed what the server may store
		return 0, err
	}
	var failed atomic.Pointer[error]
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(relayInFlight),
		jetstream.WithPublishAsyncErrHandler(func(_ jetstream.JetStream, _ *nats.Msg, err error) { failed.Store(&err) }))
	if err != nil {
		return 0, fmt.Errorf("bench: %w", err)
	}
	began := time.Now()
	if _, err := js.CreateStream(ctx, b.config); err != nil {
		return 0, fmt.Errorf("bench: baseline stream: %w", err)
	}
	defer func() { err = errors.Join(err, dropStream(context.WithoutCancel(ctx), js, b.config.Name)) }()
	for i := range b.head {
		m := b.sample[i%int64(len(b.sample))]
		if _, err := js.PublishMsgAsync(&m, jetstream.WithStallWait(30*time.Second)); err != nil {
			return 0, fmt.Errorf("bench: publish: %w", err)
		}
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	if err := failed.Load(); err != nil {
		return 0, fmt.Errorf("bench: publish: %w", *err)
	}
	return float64(b.head) / time.Since(began).Seconds(), nil
}
