-- +goose Up

-- A tenant whom the planner has not heard of has no rows in its eyes: whatever index begins with the tenant looks as cheap as any other, and all that the tenant has may be
-- read through the wrong one. So appends look up what they need by an index that has it in the order that is asked for; and tables are analyzed
-- after so many rows, not after a part of all: among very many rows, those of a new tenant would count late or never.
--
-- The locks that this takes keep nobody from reading or writing. Autovacuum has them, too, and gives way after a second.
set local lock_timeout = '10s';
alter function append_events set enable_sort = off;
alter table events set (autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 2000);

-- analyze_often does the latter for the tables of a schema.
-- +goose StatementBegin
create function analyze_often(p_schema regnamespace) returns void language plpgsql as $$
declare
  t regclass;
begin
  for t in select oid from pg_class where relnamespace = p_schema and relkind = 'r' and pg_has_role(relowner, 'usage') loop
    begin
      execute format('alter table %s set (autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 2000)', t);
    exception when undefined_table then
      null; -- dropped meanwhile, with its build
    end;
  end loop;
end
$$;
-- +goose StatementEnd

select analyze_often(n.oid::regnamespace) from pg_namespace n where n.nspname in (select schema from projection_builds);

-- +goose Down
-- +goose StatementBegin
do $$
declare
  t regclass;
begin
  for t in select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in (select schema from projection_builds) and c.relkind = 'r' and pg_has_role(c.relowner, 'usage')
  loop
    execute format('alter table %s reset (autovacuum_analyze_scale_factor, autovacuum_analyze_threshold)', t);
  end loop;
end
$$;
-- +goose StatementEnd
drop function analyze_often(regnamespace);
alter table events set (autovacuum_analyze_scale_factor = 0.05);
alter table events reset (autovacuum_analyze_threshold);
alter function append_events reset enable_sort;
