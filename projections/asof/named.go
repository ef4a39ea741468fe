package asof

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/google/uuid"

	"customercenter/eventstore"
	"customercenter/projections/projector"
)

// This file has what people call by a name: schemas to be looked at with SQL.

var (
	namePattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,49}$`)
	// reserved are names that programs give by themselves: to schemas of the past, and to versions of read models, also of those to come.
	reserved = regexp.MustCompile(`^as_of_|^pg_|_v[0-9]+(_b[0-9]+)?$`)
)

// Name has a schema of that name built with all read models as of a moment, and kept for so long, whether or not it is asked. Its name is a to z, 0
// to 9 and _, up to 50 characters, and belongs to nothing else; "as_of_" and "pg_" begin none, and none ends
// like "_v1", as those of read models do. ErrName.
func (s *Schemas) Name(ctx context.Context, name, tenant string, m projector.Moment, by eventstore.Actor, keep time.Duration) (Schema, error) {
	if !namePattern.MatchString(name) || reserved.MatchString(name) {
		return Schema{}, ErrName
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Schema{}, fmt.Errorf("asof: %w", err)
	}
	made, free, err := s.one(ctx, `insert into as_of_schemas (id, schema, tenant, position, instant, models, definitions, total, actor_kind, actor, ends_at)
		select $1, $2::text, $3, $4, $5, $6, $7, $8, $9, $10, now() + $11::interval where not exists (select from pg_namespace where nspname = $2::text)
		on conflict (schema) do nothing returning `+columns,
		id, name, tenant, m.Position, m.At, s.names, s.all, m.Position*int64(len(s.names)), by.Kind, by.ID, keep)
	if err != nil {
		return Schema{}, err
	}
	if !free {
		return Schema{}, ErrName
	}
	s.stir()
	return made, nil
}

// Drop removes a schema at once, or if it is being built, when whoever builds it comes to it. Who reads from it is waited for. ErrUnknown.
func (s *Schemas) Drop(ctx context.Context, name string) error {
	found, known, err := s.one(ctx, `select `+columns+` from as_of_schemas where schema = $1`, name)
	if err != nil {
		return err
	}
	if !known {
		return ErrUnknown
	}
	tag, err := s.pool.Exec(ctx, `update as_of_schemas set state = 'leaving', changed_at = now() where id = $1 and state = 'building'`, found.ID)
	if err != nil {
		return fmt.Errorf("asof: %w", err)
	}
	if tag.RowsAffected() > 0 {
		return nil
	}
	return s.remove(ctx, &found)
}

// remove drops a schema that nobody builds, and forgets it.
func (s *Schemas) remove(ctx context.Context, found *Schema) error {
	// Marked first: whoever asks from now on gets another one.
	tag, err := s.pool.Exec(ctx, `update as_of_schemas set state = 'leaving', changed_at = case state when 'leaving' then changed_at else now() end
		where id = $1 and state <> 'building'`, found.ID)
	if err != nil {
		return fmt.Errorf("asof: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return nil // somebody has begun to build it
	}
	if err := s.Projector.DropAsOf(ctx, found.Name); err != nil {
		return err
	}
	if _, err := s.pool.Exec(ctx, `delete from as_of_schemas where id = $1 and state = 'leaving'`, found.ID); err != nil {
		return fmt.Errorf("asof: %w", err)
	}
	return nil
}
