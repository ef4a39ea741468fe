package eventstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/google/uuid"

	"customercenter/eventstore/keyring"
)

// Open decodes events of one tenant and opens their personal fields, asking for missing keys once. The order is kept.
func (s *Store) Open(ctx context.Context, events []Event) ([]Decoded, error) {
	decoded, failed, err := s.OpenEach(ctx, events)
	if err != nil {
		return nil, err
	}
	for _, err := range failed {
		if err != nil {
			return nil, err
		}
	}
	return decoded, nil
}

// polite is after how many events that are decoded others get the processor, if somebody waits for it. Go itself takes it away after 10 ms, which is
// longer than a command takes.
const polite = 16

// OpenEach is Open for a reader that goes on after an event that cannot be decoded: failed[i] says why events[i] could not.
func (s *Store) OpenEach(ctx context.Context, events []Event) (decoded []Decoded, failed []error, err error) {
	if len(events) == 0 {
		return nil, nil, nil
	}
	s.noteDestroyed(events)
	keys, err := s.keysOf(ctx, events)
	if err != nil {
		return nil, nil, err
	}
	decoded, failed = make([]Decoded, len(events)), make([]error, len(events))
	var o opener
	var shut []uuid.UUID // customers of events whose key is not known
	for i, e := range events {
		if i%polite == polite-1 {
			runtime.Gosched()
		}
		decoded[i], failed[i] = s.codec.decode(&o, e, func(generation int) (keyring.Key, bool) { return keys.Of(e.Customer, generation) })
		if decoded[i].Erased {
			shut = append(shut, e.Customer)
		}
	}
	if len(shut) == 0 {
		return decoded, failed, nil
	}
	// Before a key is called destroyed the database is asked: what is cached may be older than the customer's latest generation.
	if keys, err = s.keys.Reload(ctx, events[0].Tenant, shut); err != nil {
		return nil, nil, unavailable(err)
	}
	for i, e := range events {
		if decoded[i].Erased {
			decoded[i], failed[i] = s.codec.decode(&o, e, func(generation int) (keyring.Key, bool) { return keys.Of(e.Customer, generation) })
		}
	}
	return decoded, failed, nil
}

// noteDestroyed tells the keyring which keys are destroyed by these events, before any of them is opened.
func (s *Store) noteDestroyed(events []Event) {
	for _, e := range events {
		if t := s.codec.types[e.Type]; t == nil || !t.destroys {
			continue
		}
		if d, err := s.codec.decode(new(opener), e, nil); err == nil { // what cannot be read is somebody else's business
			s.keys.Destroyed(e.Tenant, e.Customer, d.Payload.(Destroyer).DestroysKeys())
		}
	}
}

func (s *Store) keysOf(ctx context.Context, events []Event) (keyring.Keys, error) {
	customers := make([]uuid.UUID, 0, len(events))
	for _, e := range events {
		if e.Customer != uuid.Nil && bytes.Contains(e.Data, []byte(sealedMember)) { // nothing else is opened, nor held up by a broken key
			customers = append(customers, e.Customer)
		}
	}
	if len(customers) == 0 {
		return nil, nil
	}
	keys, err := s.keys.Of(ctx, events[0].Tenant, customers)
	if err != nil {
		return nil, unavailable(err)
	}
	return keys, nil
}

// Reveal opens the personal fields of events of one tenant where they stand: Data becomes the payload as JSON, unknown fields and older versions as stored.
// With masked, or when the customer was erased, the personal fields are absent. failed[i] is ErrUnreadable if events[i] cannot be opened, whose Data then is what
// is open in it; failed is nil if all can. Any other error is of the database or the context, and says nothing of the events.
func (s *Store) Reveal(ctx context.Context, events []Event, masked bool) (failed []error, err error) {
	s.noteDestroyed(events)
	var keys keyring.Keys
	var broken error
	if !masked {
		keys, err = s.keysOf(ctx, events)
		switch {
		case ofKeys(err):
			if len(events) > 1 {
				return s.revealAlone(ctx, events) // the others' keys may be good
			}
			broken = err
		case err != nil:
			return nil, err
		}
	}
	var o opener
	var e *Event
	find := func(generation int) (keyring.Key, bool) { return keys.Of(e.Customer, generation) }
	for i := range events {
		if i%polite == polite-1 {
			runtime.Gosched()
		}
		e = &events[i]
		open, secret, shut, err := o.unseal(e.Type, e, find)
		if err == nil && shut && !masked && broken == nil { // as in OpenEach
			var now keyring.Keys
			switch now, err = s.keys.Reload(ctx, e.Tenant, []uuid.UUID{e.Customer}); {
			case err == nil:
				open, secret, shut, err = o.unseal(e.Type, e, func(generation int) (keyring.Key, bool) { return now.Of(e.Customer, generation) })
			case !ofKeys(err):
				return nil, unavailable(err)
			}
		}
		if err = errors.Join(err, broken); err != nil {
			if failed == nil {
				failed = make([]error, len(events))
			}
			failed[i] = fmt.Errorf("%w: %w", ErrUnreadable, err)
			if open, sealed := cutSealed(e.Data); sealed != nil {
				e.Data = append(append(make([]byte, 0, len(open)+1), open...), '}')
			}
			continue
		}
		if e.Erased = shut && !masked; shut || len(secret) > 0 {
			e.Data = joinObjects(open, secret)
		}
	}
	return failed, nil
}

// revealAlone opens each event by itself.
func (s *Store) revealAlone(ctx context.Context, events []Event) (failed []error, err error) {
	for i := range events {
		one, err := s.Reveal(ctx, events[i:i+1], false)
		if err != nil {
			return nil, err
		}
		if one == nil {
			continue
		}
		if failed == nil {
			failed = make([]error, len(events))
		}
		failed[i] = one[0]
	}
	return failed, nil
}

// ErrUnreadable says that an event, or a key it was sealed with, is not what was written, or that the master key is not there.
var ErrUnreadable = errors.New("eventstore: an event cannot be opened")

// ofKeys reports whether an error is of the keys themselves, not of reading them.
func ofKeys(err error) bool {
	return errors.Is(err, keyring.ErrBroken) || errors.Is(err, keyring.ErrMaster)
}

// joinObjects puts the members of two JSON objects into a new one. The second may be missing.
func joinObjects(a, b []byte) []byte {
	out := make([]byte, 0, len(a)+len(b))
	switch {
	case len(b) <= 2:
		return append(out, a...)
	case len(a) <= 2:
		return append(out, b...)
	}
	return append(append(append(out, a[:len(a)-1]...), ','), b[1:]...)
}
