-- +goose Up

-- Statements are planned once a connection, also while there are few rows, and their plans are used while there are more and more, until the server has analyzed
-- the table.

-- What append_events looks up was read without an index then: all rows at every append.
alter function append_events set enable_seqscan = off;

-- Who knows the key of a row in policy_due was led through all rows of its policy by an index that begins with tenant and policy, too.
create index policy_due_by_time on policy_due ((tenant || '/' || policy), next_at);
drop index policy_due_next;

-- +goose Down
create index policy_due_next on policy_due (tenant, policy, next_at);
drop index policy_due_by_time;
alter function append_events reset enable_seqscan;
