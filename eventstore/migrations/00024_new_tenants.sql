-- +goose Up

-- A tenant whom the planner has not heard of has no rows in its eyes: whatever index begins with the tenant looks as cheap as any other, and all that the tenant has may be
-- read through the wrong one. So appends look up what they need by an index that has it in the order that is asked for; and tables are analyzed
-- after so many rows, not after a part of all: among very many rows, those of a new tenant would count late or never.
alter function append_events set enable_sort = off;
alter table events set (autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 20000);

-- analyze_often does the latter for the tables of a schema.
-- +goose StatementBegin
create function analyze_often(p_schema regnamespace) returns void language plpgsql as $$
declare
  t regclass;
begin
  for t in select oid from pg_class where relnamespace = p_schema and relkind = 'r' and pg_has_role(relowner, 'usage') loop
    execute format('alter table %s set (autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 20000)', t);
  end loop;
end
$$;
-- +goose StatementEnd

select analyze_often(n.oid::regnamespace) from pg_namespace n where n.nspname in (select schema from projection_builds);

-- +goose Down
drop function analyze_often(regnamespace);
alter table events set (autovacuum_analyze_scale_factor = 0.05);
alter table events reset (autovacuum_analyze_threshold);
alter function append_events reset enable_sort;
