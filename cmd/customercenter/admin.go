package main

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/eventstore"
	"customercenter/eventstore/keyring"
)

// migrateCommand brings the database to this program's version.
type migrateCommand struct {
	target `prefix:""`
}

// Run migrates.
func (c *migrateCommand) Run(env *environment) error {
	return c.withStore(env, func(context.Context, *eventstore.Store) error { // opening migrates
		fmt.Fprintln(env.stdout, "The database is up to date.")
		return nil
	})
}

// withStore opens the target's event store, migrated, for one command.
func (t target) withStore(env *environment, do func(ctx context.Context, s *eventstore.Store) error) error {
	f, err := t.find()
	if err != nil {
		return err
	}
	if err := f.needDatabase(); err != nil {
		return err
	}
	master, err := t.master()
	if err != nil {
		return err
	}
	pool, err := eventstore.Connect(env.ctx, f.DatabaseURL, 4)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := waitForDatabase(env.ctx, pool); err != nil {
		return err
	}
	if err := eventstore.Migrate(env.ctx, pool); err != nil {
		return err
	}
	keys := keyring.New(pool, master)
	if err := checkMaster(env.ctx, keys); err != nil {
		return err
	}
	return do(env.ctx, eventstore.New(pool, codec(), keys))
}

// checkMaster refuses to go on with a master key that is not the database's: what it would seal, nobody else could read.
func checkMaster(ctx context.Context, keys *keyring.Keyring) error {
	if err := keys.Check(ctx); err != nil {
		return fmt.Errorf("%w. Give the database's own master key with CUSTOMERCENTER_MASTER_KEY or --master-key-file (`up` keeps it as master.key in its data directory)", err)
	}
	return nil
}

// tenantCommand creates and lists tenants.
type tenantCommand struct {
	Create tenantCreate `cmd:"" help:"Create a tenant."`
	List   tenantList   `cmd:"" help:"List all tenants."`
}

type tenantCreate struct {
	target `prefix:""`
	Slug   string `arg:"" help:"1 to 32 of a-z, 0-9 and -; it cannot be changed."`
	Name   string `help:"What people call it. Default: the slug."`
}

// Run creates the tenant.
func (c *tenantCreate) Run(env *environment) error {
	return c.withStore(env, func(ctx context.Context, s *eventstore.Store) error {
		name := c.Name
		if name == "" {
			name = c.Slug
		}
		if err := s.CreateTenant(ctx, c.Slug, name); err != nil {
			return err
		}
		fmt.Fprintf(env.stdout, "Tenant %s is there. Give somebody access with: customercenter token create --tenant %s --role admin --actor NAME\n", c.Slug, c.Slug)
		return nil
	})
}

type tenantList struct {
	target `prefix:""`
	JSON   bool `help:"One JSON object a line."`
}

// Run lists the tenants.
func (c *tenantList) Run(env *environment) error {
	return c.withStore(env, func(ctx context.Context, s *eventstore.Store) error {
		tenants, err := s.Tenants(ctx)
		if err != nil {
			return err
		}
		out := tabwriter.NewWriter(env.stdout, 0, 4, 2, ' ', 0)
		if !c.JSON {
			fmt.Fprintln(out, "SLUG\tNAME\tEVENTS\tCREATED")
		}
		for _, t := range tenants {
			head, err := s.Head(ctx, t.Slug)
			if err != nil {
				return err
			}
			if c.JSON {
				if err := json.NewEncoder(env.stdout).Encode(map[string]any{"slug": t.Slug, "name": t.Name, "events": head, "created_at": t.CreatedAt.UTC()}); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintf(out, "%s\t%s\t%d\t%s\n", t.Slug, t.Name, head, t.CreatedAt.UTC().Format(time.DateTime))
		}
		return out.Flush()
	})
}

// tokenCommand creates, lists and revokes tokens.
type tokenCommand struct {
	Create tokenCreate `cmd:"" help:"Create a token and print it. It cannot be shown again."`
	List   tokenList   `cmd:"" help:"List the tokens of a tenant, without their texts."`
	Revoke tokenRevoke `cmd:"" help:"Revoke a token; it stops working within seconds."`
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
}

// Run creates the token.
func (c *tokenCreate) Run(env *environment) error {
	if (c.Role == string(access.Operator)) != (c.Tenant == "") {
		return usageError{"--tenant is needed for every role but operator"}
	}
	if (c.Role == string(access.Channel)) != (c.Association > 0) {
		return usageError{"--association is needed for the role channel, and for no other"}
	}
	return c.withStore(env, func(ctx context.Context, s *eventstore.Store) error {
		n := access.New{Tenant: c.Tenant, Role: access.Role(c.Role), Actor: c.Actor, Name: c.Name, Association: c.Association, Personal: c.Personal}
		if c.Expires > 0 {
			n.ExpiresAt = time.Now().Add(c.Expires)
		}
		text, _, err := access.NewTokens(s.Pool(), time.Now, s.Secret).Create(ctx, n, nil)
		if err != nil {
			return err
		}
		fmt.Fprintln(env.stdout, text)
		return nil
	})
}

type tokenList struct {
	target `prefix:""`
	Tenant string `help:"Whose tokens; without it, the operators'."`
	JSON   bool   `help:"One JSON object a line."`
}

// Run lists the tokens.
func (c *tokenList) Run(env *environment) error {
	return c.withStore(env, func(ctx context.Context, s *eventstore.Store) error {
		tokens := access.NewTokens(s.Pool(), time.Now, s.Secret)
		out := tabwriter.NewWriter(env.stdout, 0, 4, 2, ' ', 0)
		if !c.JSON {
			fmt.Fprintln(out, "ID\tROLE\tACTOR\tNAME\tCREATED\tLAST USED\tSTATE")
		}
		for after := uuid.Nil; ; {
			page, next, err := tokens.List(ctx, c.Tenant, after, 200)
			if err != nil {
				return err
			}
			for _, t := range page {
				if c.JSON {
					if err := json.NewEncoder(env.stdout).Encode(t); err != nil {
						return err
					}
					continue
				}
				fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.Role, t.Actor, t.Name, day(t.CreatedAt), day(t.LastUsedAt), tokenState(t, time.Now()))
			}
			if next == uuid.Nil {
				return out.Flush()
			}
			after = next
		}
	})
}

func day(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.DateTime)
}

func tokenState(t access.Token, now time.Time) string {
	switch {
	case !t.RevokedAt.IsZero():
		return "revoked"
	case !t.ExpiresAt.IsZero() && !t.ExpiresAt.After(now):
		return "expired"
	case !t.ExpiresAt.IsZero():
		return "until " + day(t.ExpiresAt)
	}
	return "valid"
}

type tokenRevoke struct {
	target `prefix:""`
	Tenant string    `help:"Whose token; without it, an operator's."`
	ID     uuid.UUID `arg:"" help:"The token's id, see 'token list'."`
}

// Run revokes the token.
func (c *tokenRevoke) Run(env *environment) error {
	return c.withStore(env, func(ctx context.Context, s *eventstore.Store) error {
		return access.NewTokens(s.Pool(), time.Now, s.Secret).Revoke(ctx, c.Tenant, c.ID)
	})
}
