package session

import (
	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/text"
)

// Longest values, in characters.
const (
	MaxAgent = 128
	MaxCause = 64
)

// New is a session to be started.
type New struct {
	Customer    uuid.UUID
	Association int
	Channel     string // of the association
	// CallbackBy is the agent who calls the customer back and owns the session at once; empty if the customer begins it.
	CallbackBy string
}

// Start begins a session: one that waits, or, if it is a callback, one that its agent has at once. It belongs into one
// append with customer.OpenSession, which sees to it that a customer has only one.
//
// Refused: CONFLICT if it was started already; VALIDATION.
func (s *State) Start(n New) ([]Event, error) {
	if s.Status != "" {
		return nil, domain.Refuse(domain.CodeConflict)
	}
	if n.Customer == uuid.Nil {
		return nil, domain.Invalid("customer", domain.RuleRequired)
	}
	if !domain.IsChannel(n.Channel) {
		return nil, domain.Invalid("channel", domain.RuleOneOf)
	}
	started := Started{Customer: n.Customer, Association: n.Association, Channel: n.Channel, Initiator: domain.PartyCustomer}
	if n.CallbackBy == "" {
		return []Event{started}, nil
	}
	agent, err := normalizeAgent("agent", n.CallbackBy)
	if err != nil {
		return nil, err
	}
	started.Initiator, started.Callback = domain.PartyAgent, true
	return []Event{started, Accepted{Agent: agent}}, nil
}

// Accept gives the waiting session to the agent. The agent who has it may accept it again; nothing changes.
//
// Refused: NOT_FOUND, SESSION_ENDED, SESSION_TAKEN if another agent has it, VALIDATION.
func (s *State) Accept(agent string) ([]Event, error) {
	agent, err := normalizeAgent("agent", agent)
	if err != nil {
		return nil, err
	}
	switch {
	case s.Status == "":
		return nil, domain.Refuse(domain.CodeNotFound)
	case s.Ended():
		return nil, domain.Refuse(domain.CodeSessionEnded)
	case s.Status == StatusWaiting:
		return []Event{Accepted{Agent: agent}}, nil
	case s.Agent != agent:
		return nil, domain.Refuse(domain.CodeSessionTaken)
	}
	return nil, nil
}

// Transfer hands the session to another agent. Handing it to the one who has it changes nothing.
//
// Refused: NOT_FOUND, SESSION_ENDED, SESSION_NOT_ACCEPTED while nobody has it, VALIDATION.
func (s *State) Transfer(to string) ([]Event, error) {
	to, err := normalizeAgent("to", to)
	if err != nil {
		return nil, err
	}
	switch {
	case s.Status == "":
		return nil, domain.Refuse(domain.CodeNotFound)
	case s.Ended():
		return nil, domain.Refuse(domain.CodeSessionEnded)
	case s.Status == StatusWaiting:
		return nil, domain.Refuse(domain.CodeSessionNotAccepted)
	case s.Agent == to:
		return nil, nil
	}
	return []Event{Transferred{From: s.Agent, To: to}}, nil
}

// Close ends the session. What nobody accepted was never a conversation, so a waiting session is aborted instead:
// the event is Aborted, with the same by and cause. Ending an ended session changes nothing.
//
// by is domain.PartyCustomer, PartyAgent or PartySystem; cause is a short code of letters, digits, '_', '-' and '.', or empty.
// Refused: NOT_FOUND, VALIDATION.
func (s *State) Close(by, cause string) ([]Event, error) {
	if err := checkEnd(by, cause); err != nil {
		return nil, err
	}
	switch {
	case s.Status == "":
		return nil, domain.Refuse(domain.CodeNotFound)
	case s.Ended():
		return nil, nil
	case s.Status == StatusWaiting:
		return []Event{Aborted{By: by, Cause: cause}}, nil
	}
	return []Event{Closed{By: by, Cause: cause}}, nil
}

// Abort ends a session that nobody accepted. Aborting it again changes nothing.
//
// Refused: NOT_FOUND, SESSION_TAKEN if an agent has it, SESSION_ENDED if it was closed, VALIDATION as in Close.
func (s *State) Abort(by, cause string) ([]Event, error) {
	if err := checkEnd(by, cause); err != nil {
		return nil, err
	}
	switch s.Status {
	case StatusWaiting:
		return []Event{Aborted{By: by, Cause: cause}}, nil
	case StatusProcessing:
		return nil, domain.Refuse(domain.CodeSessionTaken)
	case StatusClosed:
		return nil, domain.Refuse(domain.CodeSessionEnded)
	case StatusAborted:
		return nil, nil
	}
	return nil, domain.Refuse(domain.CodeNotFound)
}

// checkEnd refuses an end by nobody, or for a cause that is not a code.
func checkEnd(by, cause string) error {
	if !isParty(by) {
		return domain.Invalid("by", domain.RuleOneOf)
	}
	if len(cause) > MaxCause {
		return domain.TooLong("cause", MaxCause)
	}
	for _, c := range []byte(cause) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-', c == '.':
		default:
			return domain.Invalid("cause", domain.RuleCharacters)
		}
	}
	return nil
}

func isParty(kind string) bool {
	return kind == domain.PartyCustomer || kind == domain.PartyAgent || kind == domain.PartySystem
}

func normalizeAgent(location, agent string) (string, error) {
	agent, err := line(location, agent, MaxAgent)
	if err != nil {
		return "", err
	}
	if agent == "" {
		return "", domain.Invalid(location, domain.RuleRequired)
	}
	return agent, nil
}

// line brings a value of one line and at most max characters into its normal form.
func line(location, s string, max int) (string, error) {
	s, ok := text.Line(s)
	if !ok {
		return "", domain.Invalid(location, domain.RuleCharacters)
	}
	if text.Length(s) > max {
		return "", domain.TooLong(location, max)
	}
	return s, nil
}
