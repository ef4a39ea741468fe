-- +goose Up

-- What is due is found by an index that nobody else can take. The one before begins with tenant and policy, as the key does, and so looks as cheap as the key's to a
-- planner that knows of a few rows: who knew a key was led through all rows of its policy. Policies wait while it is made, some tenths of a second for a
-- hundred thousand rows; made concurrently, it would wait for every backup that is under way.
create index policy_due_by_time on policy_due ((tenant || '/' || policy), next_at);

-- +goose Down
drop index policy_due_by_time;
