package eventstore

import (
	"bytes"
	"context"
	"encoding/json"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// TraceParent is a place in a trace as the W3C writes it; empty if nobody looks at the trace.
func TraceParent(at trace.SpanContext) string {
	if !at.IsSampled() {
		return ""
	}
	return "00-" + at.TraceID().String() + "-" + at.SpanID().String() + "-" + at.TraceFlags().String()
}

// InTrace returns a context at a place in a trace, see Meta.Trace, so that what follows is told as following from that. Nonsense leaves the context as it is.
func InTrace(ctx context.Context, traceparent string) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent})
}

// traceMember begins Meta.Trace in an envelope. Inside a JSON string the quotes would be escaped, so the sequence cannot come from a value.
const traceMember = `"trace":"`

// TraceOf is Meta.Trace of an envelope as it is stored, without parsing the rest.
func TraceOf(meta json.RawMessage) string {
	_, value, found := bytes.Cut(meta, []byte(traceMember))
	end := bytes.IndexByte(value, '"')
	if !found || end < 0 {
		return ""
	}
	return string(value[:end])
}

// appendTraced is append, told in the trace that the context is in.
func (s *Store) appendTraced(ctx context.Context, tracer trace.Tracer, a Append) (Result, error) {
	ctx, span := tracer.Start(ctx, "append", trace.WithAttributes(attribute.String("customercenter.tenant", a.Tenant)))
	defer span.End()
	result, err := s.append(ctx, a)
	if err != nil {
		span.SetStatus(codes.Error, "") // what is wrong is told to the caller; it may be a stream's name
		return result, err
	}
	span.SetAttributes(attribute.Int64("customercenter.position.first", result.First), attribute.Int64("customercenter.position.last", result.Last))
	return result, nil
}
