-- +goose Up

-- What operators ask of a person before anything else (a JSON array of words), the
-- version of the terms that they have accepted, and when the account is deleted if
-- they do not come back (0: it is not).
ALTER TABLE users ADD COLUMN required_actions text NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN terms_version text NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN terms_accepted_at bigint NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN password_changed_at bigint NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN delete_at bigint NOT NULL DEFAULT 0;
CREATE INDEX users_delete_at ON users (delete_at) WHERE delete_at > 0;

-- Members need a second factor; the app needs this assurance.
ALTER TABLE groups ADD COLUMN second_factor boolean NOT NULL DEFAULT false;
ALTER TABLE clients ADD COLUMN required_acr text NOT NULL DEFAULT '';

-- What a mail's link or code proves: that its reader has the address. Spent once.
CREATE TABLE proofs (
  id           bytea  PRIMARY KEY,
  purpose      text   NOT NULL,
  user_id      bytea  REFERENCES users (id) ON DELETE CASCADE,
  email_key    text   NOT NULL,
  secret_hash  bytea  NOT NULL,
  code_hash    bytea  NOT NULL,
  browser_hash bytea  NOT NULL,
  binding      bytea  NOT NULL, -- of what must not have changed since, such as the password
  data         bytea  NOT NULL, -- sealed
  attempts     bigint NOT NULL DEFAULT 0,
  created_at   bigint NOT NULL,
  expires_at   bigint NOT NULL,
  spent_at     bigint NOT NULL DEFAULT 0
);
CREATE INDEX proofs_user_id ON proofs (user_id, purpose);
CREATE INDEX proofs_email_key ON proofs (email_key, purpose);
CREATE INDEX proofs_expires_at ON proofs (expires_at);

CREATE TABLE passkeys (
  id            bytea   PRIMARY KEY,
  user_id       bytea   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  credential_id bytea   NOT NULL UNIQUE,
  credential    text    NOT NULL, -- JSON
  name          text    NOT NULL,
  sign_count    bigint  NOT NULL,
  created_at    bigint  NOT NULL,
  last_used_at  bigint  NOT NULL DEFAULT 0
);
CREATE INDEX passkeys_user_id ON passkeys (user_id, id);

CREATE TABLE totps (
  id           bytea  PRIMARY KEY,
  user_id      bytea  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  name         text   NOT NULL,
  sealed       bytea  NOT NULL,
  last_step    bigint NOT NULL, -- a code of this step or an earlier one is not taken again
  created_at   bigint NOT NULL,
  last_used_at bigint NOT NULL DEFAULT 0
);
CREATE INDEX totps_user_id ON totps (user_id, id);

CREATE TABLE recovery_codes (
  user_id    bytea  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  hash       bytea  NOT NULL,
  created_at bigint NOT NULL,
  spent_at   bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (user_id, hash)
);

-- Browsers that need no second factor for a while.
CREATE TABLE remembered_devices (
  id           bytea  PRIMARY KEY,
  user_id      bytea  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  token_hash   bytea  NOT NULL UNIQUE,
  rev          bigint NOT NULL, -- position at which the sign-in was proven
  binding      bytea  NOT NULL, -- of the password of that time
  user_agent   text   NOT NULL,
  address      text   NOT NULL,
  created_at   bigint NOT NULL,
  last_used_at bigint NOT NULL DEFAULT 0,
  expires_at   bigint NOT NULL
);
CREATE INDEX remembered_devices_user_id ON remembered_devices (user_id);
CREATE INDEX remembered_devices_expires_at ON remembered_devices (expires_at);

-- Sign-ins that wait for a second factor. There is no session before it.
CREATE TABLE sign_ins (
  id         bytea  PRIMARY KEY,
  token_hash bytea  NOT NULL UNIQUE,
  user_id    bytea  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  session_id bytea,           -- of a step-up: the session that is raised
  rev        bigint NOT NULL, -- position at which the first proof was read
  binding    bytea  NOT NULL, -- of the password by which it was proven
  amr        text   NOT NULL,
  known      text   NOT NULL DEFAULT '', -- becomes the known-browser cookie at the end
  attempts   bigint NOT NULL DEFAULT 0,
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  spent_at   bigint NOT NULL DEFAULT 0
);
CREATE INDEX sign_ins_user_id ON sign_ins (user_id);
CREATE INDEX sign_ins_expires_at ON sign_ins (expires_at);

CREATE TABLE pictures (
  user_id    bytea  PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  name       text   NOT NULL UNIQUE, -- random: the address tells nothing of the person
  type       text   NOT NULL,
  data       bytea  NOT NULL,
  updated_at bigint NOT NULL
);
