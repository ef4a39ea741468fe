-- +goose Up

-- A refill publishes a tenant's log again from a position on. Refills are counted, and messages carry the count, so that where
-- to go on is found among the messages of the current filling only.
alter table relay_cursors
  add refill      int    not null default 0,
  add refill_from bigint not null default 1,
  -- Why nothing of this tenant is published until an operator acts; null when all is well.
  add stopped     text;

-- +goose Down
alter table relay_cursors drop refill, drop refill_from, drop stopped;
