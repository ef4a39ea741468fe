package traffic

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	defaultInFlight  = 256
	ackPatience      = 30 * time.Second       // how long an acknowledgement may take
	drainPatience    = 5 * time.Second        // the same, after ctx ended
	progressInterval = 250 * time.Millisecond // between two reports
)

// ErrNoAck is returned by Publish when the server took longer than 30 seconds to acknowledge an event, or than five after ctx ended.
var ErrNoAck = errors.New("traffic: no acknowledgement in time")

// Publish sends what the generator has through JetStream and returns when all of it is acknowledged, ctx ends, or an event fails.
//
// Events go out on one connection in the order of the traffic, at most inFlight of them (256 if not positive) unacknowledged at a time,
// rate per second on average (as fast as it goes if not positive; after a stall it catches up). They carry no Nats-Msg-Id,
// or the server would drop the deliberate duplicates, and a failed one is not tried again, because a second try could
// overtake its successors.
//
// progress, if not nil, is told how many events are acknowledged: now and then, and at the end whatever it was.
//
// If ctx ends, Publish waits up to five seconds for what is in flight and returns an error that wraps ctx.Err(). If that is
// the only error, the generator's Summary is exactly what the stream got. After another error the last events, up to inFlight of them,
// may or may not be in the stream.
func Publish(ctx context.Context, js jetstream.JetStream, gen *Generator, rate float64, inFlight int, progress func(sent int)) error {
	if inFlight <= 0 {
		inFlight = defaultInFlight
	}
	p := &publisher{js: js, began: time.Now(), rate: rate, inFlight: inFlight, progress: progress}
	err := p.run(ctx, gen)
	if progress != nil {
		progress(p.acked)
	}
	return err
}

// publisher is one call of Publish.
type publisher struct {
	js       jetstream.JetStream
	rate     float64
	inFlight int
	progress func(int)

	began    time.Time
	reported time.Time
	pending  []jetstream.PubAckFuture // oldest first
	sent     int
	acked    int
}

// run publishes until the traffic or ctx ends, then waits for the rest.
func (p *publisher) run(ctx context.Context, gen *Generator) error {
	for {
		// Whatever may have to wait, waits before the event is taken: an event that was taken is counted, and must go out.
		if err := p.pace(ctx); err != nil {
			return p.stop(err)
		}
		if err := p.makeRoom(ctx); err != nil {
			return p.stopIf(ctx, err)
		}
		event, ok := gen.Next()
		if !ok {
			break
		}
		// The client has a limit of its own on what is in flight, shared by all who use it; above it, it makes the caller wait.
		future, err := p.js.PublishMsgAsync(&nats.Msg{Subject: event.Subject, Data: event.Body}, jetstream.WithRetryAttempts(0), jetstream.WithStallWait(ackPatience))
		if err != nil {
			return fmt.Errorf("traffic: publish event %d of %d bytes: %w", p.sent+1, len(event.Body), err)
		}
		p.sent++
		p.pending = append(p.pending, future)
	}
	if err := p.drain(ctx); err != nil {
		return p.stopIf(ctx, err)
	}
	return nil
}

// pace waits until the next event is due. Waits under a millisecond are left out: the next events catch up on them.
func (p *publisher) pace(ctx context.Context) error {
	if p.rate <= 0 {
		return ctx.Err()
	}
	ahead := time.Until(p.began.Add(time.Duration(float64(p.sent) / p.rate * float64(time.Second))))
	if ahead < time.Millisecond {
		return ctx.Err()
	}
	timer := time.NewTimer(ahead)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// makeRoom takes in what is acknowledged already and, if still as many as may be are in flight, waits for the oldest.
func (p *publisher) makeRoom(ctx context.Context) error {
	for len(p.pending) > 0 {
		select {
		case <-p.pending[0].Ok():
			p.acknowledged()
			continue
		case err := <-p.pending[0].Err():
			return p.refused(err)
		default:
		}
		break
	}
	if len(p.pending) < p.inFlight {
		return nil
	}
	return p.await(ctx)
}

// await waits for the oldest event in flight.
func (p *publisher) await(ctx context.Context) error {
	timer := time.NewTimer(ackPatience)
	defer timer.Stop()
	select {
	case <-p.pending[0].Ok():
		p.acknowledged()
		return nil
	case err := <-p.pending[0].Err():
		return p.refused(err)
	case <-timer.C:
		return fmt.Errorf("%w: event %d", ErrNoAck, p.acked+1)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// drain waits for everything in flight.
func (p *publisher) drain(ctx context.Context) error {
	for len(p.pending) > 0 {
		if err := p.await(ctx); err != nil {
			return err
		}
	}
	return nil
}

// stopIf stops if the error came of ctx ending; any other error ends Publish at once.
func (p *publisher) stopIf(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return p.stop(err)
	}
	return err
}

// stop gives what is in flight a last chance after ctx ended, and returns why it ended, joined with what went wrong.
func (p *publisher) stop(cause error) error {
	err := fmt.Errorf("traffic: stopped after %d events: %w", p.sent, cause)
	last, cancel := context.WithTimeout(context.Background(), drainPatience)
	defer cancel()
	if drainErr := p.drain(last); errors.Is(drainErr, context.DeadlineExceeded) {
		err = errors.Join(err, fmt.Errorf("%w: %d of them", ErrNoAck, len(p.pending)))
	} else if drainErr != nil {
		err = errors.Join(err, drainErr)
	}
	return err
}

// acknowledged takes the oldest event out and reports from time to time.
func (p *publisher) acknowledged() {
	p.pending[0] = nil
	p.pending = p.pending[1:]
	p.acked++
	if now := time.Now(); p.progress != nil && now.Sub(p.reported) >= progressInterval {
		p.reported = now
		p.progress(p.acked)
	}
}

func (p *publisher) refused(err error) error {
	return fmt.Errorf("traffic: event %d was not stored: %w", p.acked+1, err)
}
