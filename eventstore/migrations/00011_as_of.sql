-- +goose Up

-- as_of: a build with an end, of one tenant. Nobody feeds it any more, and only who asks for that moment asks it. It shares its schema with
-- builds of other read models.
alter table projection_builds
  drop constraint projection_builds_schema_key,
  drop constraint projection_builds_status_check,
  add constraint projection_builds_status_check check (status in ('building', 'beside', 'live', 'failed', 'as_of'));
create unique index projection_builds_schema on projection_builds (schema) where status <> 'as_of';

-- Schemas with read models of one tenant as they were at a moment of its history. They hold personal data, and are removed after a time.
create table as_of_schemas (
  id          uuid             primary key, -- of the job that builds it
  schema      text collate "C" not null unique,
  tenant      text collate "C" not null references tenants (slug),
  position    bigint           not null, -- of the log, up to which all is folded
  instant     timestamptz      not null, -- as of which all that depends on time is judged
  models      text[]           not null, -- the read models in it
  definitions text collate "C" not null, -- which tables they have: of those that the program knows
  -- queued: waits for its turn; building: one process fills it; ready: is asked; failed: could not be built; leaving: is asked no more, and
  -- dropped when nobody can be reading it any longer
  state       text collate "C" not null default 'queued' check (state in ('queued', 'building', 'ready', 'failed', 'leaving')),
  done        bigint           not null default 0, -- events folded, over all models
  total       bigint           not null,
  bytes       bigint           not null default 0,
  code        text collate "C" not null default '', -- why it failed
  actor_kind  text collate "C" not null, -- who asked first
  actor       text collate "C" not null,
  created_at  timestamptz      not null default now(),
  changed_at  timestamptz      not null default now(), -- of the state
  asked_at    timestamptz      not null default now(), -- to ten seconds
  ends_at     timestamptz -- of one with a name of its own: kept until then, asked or not; null: shared by who asks, kept while it is asked
);
create unique index as_of_schemas_shared on as_of_schemas (tenant, position, instant, definitions)
  where ends_at is null and state in ('queued', 'building', 'ready');

-- +goose Down
drop table as_of_schemas;
delete from projection_builds where status = 'as_of';
drop index projection_builds_schema;
alter table projection_builds
  drop constraint projection_builds_status_check,
  add constraint projection_builds_status_check check (status in ('building', 'beside', 'live', 'failed')),
  add constraint projection_builds_schema_key unique (schema);
