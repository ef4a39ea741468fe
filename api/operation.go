package api

import (
	"context"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// uploads marks an operation that takes a file, with the most bytes that it may have.
const uploads = "uploads"

// streams marks an operation whose answer has no end that could be bounded.
const streams = "streams"

// operation describes one operation to register.
type operation struct {
	id      string // see package access for who may call it
	method  string
	path    string
	summary string
	notes   string // more, for the description
	status  int    // of success; 0: 200, or 204 without a body
	tag     string // heading in the description
	errors  []int  // besides those that any operation may answer with
	stream  bool
	// prepares says that the answer may be 202 with a PastJob first, see asOf.
	prepares bool
	upload   int64 // bytes of the file that it takes, as multipart/form-data; 0: none
	// produces and schema describe an answer that is not made by huma.
	produces string
	schema   any
}

// register adds an operation. Whatever error it returns is answered as a problem.
func register[I, O any](s *server, o operation, handle func(context.Context, *request, *I) (*O, error)) {
	op := huma.Operation{
		OperationID: o.id, Method: o.method, Path: o.path, Summary: o.summary, Description: o.notes, DefaultStatus: o.status,
		Tags: []string{o.tag},
		// The body has been read and bounded when huma sees it.
		MaxBodyBytes: -1, BodyReadTimeout: -1,
		Errors:   append([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable}, o.errors...),
		Security: []map[string][]string{{"token": {}}},
	}
	if !strings.HasPrefix(o.path, "/v1/") { // open to all
		op.Security, op.Errors = nil, o.errors
	}
	if strings.Contains(o.path, "{") {
		op.Errors = append(op.Errors, http.StatusNotFound)
	}
	if o.method != http.MethodGet {
		op.Errors = append(op.Errors, http.StatusRequestEntityTooLarge)
	}
	if o.stream {
		op.Metadata = map[string]any{streams: true}
	}
	if o.upload > 0 {
		op.Metadata = map[string]any{streams: true, uploads: o.upload} // how long it takes depends on the file
	}
	if o.produces != "" {
		media := &huma.MediaType{}
		if o.schema != nil {
			media.Schema = s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(o.schema), true, "")
		}
		op.Responses = map[string]*huma.Response{"200": {Description: http.StatusText(http.StatusOK), Content: map[string]*huma.MediaType{o.produces: media}}}
	}
	if o.prepares {
		media := &huma.MediaType{Schema: s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[PastJob](), true, "")}
		op.Responses = map[string]*huma.Response{"202": {Description: "Read models as of that moment are being built; Location tells where to look.",
			Content: map[string]*huma.MediaType{"application/json": media}}}
	}
	huma.Register(s.api, op, func(ctx context.Context, in *I) (*O, error) {
		about := requestOf(ctx)
		defer about.turn.give() // who takes the answer slowly holds up nobody
		out, err := handle(ctx, about, in)
		if later, ok := err.(*preparing); ok {
			return nil, later
		}
		if err != nil {
			return nil, problemOf(ctx, err)
		}
		return out, nil
	})
	if o.upload > 0 { // said afterwards, so that huma, which finds no body any more, does not miss it
		s.api.OpenAPI().Paths[o.path].Post.RequestBody = uploadBody()
	}
}
