-- +goose Up

-- Moving a policy's position waits for no disk: what follows from an event comes first and can be repeated, so should the server fall, a position,
-- with what was noted with it, may be as it was a moment ago.
-- +goose StatementBegin
create or replace function policy_advance(p_tenant text, p_policy text, p_from bigint, p_to bigint) returns void language plpgsql volatile as $$
begin
  perform set_config('synchronous_commit', 'off', true);
  update policy_positions set position = p_to, updated_at = now() where tenant = p_tenant and policy = p_policy and position = p_from;
  if not found then
    raise exception 'the position was moved by somebody else' using errcode = 'CC020';
  end if;
end
$$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
create or replace function policy_advance(p_tenant text, p_policy text, p_from bigint, p_to bigint) returns void language plpgsql volatile as $$
begin
  update policy_positions set position = p_to, updated_at = now() where tenant = p_tenant and policy = p_policy and position = p_from;
  if not found then
    raise exception 'the position was moved by somebody else' using errcode = 'CC020';
  end if;
end
$$;
-- +goose StatementEnd
