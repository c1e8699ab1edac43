-- +goose Up

-- The counter's hash after the transaction that wrote the row, on its last row: by
-- it, who remembers a position can tell whether this is still the same history (L8).
ALTER TABLE revocations ADD COLUMN chain bytea;

-- An API may ask for tokens that name their place in a status list.
ALTER TABLE apis ADD COLUMN status_list boolean NOT NULL DEFAULT false;

-- Resource servers that follow the ledger, as they report themselves.
CREATE TABLE followers (
  client_id   text   NOT NULL,
  instance    text   NOT NULL,
  audience    text   NOT NULL,
  timeline    text   NOT NULL,
  position    bigint NOT NULL,
  state       text   NOT NULL,
  lag         bigint NOT NULL,
  first_at    bigint NOT NULL,
  reported_at bigint NOT NULL,
  PRIMARY KEY (client_id, instance)
);
CREATE INDEX followers_reported_at ON followers (reported_at);

-- When each of them had applied which position, as long as its rows live.
CREATE TABLE acknowledgements (
  client_id text   NOT NULL,
  instance  text   NOT NULL,
  position  bigint NOT NULL,
  at        bigint NOT NULL,
  PRIMARY KEY (client_id, instance, position)
);
CREATE INDEX acknowledgements_at ON acknowledgements (at);

-- How far the ledger has been turned into messages to others.
CREATE TABLE relays (
  name     text   PRIMARY KEY,
  position bigint NOT NULL
);
