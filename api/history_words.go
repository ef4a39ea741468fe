package api

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/bulk"
	"customercenter/domain/customer"
	"customercenter/domain/field"
	"customercenter/domain/imports"
	"customercenter/domain/session"
	"customercenter/eventstore"
	"customercenter/internal/locale"
)

// narrator tells events in the words of one reader: language, zone, names of catalogues, and what the reader may see.
type narrator struct {
	language locale.Language
	zone     *time.Location
	personal bool // the reader may see personal data
	tags     map[uuid.UUID]string
	groups   map[uuid.UUID]string // in histories of groups
	// autoMessages are the names of all there ever were.
	autoMessages map[uuid.UUID]string
	// associations are the names by id.
	associations map[int]string
	fields       field.State
}

// told is one event as it is told.
type told struct {
	narrator  *narrator
	event     *eventstore.Decoded
	aggregate string
}

func (n *narrator) of(e *eventstore.Decoded) told {
	aggregate, _, _ := strings.Cut(e.Type, ".")
	return told{narrator: n, event: e, aggregate: aggregate}
}

// text is the event as a sentence.
func (t told) text() string {
	payload := reflect.ValueOf(t.event.Payload)
	return locale.Sentence(t.narrator.language, t.event.Type, func(name string) string {
		for i, f := range reflect.VisibleFields(payload.Type()) {
			if stored, _, _ := strings.Cut(f.Tag.Get("json"), ","); stored == name {
				return t.value(name, payload.Field(i).Interface(), f.Tag.Get("personal") == "true")
			}
		}
		return "?"
	})
}

// written are values that people wrote about many, or about a program: sealed for nobody, and yet maybe about somebody.
var written = []string{"reason", "file_name"}

// value tells a value of the event, whatever it is: "not set" too.
func (t told) value(name string, v any, personal bool) string {
	if personal && t.event.Erased {
		return t.phrase("erased")
	}
	words := t.words(name, v)
	switch {
	case words == "":
		return t.phrase(absent(name))
	case (personal || slices.Contains(written, name)) && !t.narrator.personal && name != "fields": // of changed fields their names are told
		return mask
	}
	return words
}

// absent is what is said where there is no value.
func absent(name string) string {
	switch name {
	case "expires_at":
		return "no_end"
	case "code": // of a file that was deleted; whatever fails or is withheld has one
		return "time_over"
	case "last_customer_message_at":
		return "never"
	case "from", "agent":
		return "unknown"
	}
	return "none"
}

func (t told) phrase(name string, pairs ...string) string {
	return locale.Phrase(t.narrator.language, name, pairs...)
}

func (t told) word(kind, value string) string {
	return locale.Word(t.narrator.language, kind, value)
}

// kinds are what the words of an event's values are filed under, by the value's name; causes are filed by aggregate.
var kinds = map[string]string{
	"channel": "channel", "via": "via", "initiator": "party", "by": "party", "kind": "message", "day": "day", "entitlement": "entitlement",
	"customer_center": "access", "blacklist": "access", "callback": "bool", "aborted": "bool", "late": "bool", "removed": "bool", "agent_visible": "bool",
	"type": "field_type", "format": "format", "language": "language", "action": "action", "dry_run": "bool", "create_tags": "bool",
	"projection": "read_model", "customer.cause": "removal", "session.cause": "end", "auto_message.code": "withheld",
}

// words tells a value; empty if it is not set.
func (t told) words(name string, v any) string {
	kind := kinds[name]
	if kind == "" {
		kind = kinds[t.aggregate+"."+name]
	}
	switch v := v.(type) {
	case string:
		if v == "" && name == "text" {
			return t.attachment()
		}
		if name == "field" {
			return t.field(v)
		}
		if v != "" && kind == "" && name == "code" {
			return locale.Title(t.narrator.language, v)
		}
		if v == "" || kind == "" {
			return v
		}
		return t.word(kind, v)
	case bulk.Action:
		return t.word(kind, string(v))
	case bool:
		return t.word(kind, fmt.Sprint(v))
	case int:
		if name == "association" {
			return t.association(v)
		}
		return fmt.Sprint(v)
	case uuid.UUID:
		switch {
		case v == uuid.Nil:
			return ""
		case name == "tag":
			return t.tag(v)
		case name == "group":
			return t.group(v)
		case name == "auto_message":
			if name, known := t.narrator.autoMessages[v]; known {
				return name
			}
		}
		return v.String()
	case []uuid.UUID:
		var names []string
		for _, id := range v {
			names = append(names, t.tag(id))
		}
		return strings.Join(names, t.phrase("comma"))
	case []int64:
		var positions []string
		for _, at := range v {
			positions = append(positions, fmt.Sprint(at))
		}
		return strings.Join(positions, t.phrase("comma"))
	case []imports.Created:
		return fmt.Sprint(len(v))
	case []imports.Refused:
		return fmt.Sprint(len(v))
	case []bulk.Change:
		return fmt.Sprint(len(v))
	case []bulk.Refused:
		return fmt.Sprint(len(v))
	case []field.Option:
		return t.options(v)
	case []string:
		if name == "order" {
			labels := make([]string, len(v))
			for i, key := range v {
				labels[i] = t.field(key)
			}
			v = labels
		}
		return strings.Join(v, t.phrase("comma"))
	case time.Time:
		return v.In(t.narrator.zone).Format("2006-01-02 15:04:05")
	case *time.Time:
		if v == nil {
			return ""
		}
		return t.words(name, *v)
	case session.Sender:
		return t.sender(v)
	case customer.Profile:
		return t.list(profileChanges(v))
	case map[string]customer.Change:
		return t.list(v)
	}
	return fmt.Sprint(v)
}

func (t told) tag(id uuid.UUID) string {
	if name, known := t.narrator.tags[id]; known {
		return name
	}
	return id.String()
}

func (t told) association(id int) string {
	if name, known := t.narrator.associations[id]; known {
		return fmt.Sprintf("%s (%d)", name, id)
	}
	return fmt.Sprint(id)
}

// sender tells who wrote a message. A customer's id is personal, and the customer is known from the page.
func (t told) sender(s session.Sender) string {
	word := t.word("party", s.Kind)
	if s.ID == "" || s.Kind == "customer" {
		return word
	}
	return word + " " + s.ID
}

// attachment tells a message without text by the name or the address of its file.
func (t told) attachment() string {
	var file, address string
	payload := reflect.ValueOf(t.event.Payload)
	if f := payload.FieldByName("Name"); f.IsValid() {
		file = f.String()
	}
	if f := payload.FieldByName("URL"); f.IsValid() {
		address = f.String()
	}
	if file == "" {
		file = address
	}
	if file == "" {
		return ""
	}
	return t.phrase("attachment", "name", file)
}

// list tells changed fields one after the other.
func (t told) list(fields map[string]customer.Change) string {
	var parts []string
	for _, c := range t.fieldChanges(fields) {
		old, now := t.phrase("none"), t.phrase("none")
		if c.Old != nil {
			old = *c.Old
		}
		if c.New != nil {
			now = *c.New
		}
		parts = append(parts, c.Label+t.phrase("colon")+t.phrase("arrow", "old", old, "new", now))
	}
	return strings.Join(parts, t.phrase("separator"))
}

// profileChanges is a profile as the change from one without anything.
func profileChanges(p customer.Profile) map[string]customer.Change {
	changes := map[string]customer.Change{}
	for _, f := range customer.Fields() {
		if v := p.Value(f.Key); v != "" {
			changes[f.Key] = customer.Change{New: v}
		}
	}
	for key, v := range p.Custom {
		changes[customer.CustomPrefix+key] = customer.Change{New: v}
	}
	return changes
}

// fieldChanges tells the changes of a profile's fields, in the order in which people see the fields.
func (t told) fieldChanges(fields map[string]customer.Change) []HistoryChange {
	var keys []string
	for _, f := range customer.Fields() {
		if _, changed := fields[f.Key]; changed {
			keys = append(keys, f.Key)
		}
	}
	var others []string
	for key := range fields {
		if !slices.Contains(keys, key) {
			others = append(others, key)
		}
	}
	slices.Sort(others)
	changes := []HistoryChange{}
	for _, key := range append(keys, others...) {
		changes = append(changes, t.profileChange(key, fields[key]))
	}
	return changes
}

// fieldText is the value of a field as text; empty if it is not set.
func fieldText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}

// personal is a change of what not everybody may see.
func (t told) personal(field, old, now string) HistoryChange {
	if !t.narrator.personal {
		old, now = masked(old), masked(now)
	}
	return t.change(field, old, now)
}

// change is a change in words; empty is not set.
func (t told) change(field, old, now string) HistoryChange {
	c := HistoryChange{Field: field, Label: locale.Label(t.narrator.language, t.aggregate, field)}
	if old != "" {
		c.Old = &old
	}
	if now != "" {
		c.New = &now
	}
	return c
}

// changes are what the event changed of what the customer or the session is. Of what an event of a catalogue changed, see
// catalogueHistory.
func (t told) changes() []HistoryChange {
	if t.event.Erased {
		return []HistoryChange{}
	}
	switch e := t.event.Payload.(type) {
	case customer.Created:
		changes := append([]HistoryChange{t.personal("external_id", "", e.ExternalID)}, t.fieldChanges(profileChanges(e.Profile))...)
		if len(e.Tags) > 0 {
			changes = append(changes, t.change("tags", "", t.words("tags", e.Tags)))
		}
		return changes
	case customer.ProfileChanged:
		return t.fieldChanges(e.Fields)
	case customer.Tagged:
		return []HistoryChange{t.change("tags", "", t.tag(e.Tag))}
	case customer.Untagged:
		return []HistoryChange{t.change("tags", t.tag(e.Tag), "")}
	case customer.Blacklisted:
		return []HistoryChange{t.change("blacklisted", t.word("bool", "false"), t.word("bool", "true")), t.personal("reason", "", e.Reason),
			t.change("expires_at", "", t.words("expires_at", e.ExpiresAt))}
	case customer.Unblacklisted:
		return []HistoryChange{t.change("blacklisted", t.word("bool", "true"), t.word("bool", "false"))}
	case session.Accepted:
		return []HistoryChange{t.change("agent", "", e.Agent)}
	case session.Transferred:
		return []HistoryChange{t.change("agent", e.From, e.To)}
	}
	return []HistoryChange{}
}

// source tells from where an event came.
func (t told) source() HistorySource {
	s := HistorySource{Kind: "request", ID: t.event.Envelope.Correlation}
	switch t.event.Envelope.Actor.Kind {
	case "policy":
		s = HistorySource{Kind: "policy", ID: t.event.Envelope.Cause}
	case "channel":
		s = HistorySource{Kind: "channel_event", ID: t.event.Envelope.Cause}
	}
	if s.ID != "" {
		s.Text = t.phrase("from."+s.Kind, "id", s.ID)
	}
	return s
}

// item is the event as a line of a history.
func (t told) item(changes []HistoryChange) HistoryItem {
	e := t.event
	item := HistoryItem{
		Position: e.Position, Type: e.Type, At: e.RecordedAt, OccurredAt: e.Envelope.OccurredAt,
		Actor: HistoryActor{Kind: e.Envelope.Actor.Kind, ID: e.Envelope.Actor.ID, Label: t.word("role", e.Envelope.Actor.Kind)},
		From:  t.source(), Text: t.text(), Changes: changes, Erased: e.Erased,
	}
	if id, err := uuid.Parse(strings.TrimPrefix(e.Stream, "session-")); err == nil && t.aggregate == "session" {
		item.SessionID = &id
	}
	return item
}
