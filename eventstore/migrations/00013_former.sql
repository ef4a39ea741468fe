-- +goose Up

-- When a process last noted that it feeds this version of a projection. A version that nobody feeds for long, and that has a later one, is dropped.
alter table projection_live add fed_at timestamptz not null default now();

-- When the process that builds last said how far it is: what a program of other versions has left half built is known by that.
alter table as_of_schemas add noted_at timestamptz not null default now();

-- +goose Down
alter table as_of_schemas drop noted_at;
alter table projection_live drop fed_at;
