package main

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

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
	return t.withKeys(env, func(ctx context.Context, pool *pgxpool.Pool, keys *keyring.Keyring) error {
		here, err := keys.Attend(ctx, processName())
		if err != nil {
			return masterNeeded(err)
		}
		defer here.Leave()
		return do(ctx, eventstore.New(pool, codec(), keys))
	})
}

// withKeys opens the target's database, migrated, and the keys in it. Whether the master key is the right one was not looked at.
func (t target) withKeys(env *environment, do func(ctx context.Context, pool *pgxpool.Pool, keys *keyring.Keyring) error) error {
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
	return do(env.ctx, pool, keyring.New(pool, master))
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
