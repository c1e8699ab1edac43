-- +goose Up

-- Lists in which access tokens have a place, each for the tokens of one audience
-- that one algorithm signs. The number is random, so that a list of a restored
-- database is never taken for one that was lost.
CREATE TABLE status_lists (
  number    integer PRIMARY KEY,
  audience  text    NOT NULL,
  algorithm text    NOT NULL,
  next      integer NOT NULL, -- the first index that nobody has taken
  taken_at  integer NOT NULL  -- when indexes were last taken
) STRICT;
CREATE INDEX status_lists_audience ON status_lists (audience, algorithm);
CREATE INDEX status_lists_taken_at ON status_lists (taken_at);

-- What of a token the ledger is asked with, by its place: the list's number times
-- 2^20, plus the index.
CREATE TABLE status_entries (
  place      integer PRIMARY KEY,
  jti        text    NOT NULL,
  sid        text    NOT NULL,
  gid        text    NOT NULL,
  sub        text    NOT NULL,
  client_id  text    NOT NULL,
  kid        text    NOT NULL,
  scopes     text    NOT NULL,
  rev        integer NOT NULL,
  expires_at integer NOT NULL
) STRICT;
CREATE INDEX status_entries_expires_at ON status_entries (expires_at);
