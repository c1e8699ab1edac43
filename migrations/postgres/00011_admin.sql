-- +goose Up

-- Lists and searches of operators. They are in the order of bytes: a prefix is then a
-- range, in whatever language the database sorts.
CREATE INDEX users_username_prefix ON users (username_key COLLATE "C");
CREATE INDEX users_email_prefix ON users (email_key COLLATE "C", id) WHERE email_key <> '';
CREATE INDEX users_name_prefix ON users (lower(name) COLLATE "C", id) WHERE name <> '';
-- The last word of a name: what is left of it without all that ends in its last space.
CREATE INDEX users_last_word_prefix ON users
  (lower(replace(name, rtrim(name, replace(name, ' ', '')), '')) COLLATE "C", id) WHERE name <> '';
CREATE INDEX users_staff ON users (username_key COLLATE "C") WHERE staff;
CREATE INDEX users_supreme ON users (username_key COLLATE "C") WHERE superuser;
CREATE INDEX users_banned ON users (username_key COLLATE "C") WHERE banned_at > 0;
CREATE INDEX users_required ON users (username_key COLLATE "C") WHERE required_actions NOT IN ('', '[]');
CREATE INDEX users_to_delete ON users (username_key COLLATE "C") WHERE delete_at > 0;

-- The answers to requests that carry an Idempotency-Key.
CREATE TABLE idempotency_keys (
  id         bytea  PRIMARY KEY, -- hash of the caller and the key
  request    bytea  NOT NULL,    -- hash of what was asked
  answer     bytea,              -- sealed; NULL until there is one
  at         bigint NOT NULL,
  expires_at bigint NOT NULL
);
CREATE INDEX idempotency_keys_expires_at ON idempotency_keys (expires_at);
