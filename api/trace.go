package api

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// traced begins the span of a request, in the trace that its caller says it is in. Nobody looks at those of operators' tools.
func (s *server) traced(r *http.Request) (context.Context, trace.Span) {
	switch {
	case s.Tracer == nil, r.URL.Path == "/livez", r.URL.Path == "/readyz", r.URL.Path == "/metrics":
		return r.Context(), nil
	}
	from := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	return s.Tracer.Start(from, "request", trace.WithSpanKind(trace.SpanKindServer))
}

// tell ends it. Neither the address nor the query is told, nor the id of the request, which the caller may have made of anything.
func tell(span trace.Span, r *http.Request, about *request, out *answer) {
	if span == nil {
		return
	}
	span.SetName(about.route)
	span.SetAttributes(attribute.String("http.request.method", knownMethod(r.Method)), attribute.String("http.route", about.route),
		attribute.Int("http.response.status_code", out.status), attribute.String("customercenter.tenant", about.who.Tenant))
	if out.status >= 500 {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}
