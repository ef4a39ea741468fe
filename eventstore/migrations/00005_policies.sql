-- +goose Up

-- How far a policy has dealt with a tenant's log. What follows from an event happens before the position moves, so a crash in between
-- repeats it: whatever a policy does can be repeated.
create table policy_positions (
  tenant     text collate "C" not null,
  policy     text collate "C" not null,
  position   bigint           not null default 0,
  updated_at timestamptz      not null default now(),
  primary key (tenant, policy)
) with (fillfactor = 20);

-- What a policy has to do at an instant. Rows follow from the log, and change in the transaction that moves the position.
create table policy_due (
  tenant   text collate "C" not null,
  policy   text collate "C" not null,
  key      text collate "C" not null, -- what it is about, in the policy's own terms; ids only
  position bigint           not null, -- of the event that led to it
  due_at   timestamptz      not null,
  next_at  timestamptz      not null, -- when it is tried next: due_at at first
  primary key (tenant, policy, key)
);
create index policy_due_next on policy_due (tenant, policy, next_at);

-- policy_advance moves a position, or fails with CC020 when somebody else has moved it. It comes first in every transaction that changes
-- what is due.
-- +goose StatementBegin
create function policy_advance(p_tenant text, p_policy text, p_from bigint, p_to bigint) returns void language plpgsql volatile as $$
begin
  update policy_positions set position = p_to, updated_at = now() where tenant = p_tenant and policy = p_policy and position = p_from;
  if not found then
    raise exception 'the position was moved by somebody else' using errcode = 'CC020';
  end if;
end
$$;
-- +goose StatementEnd

-- +goose Down
drop function policy_advance;
drop table policy_due, policy_positions;
