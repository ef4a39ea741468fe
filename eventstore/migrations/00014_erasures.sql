-- +goose Up

-- Who was erased: each life of a person up to a generation. The row is there with the event, and stays; it holds no personal data. What has to be
-- removed beside the log is removed afterwards, and done_at says that it was.
create table erasures (
  tenant     text collate "C" not null,
  customer   uuid             not null,
  generation int              not null, -- the keys up to it are destroyed
  position   bigint           not null, -- of customer.erased; 0: a backup was restored whose log does not have it, and it is to be written again
  erased_at  timestamptz      not null,
  tried_at   timestamptz,               -- when it was last tried to remove what is left
  waiting    text collate "C", -- what is left, in codes; null: not tried yet, or nothing is
  done_at    timestamptz,
  primary key (tenant, customer, generation)
);
create index erasures_recent on erasures (erased_at);
create index erasures_open on erasures (tenant, position) where done_at is null;

-- The keys go in the transaction that brings the event into the log, whichever way that is. A backup that is restored brings the event and, in another
-- file, keys that may be older: `customercenter restore` destroys them.
-- +goose StatementBegin
create function destroy_keys() returns trigger language plpgsql as $$
declare
  destroyed int := (new.data ->> 'generation')::int;
begin
  delete from customer_keys where tenant = new.tenant and customer = new.customer and generation <= destroyed;
  insert into erasures (tenant, customer, generation, position, erased_at) values (new.tenant, new.customer, destroyed, new.position, new.recorded_at)
  on conflict (tenant, customer, generation) do update set position = excluded.position, erased_at = excluded.erased_at, done_at = null
  where erasures.position = 0;
  return null;
end
$$;
-- +goose StatementEnd
create trigger events_destroy_keys after insert on events for each row when (new.type = 'customer.erased') execute function destroy_keys();

-- +goose Down
drop trigger events_destroy_keys on events;
drop function destroy_keys;
drop table erasures;
