package relay

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"customercenter/eventstore"
)

// traced is a span of an event that is sent and not known to be stored.
type traced struct {
	sequence uint64
	span     trace.Span
}

// begin begins the span of an event that is in a trace, and returns where in the trace its message is; empty if it is in none, or nobody looks.
func (p *publisher) begin(ctx context.Context, t *tenant, e *eventstore.Event, sequence uint64) string {
	if p.tracer == nil {
		return ""
	}
	parent := eventstore.TraceOf(e.Meta)
	if parent == "" {
		return ""
	}
	_, span := p.tracer.Start(eventstore.InTrace(ctx, parent), "relay", trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
		attribute.String("messaging.system", "nats"), attribute.String("customercenter.tenant", t.slug),
		attribute.Int64("customercenter.position", e.Position), attribute.String("customercenter.type", e.Type)))
	p.mu.Lock()
	p.traced = append(p.traced, traced{sequence, span})
	p.mu.Unlock()
	return eventstore.TraceParent(span.SpanContext())
}

// end ends the spans up to a sequence, under the lock: their events are in the stream.
func (p *publisher) end(sequence uint64) {
	for len(p.traced) > 0 && p.traced[0].sequence <= sequence {
		p.traced[0].span.End()
		p.traced = p.traced[1:]
	}
}

// giveUp ends the spans of events of which it will not be known whether they are stored; the next session looks, and sends them again if not.
func (p *publisher) giveUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.traced {
		t.span.SetStatus(codes.Error, "")
		t.span.End()
	}
	p.traced = nil
}
