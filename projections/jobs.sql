-- Imports, exports and bulk actions.
create table job (
  tenant     text collate "C" not null,
  id         uuid             not null, -- made in the order of time
  kind       text collate "C" not null, -- import, export, bulk
  actor_kind text collate "C" not null, -- who asked for it
  actor_id   text collate "C" not null,
  state      json             not null, -- imports.State, exports.State or bulk.State
  version    bigint           not null, -- of the stream
  primary key (tenant, id)
) with (fillfactor = 50);

-- Who got the file of an export, and when.
create table job_download (
  tenant     text collate "C" not null,
  position   bigint           not null,
  job        uuid             not null,
  at         timestamptz      not null,
  actor_kind text collate "C" not null,
  actor_id   text collate "C" not null,
  primary key (tenant, position)
);
-- indexes
create index job_kind on job (tenant, kind, id);
create index job_download_of on job_download (tenant, job, position);
