package api

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/commands"
	"customercenter/domain"
	"customercenter/eventstore"
	"customercenter/internal/locale"
)

// request is what the server knows of one request. It is made when the request arrives and filled on its way to the operation, all by
// one goroutine.
type request struct {
	id       string // given by the caller or made here; correlates everything that follows
	language locale.Language
	log      *slog.Logger
	who      access.Principal
	// scope is how far the caller gets with this operation: everything of the tenant, or only what is the caller's own.
	scope access.Scope
	route string // method and pattern, for example "GET /v1/customers/{id}"
	path  string // as asked for, without the query
	body  []byte // of a write; of an upload a hash of it
	// turn is when the request is worked on.
	turn   turn
	bounds *bounds
	// upload is the file that came with the request, until it is answered; nil if the operation takes none.
	upload *upload
}

type requestKey struct{}

// requestOf returns the request of a context; an empty one if there is none, so that words can be found at any time.
func requestOf(ctx context.Context) *request {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r
	}
	return &request{log: slog.Default(), bounds: &bounds{}}
}

// newRequest reads what every answer needs from the headers.
func newRequest(r *http.Request, log *slog.Logger) *request {
	id := r.Header.Get("X-Request-Id")
	if !visible(id, 128) {
		id = uuid.Must(uuid.NewV7()).String()
	}
	return &request{id: id, language: locale.Parse(r.Header.Get("Accept-Language")), log: log, path: r.URL.EscapedPath()}
}

// visible reports whether s is 1 to max visible ASCII characters.
func visible(s string, max int) bool {
	if s == "" || len(s) > max {
		return false
	}
	for _, c := range []byte(s) {
		if c < '!' || c > '~' {
			return false
		}
	}
	return true
}

// keepAnswers is how long the answer to a write with a key is kept.
const keepAnswers = 72 * time.Hour

// by says on whose behalf a command runs. key is the request's Idempotency-Key, empty if it has none.
func (r *request) by(key string) commands.By {
	by := commands.By{Tenant: r.who.Tenant, Actor: eventstore.Actor{Kind: r.who.Kind, ID: r.who.ID}, Correlation: r.id}
	if key != "" {
		by.Once = &commands.Once{Route: r.route, Key: key, Body: r.hash(), Keep: keepAnswers}
	}
	return by
}

// once is by for what is in no log. It is nil without a key.
func (r *request) once(key string) *access.Once {
	if key == "" {
		return nil
	}
	return &access.Once{Tenant: r.who.Tenant, Actor: r.who.Kind + "/" + r.who.ID, Route: r.route, Key: key, Body: r.hash(), Keep: keepAnswers}
}

// hash tells this request from another one under the same key: by its address and body.
func (r *request) hash() []byte {
	h := sha256.New()
	h.Write([]byte(r.path))
	h.Write([]byte{0})
	h.Write(r.body)
	return h.Sum(nil)
}

// Write is the header that every write takes.
type Write struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" pattern:"^[!-~]+$" doc:"The request's own id, up to 255 visible ASCII characters. The same key with the same request gets the first answer again, for 72 hours, a refusal too."`
}

// Match is the header that edits take.
type Match struct {
	IfMatch string `header:"If-Match" maxLength:"64" doc:"The ETag that was read. If the entity has changed since, the edit is refused with 412."`
}

// version is the version that the caller has seen; 0 for any.
func (m Match) version() (int64, error) {
	tag := strings.TrimSpace(m.IfMatch)
	if tag == "" || tag == "*" {
		return 0, nil
	}
	version, ok := parseETag(tag)
	if !ok { // a tag that was never given cannot match
		return 0, domain.Refuse(commands.CodePreconditionFailed).At("header.If-Match")
	}
	return version, nil
}

// Written is the header that every write answers with.
type Written struct {
	LogPosition int64 `header:"X-Log-Position" doc:"The log's position that includes the write. Give it to a read as X-After-Position."`
}

// After is what every read takes that may lag behind the log.
type After struct {
	AfterHeader int64 `header:"X-After-Position" minimum:"0" doc:"Wait up to 2 s until this position of the log can be seen."`
	AfterQuery  int64 `query:"after_position" minimum:"0" doc:"The same as X-After-Position."`
}

func (a After) position() int64 { return max(a.AfterHeader, a.AfterQuery) }

// Served is what every read answers with that may lag behind the log.
type Served struct {
	LogPosition int64  `header:"X-Log-Position" doc:"The position of the log up to which the answer is complete."`
	Stale       string `header:"X-Stale" enum:"true" doc:"Set if the position asked for was not reached in time."`
}
