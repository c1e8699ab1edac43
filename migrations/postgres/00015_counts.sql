-- +goose Up

-- How often things happened in an hour, for operators; internal/counts bounds the
-- names and says how long rows are kept. Updates change n alone, so they stay on
-- their page and touch no index.
CREATE TABLE counts (
  hour   bigint NOT NULL,
  kind   text   NOT NULL,
  place  text   NOT NULL,
  name   text   NOT NULL,
  reason text   NOT NULL,
  n      bigint NOT NULL,
  PRIMARY KEY (hour, kind, place, name, reason)
) WITH (fillfactor = 50);

-- The same of each client. No reference to clients: the rows are gone in some days,
-- and whoever changes clients must not meet the locks of who counts.
CREATE TABLE client_counts (
  client_id bytea  NOT NULL,
  hour      bigint NOT NULL,
  kind      text   NOT NULL,
  place     text   NOT NULL,
  name      text   NOT NULL,
  reason    text   NOT NULL,
  n         bigint NOT NULL,
  PRIMARY KEY (client_id, hour, kind, place, name, reason)
) WITH (fillfactor = 70);
CREATE INDEX client_counts_hour ON client_counts (hour, kind);
