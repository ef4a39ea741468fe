package relay

import (
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/eventstore"
)

const subjectPrefix = "cc.events."

// The headers of a message, CloudEvents 1.0 in the NATS binding's binary mode and our own. The body is the payload as stored: JSON,
// with personal fields sealed.
const (
	headerSpec        = "ce-specversion"
	headerID          = "ce-id"     // <tenant>:<epoch>:<position>, the same whenever the event is published
	headerType        = "ce-type"   // customer.created
	headerSource      = "ce-source" // /tenants/<tenant>
	headerSubject     = "ce-subject"
	headerTime        = "ce-time" // when it was recorded
	headerContentType = "ce-datacontenttype"

	headerPosition    = "cc-position"
	headerVersion     = "cc-version" // in its stream
	headerTypeVersion = "cc-type-version"
	headerEpoch       = "cc-epoch"    // of the log; it changes when the log is restored from a backup
	headerRefill      = "cc-refill"   // absent, or how many refills there were before this publication
	headerCustomer    = "cc-customer" // absent when the event concerns no customer
	headerMeta        = "cc-meta"     // the envelope as JSON: actor, cause, correlation, occurred_at
	headerOmitted     = "cc-omitted"  // "too-large" when the body does not fit the server's limit and is empty; ask the API
)

// message is filled anew for every event and sent: the client encodes it before it returns, so one is enough and nothing is
// allocated but the texts.
type message struct {
	nats.Msg
	values map[string][]string // the header's values, one each, kept for the optional headers that come and go
	epoch  string
	suffix string // of every message id, this session's own
	id     string // of the message filled last
}

func newMessage(epoch uuid.UUID) *message {
	m := &message{values: map[string][]string{}, epoch: epoch.String(), suffix: "/" + uuid.NewString()[24:]}
	m.Header = nats.Header{}
	m.set(headerSpec, "1.0")
	m.set(headerContentType, "application/json")
	m.set(headerEpoch, m.epoch)
	return m
}

func (m *message) set(header, value string) {
	slot := m.values[header]
	if slot == nil {
		slot = make([]string, 1)
		m.values[header] = slot
	}
	slot[0] = value
	m.Header[header] = slot
}

func (m *message) setOrDrop(header, value string) {
	if value == "" {
		delete(m.Header, header)
		return
	}
	m.set(header, value)
}

// fill makes it the message of an event. expected is the sequence that the stream must have before.
//
// Every message but the first of a session also names the one before it, by an id that no other session uses. The sequence alone
// is not enough: when two publish at once, one's message may be refused and its next be taken because the other has filled the
// gap with something else. By both, a message is stored only right behind its predecessor.
func (m *message) fill(t *tenant, e *eventstore.Event, expected uint64) {
	position := strconv.FormatInt(e.Position, 10)
	id := t.slug + ":" + m.epoch + ":" + position
	previous := m.id
	m.id = id + m.suffix
	refill := ""
	if t.refill > 0 {
		refill = strconv.Itoa(t.refill)
	}
	customer := ""
	if e.Customer != uuid.Nil {
		customer = e.Customer.String()
	}
	m.Subject = t.subject(e.Type)
	m.Data = e.Data
	m.set(jetstream.MsgIDHeader, m.id)
	m.setOrDrop(jetstream.ExpectedLastMsgIDHeader, previous)
	m.set(jetstream.ExpectedLastSeqHeader, strconv.FormatUint(expected, 10))
	m.set(headerID, id)
	m.set(headerType, e.Type)
	m.set(headerSource, t.source)
	m.set(headerSubject, e.Stream)
	m.set(headerTime, e.RecordedAt.Format(time.RFC3339Nano))
	m.set(headerPosition, position)
	m.set(headerVersion, strconv.FormatInt(e.Version, 10))
	m.set(headerTypeVersion, strconv.Itoa(e.TypeVersion))
	m.set(headerMeta, string(e.Meta))
	m.setOrDrop(headerCustomer, customer)
	m.setOrDrop(headerRefill, refill)
	m.setOrDrop(headerOmitted, "")
}

// omitBody is for an event that the server would not take.
func (m *message) omitBody() {
	m.Data = nil
	m.set(headerOmitted, "too-large")
}

// subject is where events of a type go. Types are few, so the texts are kept.
func (t *tenant) subject(eventType string) string {
	s, ok := t.subjects[eventType]
	if !ok {
		s = subjectPrefix + t.slug + "." + eventType
		t.subjects[eventType] = s
	}
	return s
}

// last is what the newest message of a tenant says about itself.
type last struct {
	sequence  uint64 // 0 when there is none
	epoch     uuid.UUID
	refill    int
	position  int64
	version   int64
	subject   string // the event's stream
	published string // ce-time
}

// parseLast reads a stored message. A message that is not the relay's, which anybody with access may publish, counts as none.
func parseLast(m *jetstream.RawStreamMsg) last {
	l := last{sequence: m.Sequence, subject: m.Header.Get(headerSubject), published: m.Header.Get(headerTime)}
	var err [4]error
	l.epoch, err[0] = uuid.Parse(m.Header.Get(headerEpoch))
	l.position, err[1] = strconv.ParseInt(m.Header.Get(headerPosition), 10, 64)
	l.version, err[2] = strconv.ParseInt(m.Header.Get(headerVersion), 10, 64)
	if text := m.Header.Get(headerRefill); text != "" {
		l.refill, err[3] = strconv.Atoi(text)
	}
	for _, e := range err {
		if e != nil || !strings.HasPrefix(m.Subject, subjectPrefix) {
			return last{}
		}
	}
	return l
}

// is reports whether the message is of this event.
func (l last) is(e eventstore.Event) bool {
	return l.position == e.Position && l.subject == e.Stream && l.version == e.Version && l.published == e.RecordedAt.Format(time.RFC3339Nano)
}
