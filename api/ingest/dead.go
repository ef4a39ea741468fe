package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/internal/locale"
)

// Headers of a dead letter. Its body is that of the event, byte for byte.
const (
	headerCode     = "cc-code"
	headerLocation = "cc-location"
	headerReason   = "cc-reason"  // in words
	headerEvent    = "cc-event"   // id of the event, if it has one
	headerArrived  = "cc-arrived" // when the queue took it
	headerSequence = "cc-sequence"
	headerCut      = "cc-cut"    // bytes of the event, if it was cut because with the headers no message can be so large
	headerResent   = "cc-resent" // how often it was sent again
)

// codeFailed is the code of an event that keeps failing for a reason that lies here and not in the event.
const codeFailed = "INTERNAL"

// deadQueue puts messages among the dead letters. It is a message.Publisher for Watermill's poison queue.
type deadQueue struct {
	js      jetstream.JetStream
	ensure  func(ctx context.Context) error // makes the streams that are gone
	limit   func() int64                    // the largest message, headers included
	metrics *metrics
}

// Publish returns when the server has all messages on disk.
func (d *deadQueue) Publish(_ string, messages ...*message.Message) error {
	for _, msg := range messages {
		if err := d.publish(msg.Context(), itemOf(msg), middleware.MessageCorrelationID(msg), msg.Metadata.Get(middleware.ReasonForPoisonedKey)); err != nil {
			return err
		}
	}
	return nil
}

// Close does nothing: the connection belongs to others.
func (d *deadQueue) Close() error { return nil }

func (d *deadQueue) publish(ctx context.Context, it *item, correlation, cause string) error {
	code, location, reason := it.outcome.Code, it.outcome.Location, ""
	if it.outcome.Status == StatusRefused {
		reason = locale.Detail(locale.English, code, location, it.outcome.Args)
	} else {
		code, reason = codeFailed, "Something went wrong here, again and again. The log has the reason."
		slog.ErrorContext(ctx, "ingest: an event keeps failing and was put among the dead letters", "tenant", it.arrival.Tenant,
			"association", it.arrival.Association, "type", it.event.Type, "sequence", it.meta.Sequence.Stream, "error", cause)
	}
	letter := &nats.Msg{Subject: deadPrefix + strings.TrimPrefix(originalSubject(it.msg.Subject()), inPrefix), Data: it.arrival.Body, Header: nats.Header{}}
	for name, value := range map[string]string{
		headerCode: code, headerLocation: location, headerReason: reason, headerSequence: strconv.FormatUint(it.meta.Sequence.Stream, 10),
		headerArrived: it.meta.Timestamp.UTC().Format(time.RFC3339Nano),
	} {
		letter.Header.Set(name, value)
	}
	// These two may come from outside, and a line break would end the header.
	if checkAttribute("id", it.event.ID) == nil {
		letter.Header.Set(headerEvent, it.event.ID)
	}
	if checkAttribute("correlation", correlation) == nil {
		letter.Header.Set(middleware.CorrelationIDMetadataKey, correlation)
	}
	if it.arrival.Resent > 0 {
		letter.Header.Set(headerResent, strconv.Itoa(it.arrival.Resent))
	}
	if most := int(d.limit()) - 4096; len(letter.Data) > most {
		letter.Header.Set(headerCut, strconv.Itoa(len(letter.Data)))
		letter.Data = letter.Data[:most]
	}
	// The time tells the queue's messages apart even when it was lost and made again.
	id := fmt.Sprintf("%d/%d", it.meta.Sequence.Stream, it.meta.Timestamp.UnixNano())
	_, err := d.js.PublishMsg(ctx, letter, jetstream.WithMsgID(id))
	if errors.Is(err, jetstream.ErrNoStreamResponse) {
		if err = d.ensure(ctx); err == nil {
			_, err = d.js.PublishMsg(ctx, letter, jetstream.WithMsgID(id))
		}
	}
	if err != nil {
		return fmt.Errorf("ingest: dead letter: %w", err)
	}
	d.metrics.dead.Inc()
	return nil
}

// DeadLetters is what an operator sees of the events that could not be carried out.
type DeadLetters struct{ js jetstream.JetStream }

// NewDeadLetters returns the dead letters of a server.
func NewDeadLetters(conn *nats.Conn) (*DeadLetters, error) {
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	return &DeadLetters{js: js}, nil
}

// DeadLetter is an event that could not be carried out.
type DeadLetter struct {
	Sequence    uint64    `json:"sequence"` // in the dead letters; Resend and Discard take it
	Tenant      string    `json:"tenant"`
	Association string    `json:"association"` // as the subject had it
	Event       string    `json:"event,omitempty"`
	Code        string    `json:"code"`
	Location    string    `json:"location,omitempty"`
	Reason      string    `json:"reason"`
	Arrived     time.Time `json:"arrived"` // when the queue took the event
	Died        time.Time `json:"died"`
	Resent      int       `json:"resent,omitempty"` // how often it was sent again, in vain
	Bytes       int       `json:"bytes"`
	// Cut says that only the beginning is kept, because the event was larger than a message can be. It cannot be sent again.
	Cut bool `json:"cut,omitempty"`
	// Body is the event as it came. It may hold personal data, so it is in no list.
	Body []byte `json:"-"`
}

var (
	// ErrNoLetter says that there is no dead letter of that number: never was, was sent again or discarded, or is over 30 days old.
	ErrNoLetter = errors.New("ingest: no such dead letter")
	// ErrCut says that the event is not kept whole, so it cannot be sent again.
	ErrCut = errors.New("ingest: only the beginning of the event was kept")
)

// List returns up to limit dead letters behind a number, oldest first. tenant may be empty for all of them.
func (d *DeadLetters) List(ctx context.Context, tenant string, after uint64, limit int) ([]DeadLetter, error) {
	subject := deadPrefix + ">"
	if tenant != "" {
		subject = deadPrefix + tenant + ".*"
	}
	stream, err := d.js.Stream(ctx, StreamDead)
	if err != nil {
		return nil, fmt.Errorf("ingest: dead letters: %w", err)
	}
	letters := []DeadLetter{}
	for len(letters) < limit {
		// The first message at or behind a number whose subject fits.
		msg, err := stream.GetMsg(ctx, after+1, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("ingest: dead letters: %w", err)
		}
		letters = append(letters, readLetter(msg))
		after = msg.Sequence
	}
	return letters, nil
}

// One returns a dead letter. ErrNoLetter.
func (d *DeadLetters) One(ctx context.Context, sequence uint64) (DeadLetter, error) {
	stream, err := d.js.Stream(ctx, StreamDead)
	if err != nil {
		return DeadLetter{}, fmt.Errorf("ingest: dead letters: %w", err)
	}
	msg, err := stream.GetMsg(ctx, sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return DeadLetter{}, ErrNoLetter
	}
	if err != nil {
		return DeadLetter{}, fmt.Errorf("ingest: dead letter: %w", err)
	}
	return readLetter(msg), nil
}

// Resend puts an event back into the queue, behind what is there, and takes it out of the dead letters. What was refused is then judged
// anew. Should it fail again, it becomes another dead letter. ErrNoLetter, ErrCut.
func (d *DeadLetters) Resend(ctx context.Context, sequence uint64) error {
	letter, err := d.One(ctx, sequence)
	if err != nil {
		return err
	}
	if letter.Cut {
		return ErrCut
	}
	msg := &nats.Msg{Subject: inPrefix + letter.Tenant + "." + letter.Association, Data: letter.Body, Header: nats.Header{}}
	msg.Header.Set(headerResent, strconv.Itoa(letter.Resent+1))
	// An operator who asks twice, or again after an error, sends it once: within the server's window by this id, later by its own.
	if _, err := d.js.PublishMsg(ctx, msg, jetstream.WithMsgID(resendID(sequence, letter.Died))); err != nil {
		return fmt.Errorf("ingest: send again: %w", err)
	}
	return d.Discard(ctx, sequence)
}

// resendPrefix begins the ids of messages that Resend published.
const resendPrefix = "dead/"

// resendID is the id of the message that sends a dead letter again.
func resendID(sequence uint64, died time.Time) string {
	return fmt.Sprintf("%s%d/%d", resendPrefix, sequence, died.UnixNano())
}

// isResendID reports whether an id has the form of resendID.
func isResendID(id string) bool {
	rest, found := strings.CutPrefix(id, resendPrefix)
	sequence, died, complete := strings.Cut(rest, "/")
	_, err := strconv.ParseUint(sequence, 10, 64)
	_, err2 := strconv.ParseInt(died, 10, 64)
	return found && complete && err == nil && err2 == nil
}

// Discard removes a dead letter for good. ErrNoLetter.
func (d *DeadLetters) Discard(ctx context.Context, sequence uint64) error {
	stream, err := d.js.Stream(ctx, StreamDead)
	if err != nil {
		return fmt.Errorf("ingest: dead letters: %w", err)
	}
	if _, err := d.One(ctx, sequence); err != nil {
		return err
	}
	if err := stream.SecureDeleteMsg(ctx, sequence); err != nil {
		return fmt.Errorf("ingest: discard: %w", err)
	}
	return nil
}

// named is whom a dead letter is about, as far as it says so: the external id, or the session.
type named struct {
	association int
	externalID  string
	session     uuid.UUID
}

// These find the names in what may not even be JSON.
var (
	namesExternalID = regexp.MustCompile(`"external_id"\s*:\s*("(?:[^"\\]|\\.)*")`)
	namesSession    = regexp.MustCompile(`"(?:session_id|subject)"\s*:\s*"(?:session-)?([0-9A-Fa-f-]{36})"`)
)

// About goes through those dead letters of a tenant that are about somebody, the oldest first: that name a session, or an external id of an association, of
// which is says so. What names nobody, or is cut off before it does, is not found.
func (d *DeadLetters) About(ctx context.Context, tenant string, is func(association int, externalID string, session uuid.UUID) (bool, error), each func(DeadLetter) error) error {
	const page = 100
	for after, more := uint64(0), true; more; {
		letters, err := d.List(ctx, tenant, after, page)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, letter := range letters {
			after = letter.Sequence
			named, err := letter.about(is)
			if err == nil && named {
				err = each(letter)
			}
			if err != nil {
				return err
			}
		}
		more = len(letters) == page
	}
	return nil
}

// Erase removes for good the dead letters that are about somebody, see About. Others stay until their time is over.
func (d *DeadLetters) Erase(ctx context.Context, tenant string, is func(association int, externalID string, session uuid.UUID) (bool, error)) error {
	return d.About(ctx, tenant, is, func(letter DeadLetter) error {
		if err := d.Discard(ctx, letter.Sequence); err != nil && !errors.Is(err, ErrNoLetter) {
			return err
		}
		return nil
	})
}

// about reports whether a name in the letter is one of those that are meant.
func (l *DeadLetter) about(is func(association int, externalID string, session uuid.UUID) (bool, error)) (bool, error) {
	for _, n := range l.names() {
		if found, err := is(n.association, n.externalID, n.session); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// names are all names in a letter.
func (l *DeadLetter) names() (all []named) {
	association, err := strconv.Atoi(l.Association)
	if err != nil {
		association = 0 // none of ours
	}
	for _, found := range namesExternalID.FindAllSubmatch(l.Body, -1) {
		var id string
		if json.Unmarshal(found[1], &id) == nil {
			all = append(all, named{association: association, externalID: id})
		}
	}
	for _, found := range namesSession.FindAllSubmatch(l.Body, -1) {
		if id, err := uuid.Parse(string(found[1])); err == nil {
			all = append(all, named{session: id})
		}
	}
	return all
}

func readLetter(msg *jetstream.RawStreamMsg) DeadLetter {
	tenant, association, _ := strings.Cut(strings.TrimPrefix(msg.Subject, deadPrefix), ".")
	letter := DeadLetter{
		Sequence: msg.Sequence, Tenant: tenant, Association: association, Event: msg.Header.Get(headerEvent),
		Code: msg.Header.Get(headerCode), Location: msg.Header.Get(headerLocation), Reason: msg.Header.Get(headerReason),
		Died: msg.Time.UTC(), Bytes: len(msg.Data), Body: msg.Data,
	}
	// Headers of our own making; what cannot be read is not known.
	letter.Arrived, _ = time.Parse(time.RFC3339Nano, msg.Header.Get(headerArrived))
	letter.Resent, _ = strconv.Atoi(msg.Header.Get(headerResent))
	if whole, err := strconv.Atoi(msg.Header.Get(headerCut)); err == nil {
		letter.Bytes, letter.Cut = whole, true
	}
	return letter
}
