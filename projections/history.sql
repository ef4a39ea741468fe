-- Where in the log a customer's events are. Not a row per event: of a session there is its beginning, and what does not lie between its
-- beginning and its end; all else of it is read from its stream. See docs/adr/0006-history-from-marks.md.
create table history_mark (
  tenant   text collate "C" not null,
  position bigint           not null, -- of the event
  customer uuid             not null,
  type     text collate "C" not null,
  session  uuid,                      -- whose stream it is on, if it is a session's
  primary key (tenant, position)
);
-- indexes
create index history_customer on history_mark (tenant, customer, type, position) include (session);
