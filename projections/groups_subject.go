package projections

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/customer"
	"customercenter/domain/filter"
	"customercenter/domain/session"
	"customercenter/domain/suppressed"
	"customercenter/eventstore"
	"customercenter/projections/projector"
)

// This file keeps what rules know of a customer: a filter.Subject, in a compact form that costs little to read a million times.

type groupSubjectRow struct {
	ID              uuid.UUID
	Ordinal         int64
	Epoch           int
	CreatedPosition int64

	encoded []byte        // nil: to be made from subject
	subject *groupSubject // nil: to be read from encoded; never changed but replaced
}

func newGroupSubjects() *projector.Rows[uuid.UUID, groupSubjectRow] {
	type r = groupSubjectRow
	return projector.NewRows("group_subject", "id", "uuid", func(r *r) *uuid.UUID { return &r.ID },
		projector.Value("ordinal", "bigint", func(r *r) *int64 { return &r.Ordinal }),
		projector.Value("epoch", "int", func(r *r) *int { return &r.Epoch }),
		projector.Value("created_position", "bigint", func(r *r) *int64 { return &r.CreatedPosition }),
		projector.Value("subject", "bytea", (*r).bytes),
	)
}

// bytes is the encoded subject. It is encoded once a batch, however many events there were.
func (r *groupSubjectRow) bytes() *[]byte {
	if r.encoded == nil && r.subject != nil {
		r.encoded = r.subject.encode()
	}
	return &r.encoded
}

// known is the subject.
func (r *groupSubjectRow) known() (*groupSubject, error) {
	if r.subject == nil {
		s, err := decodeGroupSubject(r.encoded)
		if err != nil {
			return nil, err
		}
		r.subject = s
	}
	return r.subject, nil
}

func (r *groupSubjectRow) set(s *groupSubject) { r.subject, r.encoded = s, nil }

// groupSubject is a customer as rules see one, and what is needed to keep that up to date. Tags are those that the customer was given,
// whether or not they are in the catalogue.
type groupSubject struct {
	filter.Subject
	open    uuid.UUID // the unfinished session
	ratedAt time.Time // of the last rating
	custom  string    // JSON object of the custom fields
}

func newGroupSubject(e *eventstore.Decoded, c customer.Created) (*groupSubject, error) {
	at := micros(e.RecordedAt)
	s := &groupSubject{Subject: filter.Subject{
		Association: c.Association, Channel: c.Channel, ExternalID: c.ExternalID, Tags: c.Tags, CreatedVia: c.Via, CreatedAt: at, UpdatedAt: at,
	}}
	return s, s.setProfile(c.Profile)
}

func (s *groupSubject) setProfile(p customer.Profile) (err error) {
	s.Nickname, s.Name, s.Phone, s.QQ, s.WechatID = p.Nickname, p.Name, p.Phone, p.QQ, p.WechatID
	s.Email, s.Company, s.Description = p.Email, p.Company, p.Description
	if s.custom, err = customJSON(p.Custom); err != nil {
		return err
	}
	return s.readCustom()
}

// readCustom sets Custom from its JSON.
func (s *groupSubject) readCustom() error {
	raw, err := customOf(&customerRow{Custom: s.custom})
	if err != nil {
		return err
	}
	s.Custom = nil
	if len(raw) > 0 {
		s.Custom = make(map[string]filter.Value, len(raw))
	}
	for key, value := range raw {
		s.Custom[key] = filterValue(value)
	}
	return nil
}

// filterValue is a stored value of a custom field as filters see it. What kind of field it is of is not known here, and does not matter: a
// condition looks at the form that its kind has.
func filterValue(value any) filter.Value {
	switch v := value.(type) {
	case string:
		number, _ := filter.ParseDecimal(v) // as numbers are kept, see field.State.Normalize
		return filter.Value{Text: v, Number: number, Date: v, Options: []string{v}}
	case []any:
		var options []string
		for _, element := range v {
			if id, ok := element.(string); ok {
				options = append(options, id)
			}
		}
		return filter.Value{Options: options}
	}
	return filter.Value{}
}

// apply folds an event and names the fields of filters that may have changed.
func (s *groupSubject) apply(e *eventstore.Decoded) (fields []string, err error) {
	at, recorded := micros(e.OccurredAt()), micros(e.RecordedAt)
	switch payload := e.Payload.(type) {
	case customer.ProfileChanged:
		return s.changeProfile(payload, recorded)
	case customer.Tagged, customer.Untagged:
		state := customer.State{Tags: append([]uuid.UUID(nil), s.Tags...)}
		state.Apply(payload.(customer.Event), recorded)
		s.Tags, s.UpdatedAt = state.Tags, recorded
		return []string{"tags", "updated_at"}, nil
	case customer.Blacklisted:
		s.ListedAt, s.ListedUntil, s.UpdatedAt = recorded, time.Time{}, recorded
		if payload.ExpiresAt != nil {
			s.ListedUntil = micros(*payload.ExpiresAt)
		}
		return []string{"blacklisted", "blacklisted_at", "updated_at"}, nil
	case customer.Unblacklisted:
		s.ListedAt, s.ListedUntil, s.UpdatedAt = time.Time{}, time.Time{}, recorded
		return []string{"blacklisted", "blacklisted_at", "updated_at"}, nil
	case customer.SessionOpened:
		s.open, s.SessionOpen = payload.Session, true
		s.SessionCount++
		if s.FirstSessionAt.IsZero() || at.Before(s.FirstSessionAt) {
			s.FirstSessionAt = at
		}
		if at.After(s.LastSessionAt) {
			s.LastSessionAt = at
		}
		return []string{"session_open", "session_count", "first_session_at", "last_session_at"}, nil
	case customer.SessionClosed:
		if s.SessionOpen && s.open == payload.Session {
			s.open, s.SessionOpen = uuid.Nil, false
		}
		return []string{"session_open"}, nil
	case session.Accepted:
		return s.served(payload.Agent), nil
	case session.Transferred:
		return s.served(payload.To), nil
	case suppressed.MessageRecorded:
		s.SuppressedCount++
		return []string{"suppressed_count"}, nil
	case session.MessageRecorded:
		s.MessageCount++
		if at.After(s.LastMessageAt) {
			s.LastMessageAt = at
		}
		return []string{"message_count", "last_message_at"}, nil
	case session.Rated:
		s.RatingSum += payload.Score
		s.RatingCount++
		if s.ratedAt.IsZero() || !at.Before(s.ratedAt) {
			s.RatingLast, s.ratedAt = payload.Score, at
		}
		return []string{"rating_avg", "rating_last"}, nil
	}
	return nil, errors.New("the read model of groups does not know the event")
}

func (s *groupSubject) served(agent string) []string {
	if agent == "" {
		return nil
	}
	s.LastAgent, s.EverServed = agent, true
	return []string{"last_agent", "ever_served"}
}

// changeProfile lets the domain say what the profile is after a change.
func (s *groupSubject) changeProfile(e customer.ProfileChanged, at time.Time) ([]string, error) {
	raw, err := customOf(&customerRow{Custom: s.custom})
	if err != nil {
		return nil, err
	}
	state := customer.State{Profile: customer.Profile{
		Nickname: s.Nickname, Name: s.Name, Phone: s.Phone, QQ: s.QQ, WechatID: s.WechatID, Email: s.Email, Company: s.Company,
		Description: s.Description, Custom: raw,
	}}
	state.Apply(e, at)
	s.UpdatedAt = at
	fields := []string{"updated_at"}
	anyText := false
	for name := range e.Fields {
		fields = append(fields, name)
		anyText = anyText || !strings.HasPrefix(name, customer.CustomPrefix)
	}
	if anyText {
		fields = append(fields, "any_text")
	}
	return fields, s.setProfile(state.Profile)
}

// encode is the form in which a subject is kept: a byte that tells the form, and then all fields in order. Numbers are varints, times
// microseconds since 1970 (the smallest number for one that is not set), texts and lists have their length in front.
func (s *groupSubject) encode() []byte {
	b := make([]byte, 0, 256)
	b = append(b, subjectForm)
	for _, n := range s.numbers() {
		b = binary.AppendVarint(b, int64(*n))
	}
	for _, t := range s.times() {
		micro := int64(math.MinInt64)
		if !t.IsZero() {
			micro = t.UnixMicro()
		}
		b = binary.AppendVarint(b, micro)
	}
	for _, text := range s.texts() {
		b = binary.AppendUvarint(b, uint64(len(*text)))
		b = append(b, *text...)
	}
	for _, yes := range s.flags() {
		if *yes {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
	}
	b = append(b, s.open[:]...)
	b = binary.AppendUvarint(b, uint64(len(s.Tags)))
	for _, id := range s.Tags {
		b = append(b, id[:]...)
	}
	return b
}

const subjectForm = 1

func (s *groupSubject) numbers() [7]*int {
	return [...]*int{&s.Association, &s.SessionCount, &s.MessageCount, &s.SuppressedCount, &s.RatingSum, &s.RatingCount, &s.RatingLast}
}

func (s *groupSubject) times() [8]*time.Time {
	return [...]*time.Time{
		&s.CreatedAt, &s.UpdatedAt, &s.FirstSessionAt, &s.LastSessionAt, &s.LastMessageAt, &s.ListedAt, &s.ListedUntil, &s.ratedAt,
	}
}

func (s *groupSubject) texts() [13]*string {
	return [...]*string{
		&s.Channel, &s.ExternalID, &s.Nickname, &s.Name, &s.Phone, &s.QQ, &s.WechatID, &s.Email, &s.Company, &s.Description,
		&s.CreatedVia, &s.LastAgent, &s.custom,
	}
}

func (s *groupSubject) flags() [2]*bool { return [...]*bool{&s.SessionOpen, &s.EverServed} }

var errSubject = errors.New("what rules know of a customer cannot be read")

// decodeGroupSubject reads what encode wrote.
func decodeGroupSubject(b []byte) (*groupSubject, error) {
	if len(b) == 0 || b[0] != subjectForm {
		return nil, errSubject
	}
	r := subjectReader{rest: b[1:], all: string(b[1:])} // texts are parts of one
	s := &groupSubject{}
	for _, n := range s.numbers() {
		*n = int(r.varint())
	}
	for _, t := range s.times() {
		if micro := r.varint(); micro != math.MinInt64 {
			*t = time.UnixMicro(micro).UTC()
		}
	}
	for _, text := range s.texts() {
		*text = r.text(r.uvarint())
	}
	for _, yes := range s.flags() {
		*yes = r.text(1) == "\x01"
	}
	copy(s.open[:], r.take(16))
	if n := r.uvarint(); n > 0 && n <= uint64(len(r.rest)/16) {
		s.Tags = make([]uuid.UUID, n)
		for i := range s.Tags {
			copy(s.Tags[i][:], r.take(16))
		}
	}
	if r.broken || len(r.rest) > 0 {
		return nil, errSubject
	}
	return s, s.readCustom()
}

// subjectReader reads from the front. Once something was missing, all that follows is zero.
type subjectReader struct {
	rest   []byte
	all    string // what rest is the end of
	broken bool
}

func (r *subjectReader) varint() int64 {
	v, n := binary.Varint(r.rest)
	r.skip(n)
	return v
}

func (r *subjectReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	r.skip(n)
	return v
}

func (r *subjectReader) skip(n int) {
	if n <= 0 {
		r.broken, r.rest = true, nil
		return
	}
	r.rest = r.rest[n:]
}

func (r *subjectReader) text(n uint64) string {
	at := len(r.all) - len(r.rest)
	return r.all[at : at+len(r.take(n))]
}

func (r *subjectReader) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.broken, r.rest = true, nil
		return nil
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}
