package projector

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"customercenter/eventstore"
)

// told tells of the events of a stretch that are in traces: from when the stretch began to be folded until its rows were committed, and so can be seen.
func (w *worker) told(ctx context.Context, f *feeding, s stretch, began time.Time) {
	if w.p.config.Tracer == nil {
		return
	}
	for i := range s.events {
		e := &s.events[i]
		if e.Envelope.Trace == "" {
			continue
		}
		_, parked := f.parked[e.Customer]
		_, span := w.p.config.Tracer.Start(eventstore.InTrace(ctx, e.Envelope.Trace), "project "+w.def.Name, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithTimestamp(began), trace.WithAttributes(
			attribute.String("customercenter.tenant", f.tenant), attribute.Int64("customercenter.position", e.Position), attribute.String("customercenter.type", e.Type),
			attribute.Int64("customercenter.build", f.build.ID), attribute.Int("customercenter.stretch", len(s.events)), attribute.Bool("customercenter.parked", parked)))
		span.End()
	}
}
