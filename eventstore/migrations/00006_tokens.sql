-- +goose Up

-- Who made a token, for people who look through the list. Null for what was made before this was kept.
alter table tokens add column created_by_kind text, add column created_by_id text,
  add check ((created_by_kind is null) = (created_by_id is null));

-- +goose Down
alter table tokens drop column created_by_kind, drop column created_by_id;
