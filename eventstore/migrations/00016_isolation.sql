-- +goose Up

-- for_tenant narrows the transaction it is called in to the rows of one tenant; of '' to none. isolate() makes it take the role customercenter_app, too,
-- where there is one: only then the policies below bind, as they bind neither the owner of a table nor a superuser.
create or replace function for_tenant(p_tenant text) returns text language sql volatile as $$ select set_config('customercenter.tenant', p_tenant, true) $$;

-- isolate_schema shows and gives the role customercenter_app of the tables of a schema only one tenant's rows. A table that has that already is not locked.
-- p_writes: what it may do there besides reading is said here; of read models nothing.
--
-- The texts that are searched are left out as long as the planner may not use their index under a policy: @> of arrays is not marked leakproof, and only a
-- superuser can do that. What is looked for there is held to the tenant by its statements alone.
-- +goose StatementBegin
create function isolate_schema(p_schema regnamespace) returns void language plpgsql as $$
declare
  may_search boolean := (select proleakproof from pg_proc where oid = 'arraycontains(anyarray, anyarray)'::regprocedure);
  is_there   boolean := to_regrole('customercenter_app') is not null;
  of_log     boolean := p_schema = (select relnamespace::regnamespace from pg_class where oid = 'events'::regclass);
  rights     text;
  t          record;
begin
  if is_there and not has_schema_privilege('customercenter_app', p_schema, 'usage') then
    execute format('grant usage on schema %s to customercenter_app', p_schema);
  end if;
  for t in
    select c.oid::regclass as name, c.relname, c.relrowsecurity as bound, a.attname as tenant,
           exists (select from pg_attribute s where s.attrelid = c.oid and s.attname = 'terms' and s.atttypid = 'bigint[]'::regtype) as searched
    from pg_class c
    left join pg_attribute a on a.attrelid = c.oid and a.attname = case when of_log and c.relname = 'tenants' then 'slug' else 'tenant' end and not a.attisdropped
    where c.relnamespace = p_schema and c.relkind = 'r' and pg_has_role(c.relowner, 'usage')
    order by c.relname
  loop
    if t.tenant is not null and not t.bound and (may_search or not t.searched) then
      execute format('alter table %s enable row level security', t.name);
      execute format('create policy one_tenant on %s using (%I = current_setting(''customercenter.tenant'', true))', t.name, t.tenant);
    end if;
    rights := case
      when not of_log then 'select'
      when t.relname in ('job_parts', 'job_progress') then 'select, insert, update, delete'
      when t.relname = 'erasures' then 'select, insert, update'
      when t.relname = 'customer_keys' then 'select, insert, delete'
      when t.relname in ('events', 'receipts') then 'select, insert'
      when t.relname in ('tenants', 'log_epoch', 'projection_builds', 'projection_checkpoints', 'parked_customers', 'policy_due') then 'select'
    end;
    if is_there and rights is not null and not has_table_privilege('customercenter_app', t.name, 'select') then
      execute format('grant %s on %s to customercenter_app', rights, t.name);
    end if;
  end loop;
end
$$;
-- +goose StatementEnd

-- isolate does that for the log and for all read models, and makes the role if it may. It is called at every start: rights may have been given since, and a
-- backup holds neither roles nor what is granted to them. It answers whether the role can be taken.
-- +goose StatementBegin
create function isolate() returns boolean language plpgsql as $$
declare
  taking text := case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end;
  usable boolean;
begin
  perform pg_advisory_xact_lock(hashtextextended('customercenter/isolate', 0));
  begin
    if to_regrole('customercenter_app') is null then
      create role customercenter_app nologin;
    end if;
  exception when insufficient_privilege or duplicate_object or unique_violation then
    null; -- who may not do without it; of two who make it at once, in two databases, one is enough
  end;
  if to_regrole('customercenter_app') is null then
    usable := false;
  else
    begin
      if not pg_has_role('customercenter_app', taking) then
        execute format('grant customercenter_app to %I', current_user);
      end if;
    exception when insufficient_privilege then
      null;
    end;
    usable := pg_has_role('customercenter_app', taking);
  end if;
  begin
    if not (select proleakproof from pg_proc where oid = 'arraycontains(anyarray, anyarray)'::regprocedure) then
      alter function arraycontains(anyarray, anyarray) leakproof;
    end if;
  exception when insufficient_privilege then
    null;
  end;
  perform isolate_schema(n.oid::regnamespace) from pg_namespace n
    where n.oid = (select relnamespace from pg_class where oid = 'events'::regclass) or n.nspname in (select schema from projection_builds);
  if usable is distinct from (obj_description('for_tenant(text)'::regprocedure) = 'takes the role') then
    if usable then
      create or replace function for_tenant(p_tenant text) returns text language sql volatile as
        'select set_config(''customercenter.tenant'', p_tenant, true) || set_config(''role'', ''customercenter_app'', true)';
      comment on function for_tenant(text) is 'takes the role';
    else
      create or replace function for_tenant(p_tenant text) returns text language sql volatile as
        'select set_config(''customercenter.tenant'', p_tenant, true)';
      comment on function for_tenant(text) is 'takes no role';
    end if;
  end if;
  return usable;
end
$$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
do $$
declare
  p record;
begin
  for p in select policyname, format('%I.%I', schemaname, tablename) as of from pg_policies where policyname = 'one_tenant' loop
    execute format('drop policy one_tenant on %s', p.of);
    execute format('alter table %s disable row level security', p.of);
  end loop;
end
$$;
-- +goose StatementEnd
drop function isolate();
drop function isolate_schema(regnamespace);
drop function for_tenant(text);
