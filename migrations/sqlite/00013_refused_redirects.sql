-- +goose Up

-- Redirect URIs that were refused, for operators who look for a mistake in a client's
-- settings; accounts.Refusals bounds how many there are and how long they are.
CREATE TABLE refused_redirects (
  client_id blob    NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
  uri       text    NOT NULL,
  count     integer NOT NULL,
  first_at  integer NOT NULL,
  last_at   integer NOT NULL,
  PRIMARY KEY (client_id, uri)
) STRICT;
