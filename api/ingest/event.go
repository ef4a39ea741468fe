package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"mime"
	"reflect"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/text"
)

// Bounds of an event.
const (
	// MaxBytes is how large an event may be.
	MaxBytes = 1 << 20
	// MaxID is how long the id and the source of an event may be, in characters each.
	MaxID = 256
)

// Codes of refusals that only channel events meet. Locations are paths in the event: "data.message.text".
const (
	// CodeTooLarge says that the event has more than MaxBytes bytes.
	CodeTooLarge = "PAYLOAD_TOO_LARGE"
	// CodeMalformed says that the event is not a JSON object.
	CodeMalformed = "MALFORMED"
	// CodeUnknownType says that there is no channel event of this type.
	CodeUnknownType = "UNKNOWN_TYPE"
	// CodeUnknownAssociation says that the event came in for an association that the tenant never had.
	CodeUnknownAssociation = "ASSOCIATION_UNKNOWN"
	// CodeUnknownTenant says that the event came in for a tenant that does not exist.
	CodeUnknownTenant = "UNKNOWN_TENANT"
)

// Rules that a refusal with domain.CodeValidation names here, besides those of the domain.
const (
	ruleEncoding = "encoding" // not UTF-8, or half of a surrogate pair
	ruleNUL      = "nul"      // the character NUL, which the database cannot hold
	ruleTime     = "time"     // not RFC 3339
	ruleUUID     = "uuid"     // not the text of a UUID
)

// Event is a channel event that is well formed. Whether it can be carried out is for the commands to say.
type Event struct {
	ID     string
	Source string
	Type   string
	Time   time.Time // when it happened; zero if the channel did not say
	data   payload
}

// oldest is the earliest time an event may name. What claims to be older has lost its clock.
var oldest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// envelope is a CloudEvent in structured JSON. Attributes that are not listed are ignored.
type envelope struct {
	SpecVersion     *string         `json:"specversion"`
	ID              *string         `json:"id"`
	Source          *string         `json:"source"`
	Type            *string         `json:"type"`
	Time            *string         `json:"time"`
	Subject         *string         `json:"subject"`
	DataContentType *string         `json:"datacontenttype"`
	Data            json.RawMessage `json:"data"`
	DataBase64      json.RawMessage `json:"data_base64"`
}

// Parse reads one CloudEvent in structured JSON. Members it does not know are ignored.
//
// The error is a *domain.Refusal with CodeTooLarge, CodeMalformed, CodeUnknownType or domain.CodeValidation. The event is returned
// with it as far as it could be read, so that an answer can name its id; it must not be handled.
func Parse(body []byte) (Event, error) {
	if len(body) > MaxBytes {
		return Event{}, domain.Refuse(CodeTooLarge).With("max", MaxBytes)
	}
	if refusal := checkText(body); refusal != nil {
		return Event{}, refusal
	}
	var e envelope
	if err := decode(body, &e, ""); err != nil {
		return Event{}, err
	}
	event := Event{ID: value(e.ID), Source: value(e.Source), Type: value(e.Type)}
	return event, event.complete(e)
}

// complete checks the attributes and reads the data.
func (ev *Event) complete(e envelope) error {
	if value(e.SpecVersion) != "1.0" {
		if e.SpecVersion == nil {
			return domain.Invalid("specversion", domain.RuleRequired)
		}
		return domain.Invalid("specversion", domain.RuleOneOf)
	}
	for _, a := range []struct{ name, value string }{{"id", ev.ID}, {"source", ev.Source}, {"type", ev.Type}} {
		if err := checkAttribute(a.name, a.value); err != nil {
			return err
		}
	}
	if e.Time != nil {
		at, err := time.Parse(time.RFC3339Nano, *e.Time)
		if err != nil {
			return domain.Invalid("time", ruleTime)
		}
		if ev.Time = at.UTC(); ev.Time.Before(oldest) {
			return domain.Invalid("time", domain.RuleRange).With("min", oldest.Format(time.RFC3339)).With("max", "now")
		}
	}
	if e.DataBase64 != nil {
		return domain.Invalid("data_base64", domain.RuleFormat) // what we take is JSON
	}
	if kind := value(e.DataContentType); kind != "" && !isJSON(kind) {
		return domain.Invalid("datacontenttype", domain.RuleOneOf)
	}
	read := payloads[ev.Type]
	if read == nil {
		return domain.Refuse(CodeUnknownType).At("type")
	}
	if len(e.Data) == 0 || bytes.Equal(e.Data, []byte("null")) {
		return domain.Invalid("data", domain.RuleRequired)
	}
	var err error
	ev.data, err = read(e.Data, sessionNamedBy(value(e.Subject)))
	return err
}

// checkAttribute refuses an empty or overlong attribute, and one that people could not read in a list of events.
func checkAttribute(name, value string) error {
	switch {
	case value == "":
		return domain.Invalid(name, domain.RuleRequired)
	case text.Length(value) > MaxID:
		return domain.TooLong(name, MaxID)
	case strings.IndexFunc(value, unicode.IsControl) >= 0:
		return domain.Invalid(name, domain.RuleCharacters)
	}
	return nil
}

// sessionNamedBy returns the session that the subject of an event names: its id, or the name of its stream.
func sessionNamedBy(subject string) uuid.UUID {
	if rest, found := strings.CutPrefix(subject, "session-"); found {
		subject = rest
	}
	if len(subject) != 36 {
		return uuid.Nil
	}
	id, err := uuid.Parse(subject)
	if err != nil {
		return uuid.Nil
	}
	return id
}

func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// decode reads a JSON object that lies at a place of the event. The refusal names the place of what is wrong, never a value.
func decode(data []byte, into any, at string) error {
	err := json.Unmarshal(data, into)
	if err == nil {
		return nil
	}
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return domain.Refuse(CodeMalformed).At(at)
	}
	if at == "" && wrong.Field == "" {
		return domain.Refuse(CodeMalformed) // JSON, but no object
	}
	field := strings.TrimPrefix(wrong.Field, "target.") // the name of an embedded struct of ours, not of a member
	return domain.Invalid(join(at, field), typeRule(wrong.Type))
}

func join(at, field string) string {
	if at == "" || field == "" {
		return at + field
	}
	return at + "." + field
}

// typeRule names the type that was expected.
func typeRule(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String:
		return "type_string"
	case reflect.Int:
		return "type_number"
	case reflect.Slice:
		return "type_array"
	default:
		return "type_object"
	}
}

// Split takes a batch, a JSON array of CloudEvents, apart. Each is the very bytes of the batch. The error is a *domain.Refusal with CodeMalformed.
func Split(batch []byte) ([][]byte, error) {
	var raw []json.RawMessage
	// Text that is not UTF-8 must be found per event, by Parse, and json would mend it only in strings it decodes.
	if err := json.Unmarshal(batch, &raw); err != nil || raw == nil {
		return nil, domain.Refuse(CodeMalformed)
	}
	events := make([][]byte, len(raw))
	for i, r := range raw {
		events[i] = r
	}
	return events, nil
}
