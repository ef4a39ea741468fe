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

-- How many sessions began in each quarter of an hour, with which the days of all zones begin. It is counted from the rows of sessions, whoever writes them.
create table session_quarter (
  tenant   text collate "C" not null,
  begins   timestamptz      not null,
  sessions bigint           not null,
  primary key (tenant, begins)
) with (fillfactor = 70);
-- indexes
create index session_started on session (tenant, started_at, id);
create index session_customer on session (tenant, customer, started_at, id);
create index session_channel on session (tenant, channel, started_at, id);
create index session_association on session (tenant, association, started_at, id);
create index session_open on session (tenant, state, started_at, id) where state in ('waiting', 'processing');
create index session_aborted on session (tenant, started_at, id) where state = 'aborted';
create index session_callback on session (tenant, started_at, id) where callback;
create index session_rated on session (tenant, started_at, id) where rating_score is not null;
create index session_score on session (tenant, rating_score, started_at, id) where rating_score is not null;
create index session_agent_started on session_agent (tenant, agent, started_at, session);
create index session_agent_customer on session_agent (tenant, customer, agent, started_at, session);

insert into session_quarter (tenant, begins, sessions) select tenant, date_bin('15 minutes', started_at, 'epoch'), count(*) from session group by 1, 2;
create function count_begun_sessions() returns trigger language plpgsql set search_path from current as $$
begin
  if tg_op = 'INSERT' then
    insert into session_quarter as q (tenant, begins, sessions) select tenant, date_bin('15 minutes', started_at, 'epoch'), count(*) from written group by 1, 2 order by 1, 2
      on conflict (tenant, begins) do update set sessions = q.sessions + excluded.sessions;
  else
    update session_quarter q set sessions = q.sessions - w.sessions
      from (select tenant, date_bin('15 minutes', started_at, 'epoch') as begins, count(*) as sessions from written group by 1, 2) w where q.tenant = w.tenant and q.begins = w.begins;
    delete from session_quarter q using written w where q.tenant = w.tenant and q.begins = date_bin('15 minutes', w.started_at, 'epoch') and q.sessions = 0;
  end if;
  return null;
end $$;
create trigger session_begun after insert on session referencing new table as written for each statement execute function count_begun_sessions();
create trigger session_forgotten after delete on session referencing old table as written for each statement execute function count_begun_sessions();
