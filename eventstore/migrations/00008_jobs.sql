-- +goose Up

-- What jobs keep beside the log, in parts: the rows of an uploaded file, who a bulk action is about, the file of an export. The log says what
-- became of them. They are deleted when their time is over, and what belongs to no job, because a process died in between, too.
create table job_parts (
  tenant     text collate "C" not null references tenants (slug),
  job        uuid             not null,
  part       int              not null, -- from 0
  content    bytea            not null,
  written_at timestamptz      not null default now(),
  primary key (tenant, job, part)
);
alter table job_parts alter content set storage external; -- compressed already, or not worth it
create index job_parts_old on job_parts (written_at);

-- How far a job has come that says nothing of it in the log. It may be lost.
create table job_progress (
  tenant     text collate "C" not null,
  job        uuid             not null,
  done       bigint           not null,
  total      bigint           not null,
  updated_at timestamptz      not null default now(),
  primary key (tenant, job)
) with (fillfactor = 20);

-- +goose Down
drop table job_progress, job_parts;
