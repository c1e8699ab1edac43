-- +goose Up

-- Receivers of shared signals: one stream for each client.
CREATE TABLE signal_streams (
  id            blob PRIMARY KEY,
  client_id     text NOT NULL UNIQUE REFERENCES clients (client_id) ON DELETE CASCADE,
  method        text NOT NULL,
  endpoint      text NOT NULL DEFAULT '',
  sealed        blob, -- the Authorization header that the receiver asks for
  requested     text NOT NULL,
  description   text NOT NULL DEFAULT '',
  status        text NOT NULL,
  reason        text NOT NULL DEFAULT '',
  verified_at   integer NOT NULL DEFAULT 0,
  -- The one job that delivers what waits, and when it was made or last ran. What is
  -- put into the stream counts wanted up, so that the job cannot end unaware of it.
  push_job      blob,
  push_at       integer NOT NULL DEFAULT 0,
  wanted        integer NOT NULL DEFAULT 0,
  created_at    integer NOT NULL,
  updated_at    integer NOT NULL
) STRICT;

-- Whom a stream is about, or, where it is about everybody, whom not.
CREATE TABLE signal_subjects (
  stream_id  blob NOT NULL REFERENCES signal_streams (id) ON DELETE CASCADE,
  sub        text NOT NULL,
  sid        text NOT NULL DEFAULT '',
  included   integer NOT NULL,
  created_at integer NOT NULL,
  PRIMARY KEY (stream_id, sub, sid)
) STRICT;
CREATE INDEX signal_subjects_sub ON signal_subjects (sub);

-- What waits for a receiver's acknowledgement, in the order of ids: the claims of a
-- security event token, which is signed when it is delivered.
CREATE TABLE signal_events (
  stream_id  blob NOT NULL REFERENCES signal_streams (id) ON DELETE CASCADE,
  jti        text NOT NULL,
  id         blob NOT NULL,
  claims     text NOT NULL,
  announces  integer NOT NULL, -- tells of the stream itself; delivered even while it is paused
  created_at integer NOT NULL,
  PRIMARY KEY (stream_id, jti)
) STRICT;
CREATE INDEX signal_events_id ON signal_events (stream_id, id);
CREATE INDEX signal_events_created_at ON signal_events (created_at);
