-- +goose Up

-- Settings that operators keep here rather than in the configuration of the servers,
-- which goes before them. A value has the form in which it is written in a file.
CREATE TABLE settings (
  name       text NOT NULL PRIMARY KEY,
  value      text NOT NULL,
  updated_at integer NOT NULL
) STRICT;
