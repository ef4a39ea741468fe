package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
)

// Version is that of the API as its description names it.
const Version = "1.0.0"

// uuidText describes ids.
type uuidText struct{}

// Schema implements huma.SchemaProvider.
func (uuidText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "uuid"}
}

// description is how huma is to describe and to read JSON.
func description() huma.Config {
	schemas := huma.NewMapRegistry("#/components/schemas/", nameSchema)
	schemas.RegisterTypeAlias(reflect.TypeFor[uuid.UUID](), reflect.TypeFor[uuidText]())
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Customer center", Version: Version,
				Description: "Everyone a company has ever served. Errors are RFC 9457 problems with a stable `code`, in Chinese or English by `Accept-Language`. " +
					"Times are RFC 3339 in UTC, ids are UUIDs. Writes answer with `X-Log-Position`; reads take it as `X-After-Position` and wait for it up to 2 s. " +
					"`X-RateLimit-Limit`, `-Remaining` and `-Reset` say how much a token may still ask for; 429 comes with `Retry-After`.",
			},
			Components: &huma.Components{
				Schemas:         schemas,
				SecuritySchemes: map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer", Description: "A token made with POST /v1/tokens or by an operator."}},
			},
		},
		Formats:       map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat},
		DefaultFormat: "application/json",
		// A name that is mistyped, or not known yet, must not be taken for an answer to it.
		RejectUnknownQueryParameters: true,
	}
}

var jsonFormat = huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: json.Unmarshal}

// nameSchema names types by their own name, but pages by what is on them: every list has one.
func nameSchema(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	if name == "Page" {
		return "CustomerPage"
	}
	return name
}

// allowNull says which objects may be null: huma describes a pointer to a struct as if it were always there.
func allowNull(schemas huma.Registry) {
	for name, properties := range map[string][]string{
		"Session": {"agent", "rating", "web"}, "SessionWithMessages": {"agent", "rating", "web"}, "Everything": {"erasure", "customer"},
	} {
		for _, p := range properties {
			schema := schemas.Map()[name].Properties[p]
			schemas.Map()[name].Properties[p] = &huma.Schema{AnyOf: []*huma.Schema{schema, {Type: "null"}}}
		}
	}
}

// serveDescription serves the description for programs at /openapi.json and for people at /docs. Either is made when it is first asked for.
func (s *server) serveDescription(router chi.Router) {
	allowNull(s.api.OpenAPI().Components.Schemas)
	spec := sync.OnceValue(func() []byte {
		text, err := describe(s.api)
		if err != nil {
			panic(err) // a type that JSON cannot hold: a mistake in this package
		}
		return text
	})
	docs := sync.OnceValues(func() (page []byte, policy string) { return readable(s.api.OpenAPI()) })
	router.Get("/openapi.json", func(w http.ResponseWriter, r *http.Request) {
		requestOf(r.Context()).route = "GET /openapi.json"
		w.Header().Set("Content-Type", "application/vnd.oai.openapi+json")
		_, _ = w.Write(spec())
	})
	router.Get("/docs", func(w http.ResponseWriter, r *http.Request) {
		requestOf(r.Context()).route = "GET /docs"
		page, policy := docs()
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", policy)
		_, _ = w.Write(page)
	})
}

// describe is the description as JSON, indented, so that changes to it can be read.
func describe(api huma.API) ([]byte, error) {
	compact, err := json.Marshal(api.OpenAPI())
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, compact, "", "  "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// policyFor allows a page its one style sheet and nothing else.
func policyFor(style string) string {
	sum := sha256.Sum256([]byte(style))
	return strings.Join([]string{"default-src 'none'", "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'",
		"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"}, "; ")
}
