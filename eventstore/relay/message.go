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
	headerTrace       = "traceparent" // absent unless somebody looks at the trace that the event is in
	headerOmitted     = "cc-omitted"  // "too-large" when the body does not fit the server's limit and is empty; ask the API
)

// message is filled anew for every event and sent: the client encodes it before it returns, so one is enough and little but the
// texts is allocated. The fields are the values of headers, one each, that stay in place and change their text.
type message struct {
	nats.Msg
	messageID, predecessor, expected                                                []string
	id, kind, source, subject, time, position, version, typeVersion, meta, customer []string

	epoch   string
	session string // begins every message id; no other session has it
}

func newMessage(epoch uuid.UUID) *message {
	m := &message{epoch: epoch.String(), session: uuid.NewString()[24:] + "-"}
	m.Header = nats.Header{headerSpec: {"1.0"}, headerContentType: {"application/json"}, headerEpoch: {m.epoch}}
	for header, value := range map[string]*[]string{
		jetstream.MsgIDHeader: &m.messageID, jetstream.ExpectedLastSeqHeader: &m.expected,
		headerID: &m.id, headerType: &m.kind, headerSource: &m.source, headerSubject: &m.subject, headerTime: &m.time,
		headerPosition: &m.position, headerVersion: &m.version, headerTypeVersion: &m.typeVersion, headerMeta: &m.meta,
	} {
		*value = make([]string, 1)
		m.Header[header] = *value
	}
	m.predecessor, m.customer = make([]string, 1), make([]string, 1) // not every message has these
	return m
}

// fill makes it the message of an event. expected is the sequence that the stream must have before.
//
// Every message but the first of a session also names the one before it, by an id that no other session uses. The sequence alone
// is not enough: when two publish at once, one's message may be refused and its next be taken because the other has filled the
// gap with something else. By both, a message is stored only right behind its predecessor. (So the id is not made from the
// event, and the server's detection of duplicates has nothing to do: an event is never published twice by mistake.)
func (m *message) fill(t *tenant, e *eventstore.Event, expected uint64) {
	m.Subject, m.Data = t.subject(e.Type), e.Data
	m.expected[0] = strconv.FormatUint(expected, 10)
	if m.messageID[0] != "" {
		m.predecessor[0] = m.messageID[0]
		m.Header[jetstream.ExpectedLastMsgIDHeader] = m.predecessor
	}
	m.messageID[0] = m.session + m.expected[0]
	m.position[0] = strconv.FormatInt(e.Position, 10)
	m.id[0] = t.slug + ":" + m.epoch + ":" + m.position[0]
	m.kind[0] = e.Type
	m.source[0] = t.source
	m.subject[0] = e.Stream
	m.time[0] = e.RecordedAt.Format(time.RFC3339Nano)
	m.version[0] = strconv.FormatInt(e.Version, 10)
	m.typeVersion[0] = strconv.Itoa(e.TypeVersion)
	m.meta[0] = string(e.Meta)
	if e.Customer == uuid.Nil {
		delete(m.Header, headerCustomer)
	} else {
		m.customer[0] = e.Customer.String()
		m.Header[headerCustomer] = m.customer
	}
	if t.refill == 0 {
		delete(m.Header, headerRefill)
	} else {
		m.Header[headerRefill] = []string{strconv.Itoa(t.refill)}
	}
	delete(m.Header, headerOmitted)
}

// trace says where in a trace the message is, if it is in one.
func (m *message) trace(traceparent string) {
	if traceparent == "" {
		delete(m.Header, headerTrace)
		return
	}
	m.Header[headerTrace] = []string{traceparent}
}

// omitBody is for an event that the server would not take.
func (m *message) omitBody() {
	m.Data = nil
	m.Header[headerOmitted] = []string{"too-large"}
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
