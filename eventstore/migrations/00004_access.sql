-- +goose Up

-- A token lets one actor act in one role for one tenant. The token itself is nowhere: only its hash.
create table tokens (
  id           uuid        primary key,
  tenant       text collate "C" references tenants (slug), -- null for an operator, who belongs to no tenant
  hash         bytea       not null unique,                -- SHA-256
  salt         bytea,      -- from which a request that is repeated makes the same token again; null if it had no key
  role         text        not null check (role in ('admin', 'agent', 'analyst', 'channel', 'operator')),
  actor_kind   text        not null,
  actor_id     text        not null,
  name         text        not null,                       -- for people who look through the list
  association  int         check ((association is not null) = (role = 'channel')),
  personal     boolean     not null default false,         -- an analyst's token that shows personal data
  created_at   timestamptz not null default now(),
  expires_at   timestamptz,
  revoked_at   timestamptz,
  last_used_at timestamptz,                                -- to a minute
  check ((tenant is null) = (role = 'operator'))
);
create index tokens_of_tenant on tokens (tenant, created_at desc, id desc);

-- The answer to a write that is not in a log (a token, a tenant, a rebuild), so that the same request gets the same answer.
-- Ids and codes only. Writes of a log have receipts.
create table answers (
  tenant     text collate "C" not null,                    -- empty for an operator
  actor      text        not null,
  route      text        not null,
  key        text collate "C" not null,
  body       bytea       not null,
  answer     text        not null,
  expires_at timestamptz not null,
  primary key (tenant, actor, route, key)
);
create index answers_expire on answers (expires_at);

-- +goose Down
drop table answers, tokens;
