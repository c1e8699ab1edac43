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
ALTER TABLE audit ADD COLUMN format bigint NOT NULL DEFAULT 0;
ALTER TABLE audit ADD COLUMN personal text NOT NULL DEFAULT '{}';
ALTER TABLE audit ADD COLUMN salt bytea NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN commitments text NOT NULL DEFAULT '{}';
ALTER TABLE audit ADD COLUMN erased_at bigint NOT NULL DEFAULT 0;
CREATE INDEX audit_at ON audit (at, id);
CREATE INDEX audit_action ON audit (action, id);
CREATE INDEX audit_request ON audit (request_id, id) WHERE request_id <> '';

-- The chain: rows in the order in which they were sealed.
CREATE TABLE audit_chain (
  seq      bigint PRIMARY KEY,
  audit_id bytea  NOT NULL UNIQUE,
  hash     bytea  NOT NULL
);

-- Where the chain ends, and where it begins once its beginning was cut off by age:
-- number and hash of a row, authenticated under the secret. Empty before the first.
CREATE TABLE audit_head (
  id          bigint PRIMARY KEY CHECK (id = 1),
  seq         bigint NOT NULL,
  hash        bytea  NOT NULL,
  mac         bytea  NOT NULL,
  at          bigint NOT NULL,
  anchor_seq  bigint NOT NULL,
  anchor_hash bytea  NOT NULL,
  anchor_mac  bytea  NOT NULL
);
INSERT INTO audit_head (id, seq, hash, mac, at, anchor_seq, anchor_hash, anchor_mac) VALUES (1, 0, '', '', 0, 0, '', '');

-- Rows that are not chained yet. A trigger fills it, in the transaction of the row,
-- so that rows of the code before this schema are not forgotten either.
CREATE TABLE audit_waiting (
  audit_id bytea PRIMARY KEY
);
INSERT INTO audit_waiting (audit_id) SELECT id FROM audit;

-- +goose StatementBegin
CREATE FUNCTION audit_wait() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO audit_waiting (audit_id) VALUES (NEW.id);
  RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER audit_wait AFTER INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_wait();

-- Where the log is sent, and up to which number of the chain it was. One node sends
-- at a time, as long as its lease holds.
CREATE TABLE audit_streams (
  name          text   PRIMARY KEY,
  seq           bigint NOT NULL,
  owner         text   NOT NULL DEFAULT '',
  lease_until   bigint NOT NULL DEFAULT 0,
  failing_since bigint NOT NULL DEFAULT 0,
  error         text   NOT NULL DEFAULT ''
);

-- Subs of people who were deleted, once the row that tells it has left the log.
CREATE TABLE audit_gone (
  sub text PRIMARY KEY
);
