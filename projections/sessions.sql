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

-- Who has or had which session: it stays in an agent's history when it is transferred away.
create table session_agent (
  tenant     text collate "C" not null,
  id         text collate "C" not null, -- session/agent
  session    uuid             not null,
  agent      text             not null,
  customer   uuid             not null,
  started_at timestamptz      not null, -- of the session: the order of the lists
  primary key (tenant, id)
);
-- indexes
create index session_started on session (tenant, started_at, id);
create index session_customer on session (tenant, customer, started_at, id);
create index session_channel on session (tenant, channel, started_at, id);
create index session_open on session (tenant, state, started_at, id) where state in ('waiting', 'processing');
create index session_aborted on session (tenant, started_at, id) where state = 'aborted';
create index session_callback on session (tenant, started_at, id) where callback;
create index session_rated on session (tenant, started_at, id) where rating_score is not null;
create index session_score on session (tenant, rating_score, started_at, id) where rating_score is not null;
create index session_agent_started on session_agent (tenant, agent, started_at, session);
create index session_agent_customer on session_agent (tenant, customer, agent, started_at, session);
