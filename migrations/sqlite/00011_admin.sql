-- +goose Up

-- Lists and searches of operators. SQLite's lower knows A to Z alone: who searches
-- asks for both cases of other letters. Usernames have their unique index.
CREATE INDEX users_email_prefix ON users (email_key, id) WHERE email_key <> '';
CREATE INDEX users_name_prefix ON users (lower(name), id) WHERE name <> '';
-- The last word of a name: what is left of it without all that ends in its last space.
CREATE INDEX users_last_word_prefix ON users
  (lower(replace(name, rtrim(name, replace(name, ' ', '')), '')), id) WHERE name <> '';
CREATE INDEX users_staff ON users (username_key) WHERE staff;
CREATE INDEX users_supreme ON users (username_key) WHERE superuser;
CREATE INDEX users_banned ON users (username_key) WHERE banned_at > 0;
CREATE INDEX users_required ON users (username_key) WHERE required_actions NOT IN ('', '[]');
CREATE INDEX users_to_delete ON users (username_key) WHERE delete_at > 0;

-- The answers to requests that carry an Idempotency-Key.
CREATE TABLE idempotency_keys (
  id         blob    PRIMARY KEY, -- hash of the caller and the key
  request    blob    NOT NULL,    -- hash of what was asked
  answer     blob,                -- sealed; NULL until there is one
  at         integer NOT NULL,
  expires_at integer NOT NULL
) STRICT;
CREATE INDEX idempotency_keys_expires_at ON idempotency_keys (expires_at);
