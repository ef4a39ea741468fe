-- +goose Up

-- The master keys, by names that do not tell them: the one that wraps, those by which something may still be wrapped, and those that did so once.
-- No row: the first process writes them.
create table master_keys (
  id         text collate "C" primary key,
  wraps      boolean     not null,
  since      timestamptz not null default now(), -- it wraps, or has been known
  retired_at timestamptz check (not wraps or retired_at is null) -- since then nothing is wrapped by it
);
create unique index master_keys_wraps on master_keys (wraps) where wraps;

-- Processes, and which master keys each has. One that has not been seen for a minute is not there any more.
create table master_key_holders (
  process    uuid primary key,
  name       text        not null, -- machine and number
  holds      text[]      not null,
  started_at timestamptz not null default now(),
  seen_at    timestamptz not null default now()
);

-- A process that does not know yet which master key wraps is told so when it inserts: nothing is written then, and it wraps anew.
-- It looks past what the role customercenter_app may see.
-- +goose StatementBegin
create function refuse_older_master() returns trigger language plpgsql security definer set search_path from current as $$
begin
  if exists (select from added a where a.master <> (select m.id from master_keys m where m.wraps)) then
    raise exception 'wrapped by a master key that wraps no more' using errcode = 'CC003';
  end if;
  return null;
end
$$;
-- +goose StatementEnd
create trigger customer_keys_master after insert on customer_keys referencing new table as added for each statement execute function refuse_older_master();
create trigger tenants_master after insert on tenants referencing new table as added for each statement execute function refuse_older_master();

-- +goose Down
drop trigger tenants_master on tenants;
drop trigger customer_keys_master on customer_keys;
drop function refuse_older_master;
drop table master_key_holders, master_keys;
