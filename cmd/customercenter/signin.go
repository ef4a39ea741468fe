package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/domain/text"
	"customercenter/eventstore"
)

// linkOfUp is how long the link that `up` prints can be used: whoever starts it may look at the pages later that day.
const linkOfUp = 12 * time.Hour

// signInLinkCommand prints a link that signs in once.
type signInLinkCommand struct {
	target    `prefix:""`
	Tenant    string        `help:"Whose data it opens. An operator's belongs to none."`
	Role      string        `help:"admin, agent, analyst or operator." default:"admin" enum:"admin,agent,analyst,operator"`
	Actor     string        `help:"Id of whom it is for; it stands in every event they cause." default:"admin"`
	Personal  bool          `help:"Let an analyst see personal data."`
	Token     string        `help:"Sign in with this token, by its id, instead of making one." placeholder:"ID"`
	Valid     time.Duration `help:"How long the link can be used." default:"15m"`
	PublicURL string        `help:"Where people find the pages. Default: where 'customercenter up' of the data directory listens." placeholder:"URL"`
	JSON      bool          `help:"The link and until when it can be used, as one JSON object."`
}

// Run makes the link and prints it.
func (c *signInLinkCommand) Run(env *environment) error {
	role, tenant := access.Role(c.Role), c.Tenant
	actor, ok := text.Line(c.Actor)
	switch {
	case c.Token == "" && (role == access.Operator) != (tenant == ""):
		return usageError{"--tenant is needed for every role but operator"}
	case c.Personal && role != access.Analyst:
		return usageError{"--personal is for the role analyst: the others see personal data or have nothing to do with it"}
	case !ok || actor == "" || utf8.RuneCountInString(actor) > 128:
		return usageError{"--actor takes 1 to 128 characters"}
	case c.Valid <= 0 || c.Valid > 7*24*time.Hour:
		return usageError{"--valid takes a time of up to 168h"}
	}
	id, err := uuid.Parse(c.Token)
	if c.Token != "" && err != nil {
		return usageError{"--token takes the id of a token, see 'token list'"}
	}
	f, err := c.find()
	if err != nil {
		return err
	}
	base := c.PublicURL
	if base == "" && f.run != nil {
		base = f.run.URL
	}
	if base == "" {
		return usageError{"where are the pages? Name their address with --public-url"}
	}
	return c.withTokens(env, func(ctx context.Context, s *eventstore.Store, tokens *access.Tokens) error {
		signIns := access.NewSignIns(s.Pool(), time.Now)
		var err error
		if c.Token == "" {
			id, err = tokenOfLink(ctx, tokens, access.New{Tenant: tenant, Role: role, Actor: actor, Personal: c.Personal}, c.Valid)
		} else {
			_, err = tokens.One(ctx, tenant, id)
		}
		switch {
		case errors.Is(err, access.ErrTenant):
			return fmt.Errorf("there is no tenant %s. Create it with: customercenter tenant create %s", tenant, tenant)
		case errors.Is(err, access.ErrNotFound):
			return fmt.Errorf("there is no such token: `customercenter token list` has a tenant's with --tenant, and the operators' without")
		case err != nil:
			return err
		}
		link, err := linkTo(ctx, signIns, base, id, c.Valid)
		if err != nil {
			return err
		}
		if c.JSON {
			return json.NewEncoder(env.stdout).Encode(struct {
				Link      string    `json:"link"`
				ExpiresAt time.Time `json:"expires_at"`
			}{link, time.Now().Add(c.Valid).UTC()})
		}
		fmt.Fprintln(env.stdout, link)
		return nil
	})
}

// tokenOfLink makes the token that a link signs in with. Nobody ever sees its text; it ends when no sign-in by the link can last any longer.
// It stands in the list of tokens, and revoking it ends the sign-in.
func tokenOfLink(ctx context.Context, tokens *access.Tokens, n access.New, valid time.Duration) (uuid.UUID, error) {
	n.Name, n.By = "sign-in link", access.Maker{Kind: string(access.Operator), ID: "command-line"}
	n.ExpiresAt = time.Now().Add(valid + access.SignInFor)
	_, made, err := tokens.Create(ctx, n, nil)
	return made.ID, err
}

// linkTo makes a link that signs in with a token.
func linkTo(ctx context.Context, signIns *access.SignIns, base string, token uuid.UUID, valid time.Duration) (string, error) {
	secret, err := signIns.Link(ctx, token, valid)
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(base, "/") + "/sign-in/" + secret, nil
}

// invite ends what `up` prints: with a link for an admin of the first tenant, or with how to get there.
func (n *node) invite(ctx context.Context, env *environment, address string, c *upCommand) error {
	all, err := n.store.Tenants(ctx)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		fmt.Fprintf(env.stdout, "Next: customercenter tenant create acme --data %s\n", c.Data)
		if c.Pages {
			fmt.Fprintf(env.stdout, "Then: customercenter sign-in-link --tenant acme --data %s\n", c.Data)
		}
		return nil
	}
	if !c.Pages {
		return nil
	}
	token, err := tokenOfLink(ctx, n.tokens, access.New{Tenant: all[0].Slug, Role: access.Admin, Actor: "admin"}, linkOfUp)
	if err != nil {
		return err
	}
	if err := n.printLink(ctx, env, cmp.Or(c.PublicURL, address), token); err != nil {
		return err
	}
	fmt.Fprintf(env.stdout, "It is for an admin of the tenant %s. Others: customercenter sign-in-link --tenant NAME --data %s\n", all[0].Slug, c.Data)
	return nil
}

func (n *node) printLink(ctx context.Context, env *environment, base string, token uuid.UUID) error {
	link, err := linkTo(ctx, n.signIns, base, token, linkOfUp)
	if err != nil {
		return err
	}
	fmt.Fprintf(env.stdout, "\nSign in to the pages (once, within %d hours):\n  %s\n", int(linkOfUp.Hours()), link)
	return nil
}
