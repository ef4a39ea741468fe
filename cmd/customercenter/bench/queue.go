package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/api/ingest"
)

// queueInFlight is how many messages a publisher has on their way at a time.
const queueInFlight = 256

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
	return timed(messages, func(messages []*nats.Msg) error {
		if err := b.publish(measured, messages, func(subject string) string { return subject }); err != nil {
			return err
		}
		if err := b.drained(measured, ingest.StreamIn); err != nil {
			return err
		}
		return b.visible(measured, engine)
	})
}

// timed gets messages through, the first tenth before the clock is started: until then the other side may still be setting itself up.
// It returns messages per second.
func timed(messages []*nats.Msg, through func([]*nats.Msg) error) (rate float64, err error) {
	early := len(messages) / 10
	if err := through(messages[:early]); err != nil {
		return 0, err
	}
	began := time.Now()
	if err := through(messages[early:]); err != nil {
		return 0, err
	}
	return float64(len(messages)-early) / time.Since(began).Seconds(), nil
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
	consuming, err := consumer.Consume(func(m jetstream.Msg) { _ = m.Ack() }) // one that gets lost keeps the queue from emptying, and comes again
	if err != nil {
		return 0, fmt.Errorf("bench: baseline queue: %w", err)
	}
	defer consuming.Stop()
	return timed(messages, func(messages []*nats.Msg) error {
		if err := b.publish(ctx, messages, func(string) string { return "bench.queue.messages" }); err != nil {
			return err
		}
		return b.drained(ctx, name)
	})
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
	return until(ctx, often, func() (bool, error) {
		info, err := stream.Info(ctx)
		if err != nil {
			return false, fmt.Errorf("bench: stream %s: %w", name, err)
		}
		return info.State.Msgs == 0, nil
	})
}
