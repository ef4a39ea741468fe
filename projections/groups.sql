-- Who is in which group, since when and why. Everything here follows from the log, the groups' rules and the clock.

-- What rules know of each customer. Written with every event of the customer, and by nothing else.
create table group_subject (
  tenant           text collate "C" not null,
  id               uuid             not null,
  ordinal          bigint           not null, -- as in the read model of the customer list
  epoch            int              not null, -- how many changes of rules there were before the customer's last event
  created_position bigint           not null,
  subject          bytea            not null, -- see groups_subject.go
  primary key (tenant, id)
) with (fillfactor = 80);
-- Needed while a build is filled, so not among the indexes that are made last.
create index group_subject_ordinal on group_subject (tenant, ordinal) include (id);

-- The groups that each customer is in, and the next instant at which that may change by the clock alone. There is no row for a customer
-- who never was in any and never will be by the clock. Apart from the subject, because a new rule changes many of these at once.
create table group_standing (
  tenant  text collate "C" not null,
  id      uuid             not null,
  ordinal bigint           not null,
  first   bigint           not null, -- the ordinal that the customer had when the first change was made: changes are kept by it
  groups  json             not null, -- [{group, evidence}], see appendMemberships: read more often than looked into. Since when and why is in group_change
  changes bigint           not null, -- how many entries and leaves the customer has had
  due_at  timestamptz,
  primary key (tenant, id)
) with (fillfactor = 80);
create index group_standing_due on group_standing (tenant, due_at) where due_at is not null;

-- The members of each group as a bitmap over ordinals, one for every rule that it had: a rule that is being filled does not disturb the one
-- that is served. See projector.Bits.
create table group_bits (
  tenant text collate "C" not null,
  facet  bigint           not null,
  bucket int              not null,
  bits   bit(16384)       not null,
  primary key (tenant, facet, bucket)
) with (fillfactor = 70);
alter table group_bits alter bits set storage main, alter bits set compression lz4;

-- Which rows of group_bits each transaction has written, see projector.Bits.
create table group_bits_written (
  tenant  text collate "C" not null,
  number  bigint           not null,
  token   uuid             not null default gen_random_uuid(),
  changes int              not null,
  sets    bigint[],
  buckets int[],
  primary key (tenant, number)
);

-- Every entry and every leave.
create table group_change (
  tenant   text collate "C" not null,
  id       bigint           not null, -- (group_standing.first << 24) + the number of the customer's change, from 1; below 0: told because somebody was erased
  written  bigint           not null, -- in the order in which this build made them; differs between builds
  group_id uuid             not null,
  revision int              not null, -- of the rule that judged; 0 for the end of a group
  customer uuid             not null,
  entered  boolean          not null,
  at       timestamptz      not null,
  kind     text collate "C" not null, -- of the cause: event, clock, rule
  position bigint           not null, -- of the cause in the log; 0 for the clock
  evidence json             not null,
  primary key (tenant, id)
);

-- The part of the log that says what the rules are and mean, as it was: rules, fields, zone and week, tags that ended.
create table group_catalogue (
  tenant   text collate "C" not null,
  position bigint           not null,
  at       timestamptz      not null,
  type     text collate "C" not null,
  data     jsonb            not null,
  primary key (tenant, position)
);

-- Which rule of each group is served. epoch is the number of the last change of rules that concerned the group, served that of the one whose
-- members are shown: 0 while the first is being filled.
create table group_rule (
  tenant          text collate "C" not null,
  id              uuid             not null,
  epoch           int              not null,
  revision        int              not null, -- 0: the group has ended
  served          int              not null,
  served_revision int              not null,
  primary key (tenant, id)
) with (fillfactor = 50);

-- One row a tenant. All customers are as the first base changes of rules have it; those up to the ordinal cursor as the first target have it.
create table group_state (
  tenant   text collate "C" not null,
  name     text collate "C" not null, -- state
  ordinals bigint           not null, -- how many are given
  base     int              not null,
  target   int              not null,
  cursor   bigint           not null,
  written  bigint           not null, -- how many changes this build has made
  primary key (tenant, name)
) with (fillfactor = 20);

-- The ordinals of customers whose creation was passed over, so that they have it when they are folded anew.
create table group_parked (
  tenant   text collate "C" not null,
  position bigint           not null,
  customer uuid             not null,
  ordinal  bigint           not null,
  primary key (tenant, position)
);
-- indexes
create unique index group_change_written on group_change (tenant, written);
-- How many entered and left a group on each day, and who did last.
create index group_change_group on group_change (tenant, group_id, at, id) include (entered);
