-- The customers of each tenant. Everything here comes from the log; nothing is ever migrated, a new version is built beside.
create table customer (
  tenant           text collate "C" not null,
  id               uuid             not null,
  -- 1, 2, 3 … in log order of customer.created, so in the order of created_at; customers who are parked have one too
  ordinal          bigint           not null,
  generation       int              not null,
  association      int              not null,
  channel          text collate "C" not null,
  external_id      text             not null,
  nickname         text             not null,
  name             text             not null,
  phone            text             not null,
  qq               text             not null,
  wechat_id        text             not null,
  email            text             not null,
  company          text             not null,
  description      text             not null,
  custom           jsonb            not null,
  tags             uuid[]           not null,
  created_via      text collate "C" not null,
  created_at       timestamptz      not null, -- the log's time
  updated_at       timestamptz      not null, -- of the last change of profile, tags or blacklist
  version          bigint           not null, -- of the stream, at that change
  created_position bigint           not null,
  nickname_key     bytea            not null, -- the order of nicknames, see nicknameKey; empty without one
  primary key (tenant, id)
);

-- What is searched, folded (NFKC, case) and in the order of the list. A narrow table, because nothing else makes it change.
create table customer_text (
  tenant      text collate "C" not null,
  ordinal     bigint           not null,
  external_id text collate "C" not null,
  nickname    text collate "C" not null,
  name        text collate "C" not null,
  phone       text collate "C" not null,
  qq          text collate "C" not null,
  wechat_id   text collate "C" not null,
  email       text collate "C" not null,
  company     text collate "C" not null,
  description text collate "C" not null,
  terms       bigint[]         not null, -- see terms.go: (ordinal / 65536 << 48) + a hash of 48 bits, ascending, each once
  primary key (tenant, ordinal)
);

-- Sets of customers, see facets.go: bit ordinal % 16384 (0 is the leftmost) of the row of bucket ordinal / 16384. No row: nobody.
-- Inline and compressed; the room is for one update of a full bitmap in place (HOT).
create table customer_bits (
  tenant text collate "C" not null,
  facet  bigint           not null,
  bucket int              not null,
  bits   bit(16384)       not null,
  primary key (tenant, facet, bucket)
) with (fillfactor = 70);
alter table customer_bits alter bits set storage main, alter bits set compression lz4;

-- Which rows of customer_bits each transaction has written, see projector.Bits.
create table customer_bits_written (
  tenant  text collate "C" not null,
  number  bigint           not null,
  token   uuid             not null default gen_random_uuid(),
  changes int              not null,
  sets    bigint[],
  buckets int[],
  primary key (tenant, number)
);

-- Whose nickname, name, external id or company has a character, as the same kind of sets. Apart, because they change rarely.
create table customer_gram_bits (
  tenant text collate "C" not null,
  gram   bigint           not null,
  bucket int              not null,
  bits   bit(16384)       not null,
  primary key (tenant, gram, bucket)
) with (fillfactor = 70);
alter table customer_gram_bits alter bits set storage main, alter bits set compression lz4;

-- Which rows of customer_gram_bits each transaction has written, see projector.Bits.
create table customer_gram_bits_written (
  tenant  text collate "C" not null,
  number  bigint           not null,
  token   uuid             not null default gen_random_uuid(),
  changes int              not null,
  sets    bigint[],
  buckets int[],
  primary key (tenant, number)
);

-- What changes with every session or message: a narrow table, so that such a change costs little. Only last_session_at is sorted
-- by; all else is updated in place (HOT).
create table customer_activity (
  tenant           text collate "C" not null,
  id               uuid             not null,
  ordinal          bigint           not null,
  open_session     uuid,
  first_session_at timestamptz,
  last_session_at  timestamptz      not null, -- 0001-01-01 for a customer without a session: sorts as the oldest
  last_message_at  timestamptz,
  session_count    int              not null,
  message_count    int              not null,
  rating_sum       int              not null,
  rating_count     int              not null,
  rating_last      int              not null,
  rating_last_at   timestamptz,
  rating_scores    int              not null, -- which were ever given: bit k (of value 2^k) is score k
  last_customer_message_at timestamptz,      -- late and suppressed messages included
  suppressed_count int              not null, -- in all listings
  agents           jsonb            not null, -- array of texts: who owns or owned a session
  last_agent       text             not null, -- who accepted a session, or got one, last; empty for none
  primary key (tenant, id)
) with (fillfactor = 75);

-- The blacklist. An entry that has expired counts as gone, also while it is still here.
create table customer_listing (
  tenant     text collate "C" not null,
  customer   uuid             not null,
  ordinal    bigint           not null,
  position   bigint           not null, -- in the log
  since      timestamptz      not null,
  expires_at timestamptz,
  reason     text             not null,
  actor_kind text collate "C" not null,
  actor      text             not null,
  suppressed int              not null, -- messages since then
  primary key (tenant, customer)
);

-- How many ordinals are given, and between which periods the latest sessions of all customers began, see customers_periods.go.
create table counter (
  tenant text collate "C" not null,
  name   text collate "C" not null,
  value  bigint           not null,
  primary key (tenant, name)
);

-- The custom fields that the list can be sorted by. One that was removed stays: its values do, too.
create table custom_field (
  tenant text collate "C" not null,
  key    text collate "C" not null,
  type   text collate "C" not null, -- text, number or date
  primary key (tenant, key)
);

-- What customers have in these fields, in their order. A customer without a value has no row.
create table customer_value (
  tenant  text collate "C" not null,
  id      uuid             not null, -- field and ordinal, so that those of a field who are new follow each other
  field   bigint           not null, -- the facet of those who have it set, see facets.go
  ordinal bigint           not null,
  key     bytea            not null, -- the order of the values, see customers_values.go
  primary key (tenant, id)
);

-- The ordinals of customers whose creation was passed over, so that they have it when they are folded anew.
create table customer_parked (
  tenant   text collate "C" not null,
  position bigint           not null,
  customer uuid             not null,
  ordinal  bigint           not null,
  primary key (tenant, position)
);
-- indexes
create unique index customer_ordinal on customer (tenant, ordinal);
create index customer_created on customer (tenant, created_at, ordinal);
create index customer_updated on customer (tenant, updated_at, ordinal);
create index customer_nickname on customer (tenant, nickname_key, ordinal);
create index customer_text_terms on customer_text using gin (terms) with (fastupdate = on); -- see Rows.Emptying
create unique index customer_activity_ordinal on customer_activity (tenant, ordinal);
create index customer_activity_last_session on customer_activity (tenant, last_session_at, ordinal);
create unique index customer_listing_position on customer_listing (tenant, position);
create unique index customer_listing_ordinal on customer_listing (tenant, ordinal);
create index customer_listing_since on customer_listing (tenant, since, ordinal);
create index customer_listing_expires on customer_listing (tenant, expires_at) where expires_at is not null;
create index customer_value_order on customer_value (tenant, field, key, ordinal);
