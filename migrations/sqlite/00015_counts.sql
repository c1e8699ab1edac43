-- +goose Up

-- How often things happened in an hour, for operators; internal/counts bounds the
-- names and says how long rows are kept.
CREATE TABLE counts (
  hour   integer NOT NULL,
  kind   text    NOT NULL,
  place  text    NOT NULL,
  name   text    NOT NULL,
  reason text    NOT NULL,
  n      integer NOT NULL,
  PRIMARY KEY (hour, kind, place, name, reason)
) STRICT, WITHOUT ROWID;

-- The same of each client. No reference to clients: the rows are gone in some days,
-- and whoever changes clients must not meet the locks of who counts.
CREATE TABLE client_counts (
  client_id blob    NOT NULL,
  hour      integer NOT NULL,
  kind      text    NOT NULL,
  place     text    NOT NULL,
  name      text    NOT NULL,
  reason    text    NOT NULL,
  n         integer NOT NULL,
  PRIMARY KEY (client_id, hour, kind, place, name, reason)
) STRICT, WITHOUT ROWID;
CREATE INDEX client_counts_hour ON client_counts (hour, kind);
