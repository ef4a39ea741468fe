-- +goose Up

-- A tenant is one company. Its secret (wrapped by the master key) makes customer ids unguessable.
create table tenants (
  slug        text collate "C" primary key check (slug ~ '^[a-z0-9-]{1,32}$'),
  name        text        not null,
  secret      bytea       not null,
  master      text        not null,
  created_at  timestamptz not null default now()
);

-- The log: per tenant dense, commit-ordered positions. Insert-only.
-- json, not jsonb: payloads are written and read whole, about 1.5x faster.
create table events (
  tenant       text collate "C" not null,
  position     bigint           not null,
  stream       text collate "C" not null,
  version      bigint           not null,
  type         text collate "C" not null,
  type_version int              not null,
  customer     uuid,
  data         json             not null,
  meta         json             not null,
  recorded_at  timestamptz      not null,
  primary key (tenant, position),
  unique (tenant, stream, version)
);
-- An event is never updated, so pages may be full; statistics on payloads help nobody.
alter table events alter data set statistics 0, alter meta set statistics 0;
-- Insert-only tables are vacuumed for the visibility map and against wrap-around, in small steps.
alter table events set (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);

-- For analysts: payload and envelope as jsonb.
create view events_v as
select tenant, position, stream, version, type, type_version, customer, data::jsonb as data, meta::jsonb as meta, recorded_at
from events;

-- The answer to a request that was already carried out (or refused). Ids and codes only, never personal data.
create table receipts (
  tenant     text collate "C" not null,
  actor      text collate "C" not null,
  route      text collate "C" not null,
  key        text collate "C" not null,
  body       bytea            not null,
  answer     text             not null,
  append     uuid             not null,
  position   bigint           not null,
  expires_at timestamptz      not null,
  primary key (tenant, actor, route, key)
);
create index receipts_expire on receipts (expires_at);

-- One key per customer and generation, wrapped by the master key. Erasing a person deletes the row.
create table customer_keys (
  tenant     text collate "C" not null,
  customer   uuid             not null,
  generation int              not null,
  master     text             not null,
  wrapped    bytea            not null,
  created_at timestamptz      not null default now(),
  primary key (tenant, customer, generation)
);

-- The epoch of the log changes when the log is restored from a backup; the bus is then refilled under the new one.
create table log_epoch (
  only_row boolean primary key default true check (only_row),
  epoch    uuid    not null default gen_random_uuid()
);
insert into log_epoch default values;

-- How far each tenant's log has been carried to the bus. Lazy: the stream itself knows better.
create table relay_cursors (
  tenant          text collate "C" primary key references tenants (slug),
  epoch           uuid             not null,
  position        bigint           not null,
  stream_created  timestamptz      not null,
  stream_sequence bigint           not null,
  updated_at      timestamptz      not null default now()
);

-- append_events appends a batch of independent appends of one tenant in one call and gives each its own verdict.
--
-- It must run as the only statement of its transaction at READ COMMITTED: each statement inside then sees everything
-- that was committed before the lock was granted, and the lock is released only after the commit is visible.
-- So positions are dense, in commit order, and whoever sees position p has seen 1..p.
--
--   p_near  a position that the caller has seen, 0 if none. The scan for the last one starts there, and so does that for a stream's last
--           version at the expected one: read backwards from the end of an index, the first row costs as much as all of its page.
--   x_*  what each append expects: streams it writes to and streams it guards, with the version each must have. Streams that begin may
--        be left out: should one be there already, a unique index refuses the batch
--   e_*  the events, in order; e_append is the index (1-based) of the append it belongs to
--   r_*  receipts; r_last is the ordinal (1-based) of the append's last event, 0 if it has none
--   k_*  new customer keys
-- Where a batch has none of a kind, its arrays are null.
--
-- The answer is one JSON value (a function that returns columns costs a call some 20 µs more): base, the position before the first
-- inserted event; at, when they were recorded, in microseconds of the epoch; conflicts, receipts: what was refused and why. Appends not named there
-- were accepted; their events follow base in order. done is the position of the first event of the stream, and when it was recorded, of
-- an append that is in the log already, written by an earlier call whose answer was lost.
-- +goose StatementBegin
create function append_events(
  p_tenant text, p_now timestamptz, p_near bigint, p_append uuid[],
  x_append int[], x_stream text[], x_version bigint[],
  e_append int[], e_stream text[], e_version bigint[], e_type text[], e_type_version int[], e_customer uuid[], e_data text[], e_meta text[],
  r_append int[], r_actor text[], r_route text[], r_key text[], r_body bytea[], r_answer text[], r_last int[], r_expires timestamptz[],
  k_append int[], k_customer uuid[], k_generation int[], k_master text[], k_wrapped bytea[]
) returns json language plpgsql volatile set plan_cache_mode = force_generic_plan as $$
declare
  base      bigint;
  at        timestamptz;
  inserted  bigint := 0;
  refused   int[];
  kept      bigint[];
  conflicts json;
  repeated  json;
begin
  if p_now not between clock_timestamp() - interval '1 minute' and clock_timestamp() + interval '1 minute' then
    raise exception 'the clocks of the caller and the database differ by more than a minute' using errcode = 'CC001';
  end if;
  if pg_advisory_xact_lock(hashtextextended('append/' || p_tenant, 0)) is null then -- an expression costs less than a statement
    return null;
  end if;

  select e.position, e.recorded_at into base, at from events e where e.tenant = p_tenant and e.position >= p_near order by e.position desc limit 1;
  if not found then
    select e.position, e.recorded_at into base, at from events e where e.tenant = p_tenant order by e.position desc limit 1;
  end if;
  if base is null then
    if not exists (select from tenants where slug = p_tenant) then
      raise exception 'unknown tenant' using errcode = 'CC002';
    end if;
    base := 0;
  end if;
  at := greatest(clock_timestamp(), at);

  -- Nearly always every append of the batch is acceptable: one statement checks all and inserts all. The receipts are looked up one by
  -- one, by the index: left to the planner, a plan made while the table was small reads all of it at every call.
  if r_append is null or not exists (
      select from unnest(r_actor, r_route, r_key) r(actor, route, key)
      cross join lateral (select from receipts c where c.tenant = p_tenant and c.actor = r.actor and c.route = r.route and c.key = r.key
                          limit 1) c) then
    insert into events (tenant, position, stream, version, type, type_version, customer, data, meta, recorded_at)
    select p_tenant, base + e.o, e.stream, e.version, e.type, e.type_version, e.customer, e.data::json, e.meta::json, at
    from unnest(e_stream, e_version, e_type, e_type_version, e_customer, e_data, e_meta)
      with ordinality e(stream, version, type, type_version, customer, data, meta, o)
    where not exists (
      select from unnest(x_stream, x_version) x(s, v)
      where x.v <> coalesce((select l.version from events l where l.tenant = p_tenant and l.stream = x.s and l.version >= x.v
                             order by l.version desc limit 1), 0));
    get diagnostics inserted = row_count;
  end if;

  if inserted = 0 then
    select array_agg(x.a), json_agg(json_build_object('append', x.a, 'stream', x.s, 'actual', y.actual, 'done',
             (select array[e.position, (extract(epoch from e.recorded_at) * 1000000)::bigint] from events e
              where e.tenant = p_tenant and e.stream = x.s and e.version = x.v + 1
              and (e.meta ->> 'append')::uuid = p_append[x.a])))
      into refused, conflicts
    from unnest(x_append, x_stream, x_version) x(a, s, v)
    cross join lateral (select coalesce((select e.version from events e where e.tenant = p_tenant and e.stream = x.s
                                         order by e.version desc limit 1), 0) actual) y
    where y.actual <> x.v;

    if r_append is not null then
      select refused || array_agg(r.a), json_agg(json_build_object('append', r.a, 'id', c.append, 'body', encode(c.body, 'base64'),
               'answer', c.answer, 'position', c.position))
        into refused, repeated
      from unnest(r_append, r_actor, r_route, r_key) r(a, actor, route, key)
      cross join lateral (select c.append, c.body, c.answer, c.position from receipts c
                          where c.tenant = p_tenant and c.actor = r.actor and c.route = r.route and c.key = r.key offset 0) c;
    end if;
  end if;
  refused := coalesce(refused, '{}');

  if cardinality(refused) > 0 then
    insert into events (tenant, position, stream, version, type, type_version, customer, data, meta, recorded_at)
    select p_tenant, base + row_number() over (order by e.o), e.stream, e.version, e.type, e.type_version, e.customer,
           e.data::json, e.meta::json, at
    from unnest(e_append, e_stream, e_version, e_type, e_type_version, e_customer, e_data, e_meta)
      with ordinality e(a, stream, version, type, type_version, customer, data, meta, o)
    where e.a <> all (refused);
    -- how many of the first o events were kept
    select array_agg(n order by o) into kept
    from (select o, count(*) filter (where a <> all (refused)) over (order by o) n from unnest(e_append) with ordinality t(a, o)) s;
  end if;
  if r_append is not null then
    insert into receipts (tenant, actor, route, key, body, answer, append, position, expires_at)
    select p_tenant, r.actor, r.route, r.key, r.body, r.answer, p_append[r.a],
           case when r.last = 0 then base when kept is null then base + r.last else base + kept[r.last] end, r.expires
    from unnest(r_append, r_actor, r_route, r_key, r_body, r_answer, r_last, r_expires) r(a, actor, route, key, body, answer, last, expires)
    where r.a <> all (refused);
  end if;
  if k_append is not null then
    insert into customer_keys (tenant, customer, generation, master, wrapped, created_at)
    select p_tenant, k.customer, k.generation, k.master, k.wrapped, at
    from unnest(k_append, k_customer, k_generation, k_master, k_wrapped) k(a, customer, generation, master, wrapped)
    where k.a <> all (refused);
  end if;
  return json_build_object('base', base, 'at', (extract(epoch from at) * 1000000)::bigint, 'conflicts', conflicts, 'receipts', repeated);
end
$$;
-- +goose StatementEnd

-- log_head reads the last position and the database's clock under the append lock: every event recorded up to that
-- instant is at or below that position, and every later one is recorded after it.
-- +goose StatementBegin
create function log_head(p_tenant text, out head bigint, out at timestamptz) language plpgsql volatile as $$
begin
  perform pg_advisory_xact_lock_shared(hashtextextended('append/' || p_tenant, 0));
  select coalesce(max(e.position), 0), greatest(clock_timestamp(), max(e.recorded_at)) into head, at
  from (select position, recorded_at from events where tenant = p_tenant order by position desc limit 1) e;
end
$$;
-- +goose StatementEnd

-- +goose Down
drop function log_head;
drop function append_events;
drop table relay_cursors, log_epoch, customer_keys, receipts;
drop view events_v;
drop table events, tenants;
