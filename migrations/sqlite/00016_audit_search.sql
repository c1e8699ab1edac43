-- +goose Up

-- Whom and what an event of the audit log concerns besides its actor, its target and
-- its request: subs of people, ids of apps, names of groups. The event's writer fills
-- it, for the search alone: it is no part of what is chained. It holds nothing that the
-- event does not tell in clear, so that nothing has to be erased with a person.
-- Events of before this schema have no rows here.
CREATE TABLE audit_concerns (
  concern  text NOT NULL,
  audit_id blob NOT NULL REFERENCES audit (id) ON DELETE CASCADE,
  PRIMARY KEY (concern, audit_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_concerns_event ON audit_concerns (audit_id);

-- What was done in a session.
CREATE INDEX audit_session ON audit (session, id) WHERE session <> '';
