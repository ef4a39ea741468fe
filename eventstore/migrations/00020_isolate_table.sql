-- +goose Up

-- isolate_table shows and gives the role customercenter_app of a table only one tenant's rows, as isolate_schema says of a schema's. It locks the table only if it
-- has no policy yet: a migration calls it for one table after the other, each in a transaction of its own, so that none is locked while another is waited for.
-- +goose StatementBegin
create function isolate_table(p_table regclass) returns void language plpgsql as $$
declare
  may_search boolean := (select proleakproof from pg_proc where oid = 'arraycontains(anyarray, anyarray)'::regprocedure);
  is_there   boolean := to_regrole('customercenter_app') is not null;
  of_log     boolean := (select relnamespace from pg_class where oid = p_table) = (select relnamespace from pg_class where oid = 'events'::regclass);
  rights     text;
  t          record;
begin
  -- Of several processes that start at once, each finds what the others have done.
  perform pg_advisory_xact_lock(hashtextextended('customercenter/isolate', 0));
  select c.relname, c.relrowsecurity as bound, a.attname as tenant,
         exists (select from pg_attribute s where s.attrelid = c.oid and s.attname = 'terms' and s.atttypid = 'bigint[]'::regtype) as searched
    into strict t
    from pg_class c
    left join pg_attribute a on a.attrelid = c.oid and a.attname = case when of_log and c.relname = 'tenants' then 'slug' else 'tenant' end and not a.attisdropped
    where c.oid = p_table;
  if t.tenant is not null and not t.bound and (may_search or not t.searched) then
    execute format('alter table %s enable row level security', p_table);
    execute format('create policy one_tenant on %s using (%I = current_setting(''customercenter.tenant'', true))', p_table, t.tenant);
  end if;
  rights := case
    when not of_log then 'select'
    when t.relname in ('job_parts', 'job_progress') then 'select, insert, update, delete'
    when t.relname = 'erasures' then 'select, insert, update'
    when t.relname = 'customer_keys' then 'select, insert, delete'
    when t.relname in ('events', 'receipts') then 'select, insert'
    when t.relname in ('tenants', 'log_epoch', 'projection_builds', 'projection_checkpoints', 'parked_customers', 'policy_due') then 'select'
  end;
  if is_there and rights is not null and not has_table_privilege('customercenter_app', p_table, 'select') then
    execute format('grant %s on %s to customercenter_app', rights, p_table);
  end if;
end
$$;

create or replace function isolate_schema(p_schema regnamespace) returns void language plpgsql as $$
begin
  if to_regrole('customercenter_app') is not null and not has_schema_privilege('customercenter_app', p_schema, 'usage') then
    execute format('grant usage on schema %s to customercenter_app', p_schema);
  end if;
  perform isolate_table(c.oid::regclass) from pg_class c
    where c.relnamespace = p_schema and c.relkind = 'r' and pg_has_role(c.relowner, 'usage');
end
$$;
-- +goose StatementEnd

-- +goose Down
-- Nothing: the version before works with these functions, too.
select 1;
