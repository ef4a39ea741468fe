-- +goose Up

-- What append_events looks up is planned once a connection, also while the log has a few rows, which are read fastest without an index: that plan would read all rows
-- at every append while the log grows, until the server has analyzed it.
alter function append_events set enable_seqscan = off;

-- +goose Down
alter function append_events reset enable_seqscan;
