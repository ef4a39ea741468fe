-- +goose Up

-- A build that is verifying is folded only to be compared with the live one. Nobody feeds or asks it, and whoever made it drops it when it has
-- been compared; what a process that died in the middle has left is dropped by the next who verifies.
alter table projection_builds add verifying boolean not null default false;

-- What the last verification said of a build, by tenant.
create table projection_verifications (
  build       bigint           not null references projection_builds on delete cascade,
  tenant      text collate "C" not null,
  position    bigint           not null, -- of the log, at which the last table was compared
  rows        bigint           not null, -- of the build, in all tables that were compared
  differences json             not null, -- an array: see projector.Difference
  verified_at timestamptz      not null default now(),
  primary key (build, tenant)
);

-- +goose Down
drop table projection_verifications;
alter table projection_builds drop verifying;
