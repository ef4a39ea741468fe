-- The sessions of each tenant. Their transcripts are their streams and not repeated here.
create table session (
  tenant                 text collate "C" not null,
  id                     uuid             not null,
  customer               uuid             not null,
  association            int              not null,
  channel                text collate "C" not null,
  initiator              text collate "C" not null,
  callback               boolean          not null,
  state                  text collate "C" not null, -- waiting, processing, closed, aborted
  agent                  text             not null, -- who has it or had it last; empty: nobody yet
  started_at             timestamptz      not null,
  accepted_at            timestamptz,
  ended_at               timestamptz,
  ended_by               text collate "C" not null, -- empty while it has not ended
  end_cause              text             not null,
  message_count          int              not null, -- late ones too
  customer_message_count int              not null,
  last_message_at        timestamptz,
  rating_score           int,
  rating_reasons         jsonb            not null, -- array of texts
  rating_comment         text             not null,
  rated_at               timestamptz,
  ip                     text             not null,
  region                 text             not null,
  user_agent             text             not null,
  referrer               text             not null,
  primary key (tenant, id)
) with (fillfactor = 80);
-- indexes
create index session_started on session (tenant, started_at, id);
create index session_customer on session (tenant, customer, started_at, id);
create index session_agent on session (tenant, agent, started_at, id);
create index session_channel on session (tenant, channel, started_at, id);
create index session_open on session (tenant, state, started_at, id) where state in ('waiting', 'processing');
