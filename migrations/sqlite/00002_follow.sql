-- +goose Up

-- The counter's hash after the transaction that wrote the row, on its last row: by
-- it, who remembers a position can tell whether this is still the same history (L8).
ALTER TABLE revocations ADD COLUMN chain blob;

-- An API may ask for tokens that name their place in a status list.
ALTER TABLE apis ADD COLUMN status_list integer NOT NULL DEFAULT 0;

-- Resource servers that follow the ledger, as they report themselves.
CREATE TABLE followers (
  client_id   text    NOT NULL,
  instance    text    NOT NULL,
  audience    text    NOT NULL,
  timeline    text    NOT NULL,
  position    integer NOT NULL,
  state       text    NOT NULL,
  lag         integer NOT NULL,
  first_at    integer NOT NULL,
  reported_at integer NOT NULL,
  PRIMARY KEY (client_id, instance)
) STRICT;
CREATE INDEX followers_reported_at ON followers (reported_at);

-- When each of them had applied which position, as long as its rows live.
CREATE TABLE acknowledgements (
  client_id text    NOT NULL,
  instance  text    NOT NULL,
  position  integer NOT NULL,
  at        integer NOT NULL,
  PRIMARY KEY (client_id, instance, position)
) STRICT;
CREATE INDEX acknowledgements_at ON acknowledgements (at);

-- How far the ledger has been turned into messages to others.
CREATE TABLE relays (
  name     text    PRIMARY KEY,
  position integer NOT NULL
) STRICT;
