package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/api/ingest"
	"customercenter/commands"
	"customercenter/domain"
	"customercenter/eventstore"
	"customercenter/internal/locale"
	"customercenter/internal/sheet"
	"customercenter/projections"
	"customercenter/projections/asof"
	"customercenter/projections/projector"
)

// Codes that only the HTTP surface answers with. The others come with refusals.
const (
	codeUnauthenticated  = "UNAUTHENTICATED"
	codeForbidden        = commands.CodeForbidden
	codeMethodNotAllowed = "METHOD_NOT_ALLOWED"
	codeRateLimited      = "RATE_LIMITED"
	codeTooLarge         = "PAYLOAD_TOO_LARGE"
	codeMediaType        = "UNSUPPORTED_MEDIA_TYPE"
	codeBusy             = "BUSY"
	codeUnavailable      = "UNAVAILABLE"
	codeTimeout          = "TIMEOUT"
	codeInternal         = "INTERNAL"
	codeTenantExists     = "TENANT_EXISTS"
	codeRunning          = "ALREADY_RUNNING"
	codeNoBuild          = "BUILD_UNKNOWN"
	codeBuildBehind      = "BUILD_BEHIND"
	codeNotParked        = "NOT_PARKED"
	codeStillParked      = "STILL_PARKED"
	codeAllApplied       = "ALL_APPLIED"
	codeNoLetter         = "DEAD_LETTER_GONE"
	codeLetterCut        = "DEAD_LETTER_CUT"
	codeWhatIfGone       = "WHATIF_GONE"
	codeWhatIfTooLarge   = "WHATIF_TOO_LARGE" // more than the argument "max", in MiB
	codeAssociation      = ingest.CodeUnknownAssociation
	codeUnknownTenant    = ingest.CodeUnknownTenant
)

// Rules of VALIDATION as the HTTP surface calls them; most are those of package domain.
const (
	ruleUnknown    = domain.RuleUnknown
	ruleJSON       = domain.RuleJSON
	ruleEncoding   = domain.RuleEncoding
	ruleNUL        = "nul"
	ruleInvalid    = "invalid"
	ruleTime       = domain.RuleTime
	ruleUUID       = domain.RuleUUID
	ruleCursor     = "cursor"
	ruleOrder      = domain.RuleOrder
	ruleMoment     = "moment"
	ruleNotCome    = "not_come"
	ruleNotYet     = "not_yet"
	ruleNotLive    = "not_live"
	ruleAtMost     = "at_most"
	ruleEventType  = "event_type"
	rulePast       = "past"
	ruleTypeString = domain.RuleTypeString
	ruleTypeNumber = domain.RuleTypeNumber
	ruleTypeBool   = domain.RuleTypeBool
	ruleTypeArray  = domain.RuleTypeArray
	ruleTypeObject = domain.RuleTypeObject
)

// statuses are the HTTP statuses of codes. What is not here and is a refusal is the caller's request that does not fit the state
// of things: 409. <FIELD>_TOO_LONG, SHEET_… and HEADER_… are 422.
var statuses = map[string]int{
	domain.CodeValidation:           http.StatusUnprocessableEntity,
	domain.CodeIDInvalid:            http.StatusUnprocessableEntity,
	domain.CodeTagUnknown:           http.StatusUnprocessableEntity,
	domain.CodeGroupUnknown:         http.StatusUnprocessableEntity,
	domain.CodeChannelNotReached:    http.StatusUnprocessableEntity,
	domain.CodeOccurredInFuture:     http.StatusUnprocessableEntity,
	domain.CodeNotFound:             http.StatusNotFound,
	commands.CodeKeyReused:          http.StatusUnprocessableEntity,
	commands.CodePreconditionFailed: http.StatusPreconditionFailed,
	domain.CodeNotEntitled:          http.StatusForbidden,
	domain.CodeExportExpired:        http.StatusGone,
	domain.CodeFileGone:             http.StatusGone,
	string(sheet.TooLarge):          http.StatusRequestEntityTooLarge,
	codeAssociation:                 http.StatusUnprocessableEntity,
	ingest.CodeMalformed:            http.StatusUnprocessableEntity,
	ingest.CodeUnknownType:          http.StatusUnprocessableEntity,
	codeUnknownTenant:               http.StatusNotFound,
	codeWhatIfGone:                  http.StatusNotFound,
	codeUnauthenticated:             http.StatusUnauthorized,
	codeForbidden:                   http.StatusForbidden,
	codeMethodNotAllowed:            http.StatusMethodNotAllowed,
	codeRateLimited:                 http.StatusTooManyRequests,
	codeTooLarge:                    http.StatusRequestEntityTooLarge,
	codeMediaType:                   http.StatusUnsupportedMediaType,
	asof.CodeFailed:                 http.StatusInternalServerError,
	codeBusy:                        http.StatusServiceUnavailable,
	codeUnavailable:                 http.StatusServiceUnavailable,
	codeTimeout:                     http.StatusGatewayTimeout,
	codeInternal:                    http.StatusInternalServerError,
}

func statusOf(code string) int {
	if status, ok := statuses[code]; ok {
		return status
	}
	if strings.HasSuffix(code, "_TOO_LONG") || strings.HasPrefix(code, "SHEET_") || strings.HasPrefix(code, "HEADER_") {
		return http.StatusUnprocessableEntity
	}
	return http.StatusConflict
}

// Problem is what every error is answered with: RFC 9457, with a stable code.
type Problem struct {
	Status int          `json:"status" doc:"The HTTP status."`
	Code   string       `json:"code" doc:"What is wrong, for programs. It never changes."`
	Title  string       `json:"title" doc:"What is wrong in general, in the language asked for."`
	Detail string       `json:"detail" doc:"What is wrong this time, in the language asked for."`
	Errors []FieldError `json:"errors,omitempty" doc:"The fields that are wrong."`
	UsedBy []User       `json:"used_by,omitempty" doc:"With FIELD_IN_USE, TAG_IN_USE and GROUP_IN_USE: what uses it."`

	header http.Header
}

// FieldError is what is wrong with one field.
type FieldError struct {
	Location string `json:"location" doc:"The field: a path in the body such as profile.email, or query.limit, header.If-Match, filter.all[0].op."`
	Code     string `json:"code"`
	Rule     string `json:"rule,omitempty" doc:"The rule that is broken, with the code VALIDATION."`
	Detail   string `json:"detail"`
}

// User is something that uses what therefore cannot go away.
type User struct {
	Kind string    `json:"kind" enum:"group,view,auto_message"`
	ID   uuid.UUID `json:"id" format:"uuid"`
	Name string    `json:"name"`
}

// usersOf are what the argument "uses" of a refusal names; of a refusal that was kept in a receipt it is plain JSON.
func usersOf(args map[string]any) []User {
	uses, named := args["uses"]
	if !named {
		return nil
	}
	var users []User
	text, err := json.Marshal(uses)
	if err == nil {
		err = json.Unmarshal(text, &users)
	}
	if err != nil {
		slog.Error("api: what uses it cannot be told", "error", err)
	}
	return users
}

// Error implements error.
func (p *Problem) Error() string { return "api: " + p.Code }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders implements huma.HeadersError.
func (p *Problem) GetHeaders() http.Header { return p.header }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// newProblem puts a code into words.
func newProblem(l locale.Language, code, location string, args map[string]any) *Problem {
	p := &Problem{Status: statusOf(code), Code: code, Title: locale.Title(l, code), Detail: locale.Detail(l, code, location, args)}
	if location != "" {
		rule, _ := args["rule"].(string)
		p.Errors = []FieldError{{Location: location, Code: code, Rule: rule, Detail: p.Detail}}
	}
	p.UsedBy = usersOf(args)
	switch p.Status {
	case http.StatusUnauthorized:
		p.set("WWW-Authenticate", "Bearer")
	case http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		p.set("Retry-After", "1")
	}
	return p
}

func (p *Problem) set(name, value string) {
	if p.header == nil {
		p.header = http.Header{}
	}
	p.header.Set(name, value)
}

// problemOf says which problem an error is, for the request of this context. What is not the caller's doing is logged here.
func problemOf(ctx context.Context, err error) *Problem {
	request := requestOf(ctx)
	var refusal *domain.Refusal
	var ready *Problem
	switch {
	case errors.As(err, &ready):
		return ready
	case errors.As(err, &refusal):
		if refusal.Code == domain.CodeNotEntitled && request.who.Tenant != "" { // to tell whoever is to grant it
			refusal = domain.Refuse(refusal.Code).With("entitlement", refusal.Args["entitlement"]).With("tenant", request.who.Tenant)
		}
		return newProblem(request.language, refusal.Code, refusal.Location, refusal.Args)
	case errors.Is(err, projections.ErrCursor):
		return newProblem(request.language, domain.CodeValidation, "query.cursor", map[string]any{"rule": ruleCursor})
	case errors.Is(err, access.ErrReused):
		return newProblem(request.language, commands.CodeKeyReused, "", nil)
	case errors.Is(err, access.ErrNotFound), errors.Is(err, projections.ErrNotFound):
		return newProblem(request.language, domain.CodeNotFound, "", nil)
	case errors.Is(err, commands.ErrBusy):
		return newProblem(request.language, codeBusy, "", nil)
	}
	code := codeInternal
	switch {
	case errors.Is(err, eventstore.ErrUnavailable) && ctx.Err() == nil: // whoever gave up was not the request
		code = codeUnavailable
	case errors.Is(err, context.DeadlineExceeded):
		code = codeTimeout
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return newProblem(request.language, codeTimeout, "", nil) // the caller is gone: nobody reads it, nothing is wrong here
	case errors.Is(err, eventstore.ErrUnavailable), errors.Is(err, eventstore.ErrClocks), errors.Is(err, projector.ErrNotBuilt), access.Unavailable(err):
		code = codeUnavailable
	}
	attributes := []any{"request", request.id, "route", request.route, "code", code}
	if sqlstate, ok := access.Database(err); ok {
		attributes = append(attributes, "sqlstate", sqlstate) // the message may quote a value
	} else {
		attributes = append(attributes, "error", err)
	}
	request.log.ErrorContext(ctx, "api: a request failed", attributes...)
	return newProblem(request.language, code, "", nil)
}

// invalid is a refusal of one value of the request.
func invalid(location, rule string) *domain.Refusal { return domain.Invalid(location, rule) }

// writeProblem answers with a problem outside of huma.
func writeProblem(w http.ResponseWriter, p *Problem) {
	for name, values := range p.header {
		w.Header()[name] = values
	}
	body, err := marshal(p)
	if err != nil {
		slog.Error("api: a problem cannot be written", "error", err)
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // a caller who is gone needs no answer
}

func init() {
	// huma makes its own errors by this variable. Each is a value of the request that does not fit its description.
	huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
		return invalidRequest(requestOf(ctx.Context()).language, status, errs)
	}
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return invalidRequest(locale.English, status, errs)
	}
}
