package traffic_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/internal/natstest"
	"customercenter/internal/traffic"
)

// bus starts a server with a stream that takes the traffic.
func bus(t *testing.T) (jetstream.JetStream, jetstream.Stream) {
	t.Helper()
	js, err := jetstream.New(natstest.Connect(t, natstest.Start(t)))
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "CC_IN", Subjects: []string{"cc.in.>"}, Retention: jetstream.WorkQueuePolicy})
	if err != nil {
		t.Fatal(err)
	}
	return js, stream
}

// stored returns how many messages the stream has.
func stored(t *testing.T, stream jetstream.Stream) int {
	t.Helper()
	info, err := stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return int(info.State.Msgs)
}

func TestPublishStoresTheTrafficInItsOrder(t *testing.T) {
	js, stream := bus(t)
	o := options(5000)
	o.Malformed, o.Duplicates = 0.01, 0.05
	told := 0
	if err := traffic.Publish(t.Context(), js, generator(t, o), 0, 100, func(sent int) { told = sent }); err != nil {
		t.Fatal(err)
	}
	if told != o.Events {
		t.Errorf("the last progress is %d, want %d", told, o.Events)
	}
	if got := stored(t, stream); got != o.Events {
		t.Fatalf("%d messages are stored, want %d", got, o.Events)
	}
	consumer, err := stream.CreateConsumer(t.Context(), jetstream.ConsumerConfig{AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		t.Fatal(err)
	}
	defer messages.Stop()
	again := generator(t, o)
	for e, ok := again.Next(); ok; e, ok = again.Next() {
		got, err := messages.Next(jetstream.NextContext(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		if got.Subject() != e.Subject || !bytes.Equal(got.Data(), e.Body) {
			t.Fatalf("message %d is not the event of the same place", again.Summary().Events)
		}
		if id := got.Headers().Get(nats.MsgIdHdr); id != "" {
			t.Fatal("a message id would take out the deliberate duplicates")
		}
		if err := got.Ack(); err != nil {
			t.Fatal(err)
		}
	}
	if s := again.Summary(); s.Duplicates == 0 || s.MalformedByKind[traffic.TooLarge] == 0 {
		t.Errorf("the traffic should have duplicates and too large bodies, it has %d and %d", s.Duplicates, s.MalformedByKind[traffic.TooLarge])
	}
}

func TestPublishBoundsWhatIsInFlight(t *testing.T) {
	js, _ := bus(t)
	const inFlight = 7
	most := 0
	o := options(3000)
	o.Clock = func() time.Time { // asked for every event, just before it is published
		most = max(most, js.PublishAsyncPending())
		return start
	}
	if err := traffic.Publish(t.Context(), js, generator(t, o), 0, inFlight, nil); err != nil {
		t.Fatal(err)
	}
	if most >= inFlight || most == 0 {
		t.Errorf("up to %d events were in flight before the next, want between 1 and %d", most, inFlight-1)
	}
	if left := js.PublishAsyncPending(); left != 0 {
		t.Errorf("%d events are in flight after the end", left)
	}
}

func TestPublishKeepsTheRate(t *testing.T) {
	js, stream := bus(t)
	began := time.Now()
	if err := traffic.Publish(t.Context(), js, generator(t, options(101)), 200, 0, nil); err != nil {
		t.Fatal(err)
	}
	// The last of 101 events is due after 100 intervals, less the millisecond that is not waited for.
	if took := time.Since(began); took < 499*time.Millisecond {
		t.Errorf("101 events at 200 per second took only %s", took)
	}
	if got := stored(t, stream); got != 101 {
		t.Errorf("%d messages are stored, want 101", got)
	}
}

func TestPublishCountsWhatItSentWhenItIsStopped(t *testing.T) {
	for name, rate := range map[string]float64{"at full speed": 0, "at a rate": 5000, "while it waits": 0.001} {
		t.Run(name, func(t *testing.T) {
			js, stream := bus(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			asked := 0
			o := options(0)
			o.PerSecond = 50
			o.Clock = func() time.Time {
				if asked++; asked == 1000 || rate < 1 && rate > 0 {
					cancel()
				}
				return start
			}
			g, told := generator(t, o), -1
			err := traffic.Publish(ctx, js, g, rate, 50, func(sent int) { told = sent })
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("the error is %v, want one that wraps context.Canceled", err)
			}
			counted, got := g.Summary().Events, stored(t, stream)
			if counted != got || told != got || got == 0 {
				t.Errorf("%d messages are stored, the summary says %d, the last progress %d", got, counted, told)
			}
		})
	}
}

func TestPublishFailsWithoutAStream(t *testing.T) {
	js, err := jetstream.New(natstest.Connect(t, natstest.Start(t)))
	if err != nil {
		t.Fatal(err)
	}
	err = traffic.Publish(t.Context(), js, generator(t, options(1000)), 0, 10, nil)
	if !errors.Is(err, nats.ErrNoResponders) && !errors.Is(err, jetstream.ErrNoStreamResponse) {
		t.Errorf("the error is %v, want that nobody answers", err)
	}
}

func TestPublishFailsOnAClosedConnection(t *testing.T) {
	js, _ := bus(t)
	o := options(0)
	asked := 0
	o.Clock = func() time.Time {
		if asked++; asked == 500 {
			js.Conn().Close()
		}
		return start
	}
	o.PerSecond = 50
	err := traffic.Publish(t.Context(), js, generator(t, o), 0, 10, nil)
	if err == nil || errors.Is(err, traffic.ErrNoAck) {
		t.Errorf("the error is %v, want the connection's, at once", err)
	}
}
