-- +goose Up

-- A build is one set of tables of a projection, in a schema of its own. Several builds of one version may stand side by side:
-- the one that is served and others that are being built, compared, or kept to go back to.
create table projection_builds (
  id          bigint generated always as identity primary key,
  name        text collate "C" not null,
  version     int              not null,
  schema      text collate "C" not null unique,
  -- building: only the process that builds it feeds it; beside: fed but not served; live: fed and served;
  -- failed: building it was given up.
  status      text collate "C" not null check (status in ('building', 'beside', 'live', 'failed')),
  -- of the definition's tables and indexes: one version may not mean two things
  fingerprint text collate "C" not null,
  created_at  timestamptz      not null default now(),
  changed_at  timestamptz      not null default now()
);
create unique index projection_builds_live on projection_builds (name, version) where status = 'live';

-- Which build readers are to use: one row per projection and version, changed in one update.
create table projection_live (
  name     text collate "C" not null,
  version  int              not null,
  build    bigint           not null references projection_builds,
  previous bigint           references projection_builds on delete set null,
  primary key (name, version)
);

-- How far a build has folded a tenant's log. Whoever changes rows of a build for a tenant changes this row first, in the same
-- transaction: position for events folded, revision for anything else. So (position, revision) fences former owners.
create table projection_checkpoints (
  build      bigint           not null references projection_builds on delete cascade,
  tenant     text collate "C" not null,
  position   bigint           not null default 0,
  revision   bigint           not null default 0,
  stopped    text, -- why nothing is folded any more: an event that concerns no customer and cannot be applied
  updated_at timestamptz      not null default now(),
  primary key (build, tenant)
) with (fillfactor = 20);

-- Customers one of whose events could not be applied, with that event. Later events of the customer are passed over until
-- the customer is folded anew. The reason holds no personal data.
create table parked_customers (
  build    bigint           not null references projection_builds on delete cascade,
  tenant   text collate "C" not null,
  customer uuid             not null,
  position bigint           not null,
  type     text collate "C" not null,
  reason   text             not null,
  since    timestamptz      not null default now(),
  primary key (build, tenant, customer)
);

-- projection_advance moves a checkpoint, or fails with CC010 when somebody else has moved it. It comes first in every transaction that
-- writes rows. Such a transaction need not be on disk when it is answered: rows and checkpoint are lost together or not at all, and the
-- events that led to them were on disk before.
-- +goose StatementBegin
create function projection_advance(p_build bigint, p_tenant text, p_from bigint, p_revision bigint, p_to bigint, p_stopped text)
returns void language plpgsql volatile as $$
begin
  perform set_config('synchronous_commit', 'off', true);
  update projection_checkpoints set position = p_to, stopped = p_stopped, updated_at = now()
  where build = p_build and tenant = p_tenant and position = p_from and revision = p_revision;
  if not found then
    raise exception 'the checkpoint was moved by somebody else' using errcode = 'CC010';
  end if;
end
$$;
-- +goose StatementEnd

-- +goose Down
drop function projection_advance;
drop table parked_customers, projection_checkpoints, projection_live, projection_builds;
