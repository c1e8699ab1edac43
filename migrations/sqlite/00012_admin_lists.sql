-- +goose Up

-- Lists for operators come in pages, each from where the last one ended.
CREATE INDEX clients_name ON clients (lower(name), client_id);
CREATE INDEX consents_live ON consents (client_id, user_id) WHERE revoked_at = 0;
-- In place of the index on client_id alone, so that a grant costs no more than before.
CREATE INDEX grants_client_page ON grants (client_id, id);
DROP INDEX grants_client_id;

-- To which hosts clients are sent back. Triggers keep it whoever writes a client,
-- a node of the release before this one too.
CREATE TABLE client_redirect_hosts (
  host      text NOT NULL,
  client_id blob NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
  PRIMARY KEY (host, client_id)
) STRICT;
CREATE INDEX client_redirect_hosts_client_id ON client_redirect_hosts (client_id);

-- +goose StatementBegin
CREATE TRIGGER clients_redirect_hosts_insert AFTER INSERT ON clients
BEGIN
  INSERT INTO client_redirect_hosts (host, client_id)
  SELECT DISTINCT lower(host), NEW.id FROM (
    SELECT CASE WHEN rest LIKE '[%' THEN substr(rest, 1, instr(rest, ']'))
      ELSE substr(rest, 1, min(instr(rest || '/', '/'), instr(rest || '?', '?'), instr(rest || '#', '#'), instr(rest || ':', ':')) - 1)
      END AS host
    FROM (SELECT substr(value, instr(value, '://') + 3) AS rest FROM json_each(NEW.redirect_uris) WHERE instr(value, '://') > 0)
  ) WHERE host <> '';
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER clients_redirect_hosts_update AFTER UPDATE OF redirect_uris ON clients
BEGIN
  DELETE FROM client_redirect_hosts WHERE client_id = NEW.id;
  INSERT INTO client_redirect_hosts (host, client_id)
  SELECT DISTINCT lower(host), NEW.id FROM (
    SELECT CASE WHEN rest LIKE '[%' THEN substr(rest, 1, instr(rest, ']'))
      ELSE substr(rest, 1, min(instr(rest || '/', '/'), instr(rest || '?', '?'), instr(rest || '#', '#'), instr(rest || ':', ':')) - 1)
      END AS host
    FROM (SELECT substr(value, instr(value, '://') + 3) AS rest FROM json_each(NEW.redirect_uris) WHERE instr(value, '://') > 0)
  ) WHERE host <> '';
END;
-- +goose StatementEnd

UPDATE clients SET redirect_uris = redirect_uris;
