-- +goose Up

-- A browser that is signed in to the pages. It holds a secret in a cookie; here is only its hash. What the sign-in may do is what its
-- token may: it ends with it.
create table sign_ins (
  hash       bytea       primary key,                 -- SHA-256
  token      uuid        not null references tokens (id),
  created_at timestamptz not null,
  expires_at timestamptz not null,                    -- whatever happens
  seen_at    timestamptz not null,                    -- to a minute; it ends some time after
  ended_at   timestamptz,                             -- signed out
  wrote      bigint,                                  -- position of the last write, which the next page shows
  wrote_at   timestamptz,
  notice     bytea                                    -- what the next page tells, sealed with the sign-in's secret
);
create index sign_ins_expire on sign_ins (expires_at);

-- A link that signs in once. It is printed, and forgotten but for its hash.
create table sign_in_links (
  hash       bytea       primary key,                 -- SHA-256
  token      uuid        not null references tokens (id),
  created_at timestamptz not null,
  expires_at timestamptz not null,
  used_at    timestamptz
);
create index sign_in_links_expire on sign_in_links (expires_at);

-- What was looked for on a page and must not stand in its address: names and numbers. Sealed with the sign-in's secret, and gone with it.
create table sign_in_queries (
  sign_in    bytea       not null references sign_ins (hash) on delete cascade,
  id         text collate "C" not null,
  sealed     bytea       not null,
  created_at timestamptz not null,
  primary key (sign_in, id)
);

-- +goose Down
drop table sign_in_queries, sign_in_links, sign_ins;
