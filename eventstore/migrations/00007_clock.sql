-- +goose Up

-- How far a build has let the clock of a tenant go. Some rows follow from the log and the time; all that fell due up to here has been
-- done. It moves in the transaction that did the last of it. Builds whose rows follow from the log alone never move it.
-- While that is being done, goal is where the clock is going: some rows may be as of then already.
alter table projection_checkpoints
  add clock timestamptz not null default '0001-01-01 00:00:00+00',
  add goal  timestamptz not null default '0001-01-01 00:00:00+00';

-- projection_tend begins a transaction that changes rows although no event is folded: because time has passed, or because a piece of a
-- greater work is done. As projection_advance, it fails with CC010 when somebody else has moved the checkpoint; the revision moves, so that of
-- two that do the same piece one fails.
-- +goose StatementBegin
create function projection_tend(p_build bigint, p_tenant text, p_position bigint, p_revision bigint, p_clock timestamptz, p_goal timestamptz)
returns void language plpgsql volatile as $$
begin
  perform set_config('synchronous_commit', 'off', true);
  update projection_checkpoints set revision = revision + 1, clock = p_clock, goal = greatest(goal, p_goal), updated_at = now()
  where build = p_build and tenant = p_tenant and position = p_position and revision = p_revision;
  if not found then
    raise exception 'the checkpoint was moved by somebody else' using errcode = 'CC010';
  end if;
end
$$;
-- +goose StatementEnd

-- How far subscribers have been told who entered and left groups. Changes are numbered (written) in the order in which a build made them;
-- another build has other numbers. So what counts when another one is served is the instant: all changes before safe_at have been told.
create table group_publications (
  tenant     text collate "C" primary key references tenants (slug),
  build      bigint           not null, -- whose numbers these are; 0 at the beginning
  written    bigint           not null, -- told up to here
  -- Of the numbers up to repeat_to only changes from repeat_from on are told: the ones before were told by another build's numbers.
  repeat_to   bigint          not null,
  repeat_from timestamptz     not null,
  safe_at    timestamptz      not null,
  updated_at timestamptz      not null default now()
) with (fillfactor = 50);

-- +goose Down
drop table group_publications;
drop function projection_tend;
alter table projection_checkpoints drop clock, drop goal;
