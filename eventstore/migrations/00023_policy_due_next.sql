-- +goose Up

-- The index before goes where nothing waits yet, as in a database that is being made: only there may the planner know of too few rows. Elsewhere it stays for
-- processes of the version before, which ask by it; where it is gone they find what is due by the index of the key, in more time.
-- +goose StatementBegin
do $$
begin
  if not exists (select from policy_due) then
    drop index policy_due_next;
  end if;
end
$$;
-- +goose StatementEnd

-- +goose Down
create index if not exists policy_due_next on policy_due (tenant, policy, next_at);
