package commands

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/automessage"
)

// Audience is who an auto message is for, as it is asked for: exactly one of the three.
type Audience struct {
	Filter    json.RawMessage // a filter; {} is everybody
	Groups    []uuid.UUID
	Customers []uuid.UUID // up to automessage.MaxAdded; AddRecipients adds more
}

// DefineAutoMessage adds an auto message to the catalogue; Done.AutoMessage is its id. Nobody gets it before StartAutoMessage.
//
// Refused as in automessage.State.Define; VALIDATION at audience for none of the three or several, and with the path of what is wrong in the
// filter; for customers as in AddRecipients, at audience.customers.
type DefineAutoMessage struct {
	Name     string
	Text     string
	Audience Audience
	Rate     int // messages per minute; 0 is automessage.DefaultRate
}

// Run carries it out.
func (cmd DefineAutoMessage) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		all := autoMessages()
		id := a.center.newID()
		wanted, err := a.audience(ctx, all, cmd.Audience)
		if err != nil {
			return err
		}
		events, err := all.state.Define(id, automessage.Draft{Name: cmd.Name, Text: cmd.Text, Audience: wanted, Rate: cmd.Rate})
		if err != nil {
			return err
		}
		add(a, all, nobody, events)
		a.done.AutoMessage = id
		if len(cmd.Audience.Customers) == 0 {
			return nil
		}
		return under("audience.", a.addRecipients(ctx, listOf(id), id, cmd.Audience.Customers))
	})
}

// audience loads the catalogue of auto messages and what an audience may name, and reads the audience. What is loaded is guarded, so that
// nothing the audience names goes away at the same time.
func (a *attempt) audience(ctx context.Context, all *autoMessagesEntity, in Audience) (automessage.Wanted, error) {
	if bytes.Equal(bytes.TrimSpace(in.Filter), []byte("null")) {
		in.Filter = nil // to a filter it would mean everybody
	}
	given := 0
	for _, is := range []bool{len(in.Filter) > 0, len(in.Groups) > 0, len(in.Customers) > 0} {
		if is {
			given++
		}
	}
	switch {
	case given == 0:
		return automessage.Wanted{}, domain.Invalid("audience", domain.RuleRequired)
	case given > 1:
		return automessage.Wanted{}, domain.Invalid("audience", domain.RuleTooMany).With("max", 1)
	}
	words := newVocabulary()
	if err := words.load(ctx, a, all); err != nil {
		return automessage.Wanted{}, err
	}
	wanted := automessage.Wanted{Groups: in.Groups, Tags: words.tags.state.Known, GroupKnown: words.groups.state.Known}
	if len(in.Groups) > 0 {
		a.guard(words.groups)
	}
	var err error
	if len(in.Filter) > 0 {
		wanted.Filter, err = words.filter(a, in.Filter, "audience.filter")
	}
	return wanted, err
}

// under puts what a refusal is about below another place.
func under(place string, err error) error {
	var refusal *domain.Refusal
	if !errors.As(err, &refusal) || refusal.Location == "" || strings.HasPrefix(refusal.Location, place) {
		return err
	}
	own := *refusal
	own.Location = place + refusal.Location
	return &own
}
