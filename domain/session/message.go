package session

import (
	"net/url"
	"time"

	"customercenter/domain"
	"customercenter/domain/text"
)

// Kinds of messages. The names are stored and never change.
const (
	KindText     = "text"
	KindImage    = "image"
	KindVoice    = "voice"
	KindVideo    = "video"
	KindFile     = "file"
	KindLocation = "location"
	KindOther    = "other"
)

// Longest values of a message, in characters.
const (
	MaxMessageID = 128
	MaxSenderID  = 128
	MaxText      = 20_000
	MaxURL       = 2_048
	MaxFileName  = 255
)

// RecordMessage adds a message to the transcript. m is what is to be recorded; its Late is decided here, and its text
// stays exactly as it was written. occurredAt is when it was written, now when it is handled. Recording the same
// message twice is not noticed here: the receipt of the append notices it.
//
// After the end a message is recorded, marked late, if it was written before the end.
//
// Refused: NOT_FOUND; SESSION_ENDED; OCCURRED_IN_FUTURE; VALIDATION at message.id, message.kind, message.text,
// message.url, message.name or message.sender. A text needs a text, images, voices, videos and files need an http(s)
// address, locations and others either of them. An agent has an id.
func (s *State) RecordMessage(m MessageRecorded, occurredAt, now time.Time) ([]Event, error) {
	if err := domain.CheckOccurred(occurredAt, now); err != nil {
		return nil, err
	}
	m, err := NormalizeMessage(m)
	if err != nil {
		return nil, err
	}
	if err := s.mustTake(occurredAt); err != nil {
		return nil, err
	}
	m.Late = s.Ended()
	return []Event{m}, nil
}

// mustTake refuses what occurred in no session, or not before its end.
func (s *State) mustTake(occurredAt time.Time) error {
	if s.Status == "" {
		return domain.Refuse(domain.CodeNotFound)
	}
	if s.Ended() && !occurredAt.Before(s.EndedAt) {
		return domain.Refuse(domain.CodeSessionEnded)
	}
	return nil
}

// NormalizeMessage returns a message as it is recorded. Refused: VALIDATION as in RecordMessage.
func NormalizeMessage(m MessageRecorded) (MessageRecorded, error) {
	var err error
	if m.Message, err = line("message.id", m.Message, MaxMessageID); err != nil {
		return m, err
	}
	if m.Message == "" {
		return m, domain.Invalid("message.id", domain.RuleRequired)
	}
	if !isParty(m.Sender.Kind) {
		return m, domain.Invalid("message.sender", domain.RuleOneOf)
	}
	if m.Sender.ID, err = line("message.sender", m.Sender.ID, MaxSenderID); err != nil {
		return m, err
	}
	if m.Sender.Kind == domain.PartyAgent && m.Sender.ID == "" {
		return m, domain.Invalid("message.sender", domain.RuleRequired)
	}
	if m.Name, err = line("message.name", m.Name, MaxFileName); err != nil {
		return m, err
	}
	if !text.Verbatim(m.Text) {
		return m, domain.Invalid("message.text", domain.RuleCharacters)
	}
	if text.Length(m.Text) > MaxText {
		return m, domain.TooLong("message.text", MaxText)
	}
	if err := checkURL("message.url", m.URL); err != nil {
		return m, err
	}
	return m, checkContent(m)
}

// checkContent refuses a message that does not have what its kind needs.
func checkContent(m MessageRecorded) error {
	switch m.Kind {
	case KindText:
		if m.Text == "" {
			return domain.Invalid("message.text", domain.RuleRequired)
		}
	case KindImage, KindVoice, KindVideo, KindFile:
		if m.URL == "" {
			return domain.Invalid("message.url", domain.RuleRequired)
		}
	case KindLocation, KindOther:
		if m.URL == "" && m.Text == "" {
			return domain.Invalid("message.url", domain.RuleRequired)
		}
	default:
		return domain.Invalid("message.kind", domain.RuleOneOf)
	}
	return nil
}

// checkURL refuses anything but an http(s) address with a host; empty is allowed.
func checkURL(location, address string) error {
	if address == "" {
		return nil
	}
	if !text.Verbatim(address) {
		return domain.Invalid(location, domain.RuleCharacters)
	}
	if text.Length(address) > MaxURL {
		return domain.TooLong(location, MaxURL)
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return domain.Invalid(location, domain.RuleFormat)
	}
	return nil
}
