package crash

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"customercenter/eventstore/relay"
)

// A consumer of the event stream knows these headers from its documentation; so does the checker, which holds the relay to it.
const (
	subjectPrefix     = "cc.events."
	headerID          = "ce-id"
	headerType        = "ce-type"
	headerSource      = "ce-source"
	headerSubject     = "ce-subject"
	headerTime        = "ce-time"
	headerPosition    = "cc-position"
	headerVersion     = "cc-version"
	headerTypeVersion = "cc-type-version"
	headerEpoch       = "cc-epoch"
	headerRefill      = "cc-refill"
	headerCustomer    = "cc-customer"
	headerMeta        = "cc-meta"
	headerOmitted     = "cc-omitted"
)

// carried is what is remembered of a tenant's messages.
type carried struct {
	seen     []bool // by position
	any      bool   // there was a message
	refill   int    // of the last message
	position int64  // of the last message
}

// checkBus reads the whole event stream. Each message must be the event of the log at its position; within a filling, which is what
// was published between two refills, positions count up by one; all positions are there, the last message is of the last event.
func checkBus(ctx context.Context, s System, logs map[string]*tenantLog, r *report) error {
	status, err := relay.Status(ctx, s.Store)
	if err != nil {
		return fmt.Errorf("crash: %w", err)
	}
	for _, t := range status {
		switch {
		case t.Stopped != "":
			r.add(Stopped, t.Tenant, t.Position, "the relay: %s", t.Stopped)
		case t.Lag() > 0:
			r.add(Behind, t.Tenant, t.Position, "the relay is here, the log's head is %d", t.Head)
		case t.Lag() < 0:
			r.add(Ahead, t.Tenant, t.Position, "the relay is here, the log's head is %d", t.Head)
		}
	}
	epoch, err := s.Store.Epoch(ctx)
	if err != nil {
		return fmt.Errorf("crash: %w", err)
	}
	bus := &busReader{System: s, epoch: epoch.String(), logs: logs, carried: map[string]*carried{}, report: r}
	for tenant, l := range logs {
		bus.carried[tenant] = &carried{seen: make([]bool, len(l.sums))}
	}
	if err := bus.read(ctx); err != nil {
		return fmt.Errorf("crash: event stream: %w", err)
	}
	for tenant, c := range bus.carried {
		c.missing(logs[tenant], r)
	}
	return nil
}

// missing reports what the log has and the stream has not.
func (c *carried) missing(l *tenantLog, r *report) {
	for p := 0; p < len(c.seen); p++ {
		first := p
		for p < len(c.seen) && !c.seen[p] && l.sums[p] != 0 {
			p++
		}
		if p > first {
			r.add(BusMissing, l.tenant, int64(first)+1, "no message of the positions %d to %d", first+1, p)
		}
	}
	if c.any && c.position != l.head {
		r.add(BusOrder, l.tenant, c.position, "the last message is of this position, the log's head is %d", l.head)
	}
}

type busReader struct {
	System
	epoch   string
	logs    map[string]*tenantLog
	carried map[string]*carried
	report  *report
}

// read goes through the stream from its first message to what is its last one now.
func (b *busReader) read(ctx context.Context) error {
	stream, err := b.JetStream.Stream(ctx, b.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil // everything is missing then
	}
	if err != nil {
		return err
	}
	state := stream.CachedInfo().State
	if state.Msgs == 0 {
		return nil
	}
	consumer, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return err
	}
	messages, err := consumer.Messages()
	if err != nil {
		return err
	}
	defer messages.Stop()
	for sequence := uint64(0); sequence < state.LastSeq; {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("after message %d of %d: %w", sequence, state.LastSeq, err)
		}
		metadata, err := m.Metadata()
		if err != nil {
			return err
		}
		sequence = metadata.Sequence.Stream
		if err := b.message(ctx, m, sequence); err != nil {
			return err
		}
	}
	return nil
}

// message checks one message. Those of another epoch belong to a log that was replaced by a backup.
func (b *busReader) message(ctx context.Context, m jetstream.Msg, sequence uint64) error {
	h := m.Headers()
	if epoch := h.Get(headerEpoch); epoch != "" && epoch != b.epoch {
		return nil
	}
	tenant, kind, _ := strings.Cut(strings.TrimPrefix(m.Subject(), subjectPrefix), ".")
	position, err := strconv.ParseInt(h.Get(headerPosition), 10, 64)
	l, c := b.logs[tenant], b.carried[tenant]
	if l == nil || err != nil || position < 1 || position > int64(len(l.sums)) || l.sums[position-1] == 0 {
		b.report.add(BusForeign, tenant, position, "message %d on %s is of no event of the log", sequence, m.Subject())
		return nil
	}
	b.order(c, tenant, sequence, position, h.Get(headerRefill))
	c.seen[position-1] = true
	said := text{
		stream: h.Get(headerSubject), version: h.Get(headerVersion), kind: h.Get(headerType), typeVersion: h.Get(headerTypeVersion),
		recordedAt: h.Get(headerTime), customer: h.Get(headerCustomer), meta: h.Get(headerMeta), body: string(m.Data()),
	}
	if want := tenant + ":" + b.epoch + ":" + strconv.FormatInt(position, 10); h.Get(headerID) != want || h.Get(headerSource) != "/tenants/"+tenant || kind != said.kind {
		b.report.add(BusDiffers, tenant, position, "message %d on %s has the id %q and the source %q", sequence, m.Subject(), h.Get(headerID), h.Get(headerSource))
	}
	if sum(said) == l.sums[position-1] {
		return nil
	}
	return b.compare(ctx, tenant, position, sequence, said, h.Get(headerOmitted) != "")
}

// order checks a message against the one before it of its tenant.
func (b *busReader) order(c *carried, tenant string, sequence uint64, position int64, header string) {
	refill := 0
	if header != "" {
		var err error
		if refill, err = strconv.Atoi(header); err != nil {
			b.report.add(BusDiffers, tenant, position, "message %d has the refill %q", sequence, header)
		}
	}
	switch {
	case !c.any || refill > c.refill: // a filling begins where it was asked to
	case refill < c.refill:
		b.report.add(BusOrder, tenant, position, "message %d is of refill %d, after refill %d", sequence, refill, c.refill)
	case position != c.position+1:
		b.report.add(BusOrder, tenant, position, "message %d follows that of position %d, in refill %d", sequence, c.position, refill)
	}
	c.any, c.refill, c.position = true, refill, position
}

// compare names what is different in a message that is not the event.
func (b *busReader) compare(ctx context.Context, tenant string, position int64, sequence uint64, said text, omitted bool) error {
	events, err := b.Store.ReadLog(ctx, tenant, position-1, 1)
	if err != nil {
		return err
	}
	if len(events) == 0 {
		return fmt.Errorf("the log of %s has changed while it was looked at", tenant)
	}
	is := textOf(events[0])
	if omitted { // too large for the bus, and said so
		said.body = is.body
	}
	var different []string
	for _, part := range []struct{ name, said, is string }{
		{"stream", said.stream, is.stream}, {"version", said.version, is.version}, {"type", said.kind, is.kind},
		{"type version", said.typeVersion, is.typeVersion}, {"recorded at", said.recordedAt, is.recordedAt},
		{"customer", said.customer, is.customer}, {"envelope", said.meta, is.meta}, {"payload", said.body, is.body},
	} {
		if part.said != part.is {
			different = append(different, part.name)
		}
	}
	if len(different) > 0 {
		b.report.add(BusDiffers, tenant, position, "message %d has another %s", sequence, strings.Join(different, ", "))
	}
	return nil
}
