-- Who got which auto message, and what became of it.
create table auto_message_recipient (
  tenant       text collate "C" not null,
  id           uuid             not null, -- of the recipient, and of the message as the channel got it
  auto_message uuid             not null,
  customer     uuid             not null,
  position     bigint           not null, -- of the event that sent it: the order of the list
  sent_at      timestamptz      not null,
  delivered_at timestamptz,               -- of what was read, at the latest when it was
  read_at      timestamptz,
  replied_at   timestamptz,
  code         text collate "C" not null, -- why it was withheld; empty: it was not
  primary key (tenant, id)
) with (fillfactor = 70);

-- How many of each, exactly. A question costs nothing, however many got it.
create table auto_message_count (
  tenant       text collate "C" not null,
  auto_message uuid             not null,
  sent         bigint           not null, -- what was withheld is not counted as sent
  delivered    bigint           not null,
  read         bigint           not null,
  replied      bigint           not null,
  withheld     bigint           not null,
  primary key (tenant, auto_message)
) with (fillfactor = 50);
-- indexes
create index auto_message_recipient_list on auto_message_recipient (tenant, auto_message, position);
create index auto_message_recipient_customer on auto_message_recipient (tenant, auto_message, customer);
