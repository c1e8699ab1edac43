-- +goose Up

-- What a change made different, and in which session a person made it. What is
-- personal (the address, the actor's name, and some values of details, before_values
-- and after_values) is kept apart: a JSON object by name, with a salt for the row.
-- commitments holds, by the same names, SHA-256 of salt, name and value. Rows of
-- format 0 were written by the code before this schema and hold all in clear where it
-- was; the sealer brings them into format 1.
ALTER TABLE audit ADD COLUMN before_values text NOT NULL DEFAULT '{}';
ALTER TABLE audit ADD COLUMN after_values text NOT NULL DEFAULT '{}';
ALTER TABLE audit ADD COLUMN session text NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN format integer NOT NULL DEFAULT 0;
ALTER TABLE audit ADD COLUMN personal text NOT NULL DEFAULT '{}';
ALTER TABLE audit ADD COLUMN salt blob NOT NULL DEFAULT x'';
ALTER TABLE audit ADD COLUMN commitments text NOT NULL DEFAULT '{}';
ALTER TABLE audit ADD COLUMN erased_at integer NOT NULL DEFAULT 0;
CREATE INDEX audit_at ON audit (at, id);
CREATE INDEX audit_action ON audit (action, id);
CREATE INDEX audit_request ON audit (request_id, id) WHERE request_id <> '';

-- The chain: rows in the order in which they were sealed.
CREATE TABLE audit_chain (
  seq      integer PRIMARY KEY,
  audit_id blob  NOT NULL UNIQUE,
  hash     blob  NOT NULL
) STRICT;

-- Where the chain ends, and where it begins once its beginning was cut off by age:
-- number and hash of a row, authenticated under the secret. Empty before the first.
CREATE TABLE audit_head (
  id          integer PRIMARY KEY CHECK (id = 1),
  seq         integer NOT NULL,
  hash        blob  NOT NULL,
  mac         blob  NOT NULL,
  at          integer NOT NULL,
  anchor_seq  integer NOT NULL,
  anchor_hash blob  NOT NULL,
  anchor_mac  blob  NOT NULL
) STRICT;
INSERT INTO audit_head (id, seq, hash, mac, at, anchor_seq, anchor_hash, anchor_mac) VALUES (1, 0, x'', x'', 0, 0, x'', x'');

-- Rows that are not chained yet. A trigger fills it, in the transaction of the row,
-- so that rows of the code before this schema are not forgotten either.
CREATE TABLE audit_waiting (
  audit_id blob PRIMARY KEY
) STRICT;
INSERT INTO audit_waiting (audit_id) SELECT id FROM audit;

-- +goose StatementBegin
CREATE TRIGGER audit_wait AFTER INSERT ON audit BEGIN
  INSERT INTO audit_waiting (audit_id) VALUES (NEW.id);
END;
-- +goose StatementEnd

-- Where the log is sent, and up to which number of the chain it was. One node sends
-- at a time, as long as its lease holds.
CREATE TABLE audit_streams (
  name          text   PRIMARY KEY,
  seq           integer NOT NULL,
  owner         text   NOT NULL DEFAULT '',
  lease_until   integer NOT NULL DEFAULT 0,
  failing_since integer NOT NULL DEFAULT 0,
  error         text   NOT NULL DEFAULT ''
) STRICT;

-- Subs of people who were deleted, once the row that tells it has left the log.
CREATE TABLE audit_gone (
  sub text PRIMARY KEY
) STRICT;
