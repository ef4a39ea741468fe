package ingest

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"customercenter/eventstore"
)

// traced begins the span of a try to carry out an event, in the trace that the channel says it is in; tell ends it. What the event holds is not told.
func (c *Consumer) traced(ctx context.Context, a Arrival) (_ context.Context, tell func(Outcome, error)) {
	if c.config.Tracer == nil {
		return ctx, func(Outcome, error) {}
	}
	ctx, span := c.config.Tracer.Start(eventstore.InTrace(ctx, a.Trace), "channel event", trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.String("messaging.system", "nats"), attribute.String("customercenter.tenant", a.Tenant), attribute.Int("customercenter.association", a.Association)))
	return ctx, func(outcome Outcome, err error) {
		span.SetAttributes(attribute.String("customercenter.outcome", string(outcome.Status)), attribute.String("customercenter.code", outcome.Code))
		if err != nil {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}
