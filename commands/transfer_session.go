package commands

import (
	"context"

	"customercenter/domain"
	"customercenter/domain/session"
)

// TransferSession hands a session to another agent. Refused: NOT_FOUND, ID_INVALID, FORBIDDEN as OnlyOf says, and as in
// session.State.Transfer.
type TransferSession struct {
	Session SessionRef
	To      string
	OnlyOf  string // if set, the session must be this agent's
}

// Run carries it out.
func (cmd TransferSession) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		found, err := a.find(ctx, cmd.Session, false)
		if err != nil {
			return err
		}
		if err := mustBeOf(found.talk.state, cmd.OnlyOf); err != nil {
			return err
		}
		events, err := found.talk.state.Transfer(cmd.To)
		add(a, found.talk, found.whoseID, events)
		a.concerns(found)
		return err
	})
}

// CodeForbidden says that the session is another agent's, or nobody's yet.
const CodeForbidden = domain.CodeForbidden

// mustBeOf refuses a session that the agent neither has nor had last; anybody's will do if agent is empty. It is decided on the session
// as it is loaded, not before the command runs: a request that is repeated gets its first answer although the session has moved on, and
// two agents at once cannot both pass.
func mustBeOf(s *session.State, agent string) error {
	if agent != "" && s.Agent != agent {
		return domain.Refuse(CodeForbidden)
	}
	return nil
}
