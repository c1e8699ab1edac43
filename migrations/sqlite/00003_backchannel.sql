-- +goose Up

-- Where a client hears that sessions of its users have ended (OpenID Connect
-- Back-Channel Logout 1.0 §2.2).
ALTER TABLE clients ADD COLUMN backchannel_logout_uri text NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN backchannel_logout_session_required integer NOT NULL DEFAULT 0;

-- Jobs of one kind and target share a bound on how many run at once.
ALTER TABLE jobs ADD COLUMN target text NOT NULL DEFAULT '';

-- The sign-ins of people who were deleted, until their clients are told. A grant
-- goes with its person, and the ledger is read after the deletion; a trigger keeps
-- them whoever deletes, a node of the release before this one too.
CREATE TABLE parted_grants (
  grant_id   blob    PRIMARY KEY,
  session_id blob    NOT NULL,
  client_id  text    NOT NULL,
  sub        text    NOT NULL,
  ended_at   integer NOT NULL,
  end_reason text    NOT NULL
) STRICT;
CREATE INDEX parted_grants_session_id ON parted_grants (session_id);
CREATE INDEX parted_grants_sub ON parted_grants (sub);

-- +goose StatementBegin
CREATE TRIGGER users_part BEFORE DELETE ON users
BEGIN
  INSERT OR IGNORE INTO parted_grants (grant_id, session_id, client_id, sub, ended_at, end_reason)
  SELECT g.id, g.session_id, c.client_id, OLD.sub, g.ended_at, g.end_reason
  FROM grants g JOIN clients c ON c.id = g.client_id
  WHERE g.user_id = OLD.id AND c.backchannel_logout_uri <> ''
    AND g.created_at <> g.ended_at AND ' ' || g.scopes || ' ' LIKE '% openid %';
END;
-- +goose StatementEnd
