package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/domain/text"
	"customercenter/eventstore"
	"customercenter/projections"
)

// tokenCommand creates, lists and revokes tokens.
type tokenCommand struct {
	Create tokenCreate `cmd:"" help:"Create a token and print it. It cannot be shown again."`
	List   tokenList   `cmd:"" help:"List the tokens of a tenant, without their texts."`
	Revoke tokenRevoke `cmd:"" help:"Revoke a token; it stops working within seconds."`
}

// shownToken is a token as --json prints it: as the API does, with its tenant and state.
type shownToken struct {
	ID            uuid.UUID  `json:"id"`
	Tenant        string     `json:"tenant,omitempty"`
	Role          string     `json:"role"`
	ActorID       string     `json:"actor_id"`
	Name          string     `json:"name"`
	AssociationID int        `json:"association_id,omitempty"`
	PersonalData  bool       `json:"personal_data"`
	CreatedAt     time.Time  `json:"created_at"`
	CreatedBy     string     `json:"created_by,omitempty"` // kind/id
	ExpiresAt     *time.Time `json:"expires_at"`
	RevokedAt     *time.Time `json:"revoked_at"`
	LastUsedAt    *time.Time `json:"last_used_at"`
	State         string     `json:"state"` // valid, expired, revoked
	Text          string     `json:"token,omitempty"`
}

func shown(t access.Token, now time.Time) shownToken {
	out := shownToken{ID: t.ID, Tenant: t.Tenant, Role: string(t.Role), ActorID: t.Actor, Name: t.Name, AssociationID: t.Association,
		PersonalData: t.Role != access.Analyst || t.Personal, CreatedAt: t.CreatedAt, CreatedBy: maker(t),
		ExpiresAt: orNil(t.ExpiresAt), RevokedAt: orNil(t.RevokedAt), LastUsedAt: orNil(t.LastUsedAt), State: "valid"}
	switch {
	case !t.RevokedAt.IsZero():
		out.State = "revoked"
	case !t.ExpiresAt.IsZero() && !t.ExpiresAt.After(now):
		out.State = "expired"
	}
	return out
}

// maker is who made a token, as kind/id; empty if that was not kept.
func maker(t access.Token) string {
	if t.CreatedBy == (access.Maker{}) {
		return ""
	}
	return t.CreatedBy.Kind + "/" + t.CreatedBy.ID
}

func orNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// withTokens opens the target's tokens for one command.
func (t target) withTokens(env *environment, do func(ctx context.Context, s *eventstore.Store, tokens *access.Tokens) error) error {
	return t.withStore(env, func(ctx context.Context, s *eventstore.Store) error {
		return do(ctx, s, access.NewTokens(s.Pool(), time.Now, s.Secret))
	})
}

type tokenCreate struct {
	target      `prefix:""`
	Tenant      string        `help:"Whose data it opens. An operator's belongs to none."`
	Role        string        `help:"admin, agent, analyst, channel or operator." required:"" enum:"admin,agent,analyst,channel,operator"`
	Actor       string        `help:"Id of whom it is for; it stands in every event they cause." required:""`
	Name        string        `help:"What the token is for."`
	Association int           `help:"The association whose events a channel may send."`
	Personal    bool          `help:"Let an analyst see personal data."`
	Expires     time.Duration `help:"How long it is valid, for example 720h. Default: for ever."`
	JSON        bool          `help:"What there is to know of it, as one JSON object, with the text as token."`
}

// wanted is the token asked for. What could not be used is a wrong command line.
func (c *tokenCreate) wanted(now time.Time) (access.New, error) {
	n := access.New{Tenant: c.Tenant, Role: access.Role(c.Role), Association: c.Association, Personal: c.Personal,
		By: access.Maker{Kind: string(access.Operator), ID: "command-line"}}
	var actorOK, nameOK bool
	n.Actor, actorOK = text.Line(c.Actor)
	n.Name, nameOK = text.Line(c.Name)
	switch {
	case (n.Role == access.Operator) != (c.Tenant == ""):
		return n, usageError{"--tenant is needed for every role but operator"}
	case n.Role == access.Channel && c.Association <= 0, n.Role != access.Channel && c.Association != 0:
		return n, usageError{"--association is needed for the role channel, and for no other"}
	case c.Personal && n.Role != access.Analyst:
		return n, usageError{"--personal is for the role analyst: the others see personal data or have nothing to do with it"}
	case !actorOK || n.Actor == "" || utf8.RuneCountInString(n.Actor) > 128:
		return n, usageError{"--actor takes 1 to 128 characters"}
	case !nameOK || utf8.RuneCountInString(n.Name) > 100:
		return n, usageError{"--name takes up to 100 characters"}
	case c.Expires < 0:
		return n, usageError{"--expires takes a time that is still to come"}
	case c.Expires > 0:
		n.ExpiresAt = now.Add(c.Expires)
	}
	return n, nil
}

// Run creates the token.
func (c *tokenCreate) Run(env *environment) error {
	n, err := c.wanted(time.Now())
	if err != nil {
		return err
	}
	return c.withTokens(env, func(ctx context.Context, s *eventstore.Store, tokens *access.Tokens) error {
		if n.Association != 0 {
			state, _, err := projections.NewCatalogues(s).Associations(ctx, n.Tenant)
			if err != nil {
				return err
			}
			if _, found := state.Find(n.Association); !found {
				return fmt.Errorf("the tenant %s has no association %d", n.Tenant, n.Association)
			}
		}
		text, made, err := tokens.Create(ctx, n, nil)
		if errors.Is(err, access.ErrTenant) {
			return fmt.Errorf("there is no tenant %s. Create it with: customercenter tenant create %s", n.Tenant, n.Tenant)
		}
		if err != nil {
			return err
		}
		if !c.JSON {
			fmt.Fprintln(env.stdout, text)
			return nil
		}
		out := shown(made, time.Now())
		out.Text = text
		return json.NewEncoder(env.stdout).Encode(out)
	})
}

type tokenList struct {
	target `prefix:""`
	Tenant string `help:"Whose tokens; without it, the operators'."`
	JSON   bool   `help:"One JSON object a line."`
}

// Run lists the tokens.
func (c *tokenList) Run(env *environment) error {
	return c.withTokens(env, func(ctx context.Context, _ *eventstore.Store, tokens *access.Tokens) error {
		now := time.Now()
		out := tabwriter.NewWriter(env.stdout, 0, 4, 2, ' ', 0)
		if !c.JSON {
			fmt.Fprintln(out, "ID\tROLE\tACTOR\tNAME\tCREATED\tBY\tLAST USED\tSTATE")
		}
		for after := uuid.Nil; ; {
			page, next, err := tokens.List(ctx, c.Tenant, after, 200)
			if err != nil {
				return err
			}
			for _, t := range page {
				token := shown(t, now)
				if c.JSON {
					if err := json.NewEncoder(env.stdout).Encode(token); err != nil {
						return err
					}
					continue
				}
				state := token.State
				if state == "valid" && token.ExpiresAt != nil {
					state = "until " + day(t.ExpiresAt)
				}
				fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.Role, t.Actor, t.Name, day(t.CreatedAt), cmp.Or(token.CreatedBy, "-"), day(t.LastUsedAt), state)
			}
			if next == uuid.Nil {
				return out.Flush()
			}
			after = next
		}
	})
}

// day is a time as tables show it.
func day(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.DateTime)
}

type tokenRevoke struct {
	target `prefix:""`
	Tenant string    `help:"Whose token; without it, an operator's."`
	ID     uuid.UUID `arg:"" help:"The token's id, see 'token list'."`
	JSON   bool      `help:"The token as it is now, as one JSON object."`
}

// Run revokes the token.
func (c *tokenRevoke) Run(env *environment) error {
	return c.withTokens(env, func(ctx context.Context, _ *eventstore.Store, tokens *access.Tokens) error {
		err := tokens.Revoke(ctx, c.Tenant, c.ID)
		if errors.Is(err, access.ErrNotFound) {
			return fmt.Errorf("there is no such token: `customercenter token list` has a tenant's with --tenant, and the operators' without")
		}
		if err != nil {
			return err
		}
		if !c.JSON {
			fmt.Fprintln(env.stdout, "Revoked. It stops working within five seconds.")
			return nil
		}
		token, err := tokens.One(ctx, c.Tenant, c.ID)
		if err != nil {
			return err
		}
		return json.NewEncoder(env.stdout).Encode(shown(token, time.Now()))
	})
}
