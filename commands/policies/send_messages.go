package policies

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/session"
	"customercenter/eventstore"
)

// sendName is the name of the policy.
const sendName = "send-messages"

// sendPatience is how long the stream may take to acknowledge a message.
const sendPatience = 5 * time.Second

// sender hands what agents write to the channels: each message as a message.send on cc.out.<tenant>.<association>, with a stable id, in
// the order of the log, at least once.
//
// A message goes out if an agent is its sender and an admin or an agent recorded it here. What a channel reported an agent to have
// written has reached the customer already, and is not echoed.
type sender struct {
	js       jetstream.JetStream
	center   *commands.Center
	replicas int
	ensured  atomic.Bool // the stream is there, as far as is known
}

func newSender(c Config) (*sender, error) {
	js, err := jetstream.New(c.NATS, jetstream.WithPublishAsyncTimeout(sendPatience))
	if err != nil {
		return nil, fmt.Errorf("policies: %w", err)
	}
	return &sender{js: js, center: c.Center, replicas: c.Replicas}, nil
}

func (s *sender) policy() *policy {
	return &policy{name: sendName, types: []string{session.MessageRecorded{}.EventType()}, prepare: s.ensure, wants: writtenHere, react: s.send}
}

// writtenHere reports whether an admin or an agent recorded the event. It is asked of every message of every customer, so it looks
// at no more than it must.
func writtenHere(e *eventstore.Event) bool {
	var meta struct {
		Actor struct {
			Kind string `json:"kind"`
		} `json:"actor"`
	}
	err := json.Unmarshal(e.Meta, &meta)
	return err == nil && (meta.Actor.Kind == "admin" || meta.Actor.Kind == "agent")
}

// send publishes the message of an event and returns when the stream has it.
func (s *sender) send(ctx context.Context, d *eventstore.Decoded) error {
	m, ok := d.Payload.(session.MessageRecorded)
	if !ok || m.Sender.Kind != domain.PartyAgent || d.Erased {
		return nil
	}
	id, err := uuid.Parse(strings.TrimPrefix(d.Stream, "session-"))
	if err != nil {
		return domain.Refuse(domain.CodeNotFound).At("session_id") // no stream of a session
	}
	to, found, err := s.center.AddresseeOf(ctx, d.Tenant, id)
	switch {
	case err != nil:
		return fmt.Errorf("policies: send: %w", err)
	case !found || to.ExternalID == "": // erased meanwhile
		return nil
	}
	msg, err := outgoing(d, id, m, to)
	if err != nil {
		return err
	}
	return s.publish(ctx, msg)
}

// ensure makes the stream, so that channels can listen before the first message.
func (s *sender) ensure(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sendPatience)
	defer cancel()
	err := EnsureStream(ctx, s.js, s.replicas)
	s.ensured.Store(err == nil)
	return err
}

func (s *sender) publish(ctx context.Context, msg *nats.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, sendPatience)
	defer cancel()
	if !s.ensured.Load() {
		if err := s.ensure(ctx); err != nil {
			return err
		}
	}
	if _, err := s.js.PublishMsg(ctx, msg); err != nil {
		s.ensured.Store(false)
		return fmt.Errorf("policies: publish: %w", err)
	}
	return nil
}

// The stream of what goes out to channels.
const (
	StreamOut = "CC_OUT"

	outPrefix   = "cc.out."
	outMaxAge   = 7 * 24 * time.Hour
	outMaxBytes = 1 << 30
	// outWindow is for how long the stream keeps a message out that it has already, when a process dies before it could note that.
	outWindow = 10 * time.Minute
)

// ErrStream says that a stream of that name exists and is not what this package needs. It was left as it is.
var ErrStream = errors.New("policies: the stream exists with another configuration")

// Subject is where a channel hears what is to be sent through an association.
func Subject(tenant string, association int) string {
	return outPrefix + tenant + "." + strconv.Itoa(association)
}

// EnsureStream makes the stream if it does not exist. It never changes or deletes it: what an operator has set, stays. ErrStream.
func EnsureStream(ctx context.Context, js jetstream.JetStream, replicas int) error {
	return ensureStream(ctx, js, jetstream.StreamConfig{
		Name: StreamOut, Description: "what channels are to send to customers", Replicas: replicas,
		Subjects: []string{outPrefix + ">"}, Retention: jetstream.LimitsPolicy, Storage: jetstream.FileStorage,
		MaxAge: outMaxAge, MaxBytes: outMaxBytes, Discard: jetstream.DiscardOld, Duplicates: outWindow,
	})
}

// ensureStream makes a stream if it does not exist, and leaves it as it is otherwise. ErrStream.
func ensureStream(ctx context.Context, js jetstream.JetStream, config jetstream.StreamConfig) error {
	stream, err := js.Stream(ctx, config.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = js.CreateStream(ctx, config)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another process was faster
			stream, err = js.Stream(ctx, config.Name)
		}
	}
	if err != nil {
		return fmt.Errorf("policies: stream %s: %w", config.Name, err)
	}
	if stream.CachedInfo().Config.Retention != config.Retention {
		return fmt.Errorf("%w: %s", ErrStream, config.Name)
	}
	return nil
}
