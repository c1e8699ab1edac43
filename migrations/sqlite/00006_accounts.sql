-- +goose Up

-- What operators ask of a person before anything else (a JSON array of words), the
-- version of the terms that they have accepted, and when the account is deleted if
-- they do not come back (0: it is not).
ALTER TABLE users ADD COLUMN required_actions text NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN terms_version text NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN terms_accepted_at integer NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN password_changed_at integer NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN delete_at integer NOT NULL DEFAULT 0;
CREATE INDEX users_delete_at ON users (delete_at) WHERE delete_at > 0;

-- Members need a second factor; the app needs this assurance.
ALTER TABLE groups ADD COLUMN second_factor integer NOT NULL DEFAULT 0;
ALTER TABLE clients ADD COLUMN required_acr text NOT NULL DEFAULT '';

-- What a mail's link or code proves: that its reader has the address. Spent once.
CREATE TABLE proofs (
  id           blob  PRIMARY KEY,
  purpose      text   NOT NULL,
  user_id      blob  REFERENCES users (id) ON DELETE CASCADE,
  email_key    text   NOT NULL,
  secret_hash  blob  NOT NULL,
  code_hash    blob  NOT NULL,
  browser_hash blob  NOT NULL,
  binding      blob  NOT NULL, -- of what must not have changed since, such as the password
  data         blob  NOT NULL, -- sealed
  attempts     integer NOT NULL DEFAULT 0,
  created_at   integer NOT NULL,
  expires_at   integer NOT NULL,
  spent_at     integer NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX proofs_user_id ON proofs (user_id, purpose);
CREATE INDEX proofs_email_key ON proofs (email_key, purpose);
CREATE INDEX proofs_expires_at ON proofs (expires_at);

CREATE TABLE passkeys (
  id            blob   PRIMARY KEY,
  user_id       blob   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  credential_id blob   NOT NULL UNIQUE,
  credential    text    NOT NULL, -- JSON
  name          text    NOT NULL,
  sign_count    integer  NOT NULL,
  created_at    integer  NOT NULL,
  last_used_at  integer  NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX passkeys_user_id ON passkeys (user_id, id);

CREATE TABLE totps (
  id           blob  PRIMARY KEY,
  user_id      blob  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  name         text   NOT NULL,
  sealed       blob  NOT NULL,
  last_step    integer NOT NULL, -- a code of this step or an earlier one is not taken again
  created_at   integer NOT NULL,
  last_used_at integer NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX totps_user_id ON totps (user_id, id);

CREATE TABLE recovery_codes (
  user_id    blob  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  hash       blob  NOT NULL,
  created_at integer NOT NULL,
  spent_at   integer NOT NULL DEFAULT 0,
  PRIMARY KEY (user_id, hash)
) STRICT;

-- Browsers that need no second factor for a while.
CREATE TABLE remembered_devices (
  id           blob  PRIMARY KEY,
  user_id      blob  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  token_hash   blob  NOT NULL UNIQUE,
  rev          integer NOT NULL, -- position at which the sign-in was proven
  binding      blob  NOT NULL, -- of the password of that time
  user_agent   text   NOT NULL,
  address      text   NOT NULL,
  created_at   integer NOT NULL,
  last_used_at integer NOT NULL DEFAULT 0,
  expires_at   integer NOT NULL
) STRICT;
CREATE INDEX remembered_devices_user_id ON remembered_devices (user_id);
CREATE INDEX remembered_devices_expires_at ON remembered_devices (expires_at);

-- Sign-ins that wait for a second factor. There is no session before it.
CREATE TABLE sign_ins (
  id         blob  PRIMARY KEY,
  token_hash blob  NOT NULL UNIQUE,
  user_id    blob  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  session_id blob,           -- of a step-up: the session that is raised
  rev        integer NOT NULL, -- position at which the first proof was read
  binding    blob  NOT NULL, -- of the password by which it was proven
  amr        text   NOT NULL,
  known      text   NOT NULL DEFAULT '', -- becomes the known-browser cookie at the end
  attempts   integer NOT NULL DEFAULT 0,
  created_at integer NOT NULL,
  expires_at integer NOT NULL,
  spent_at   integer NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX sign_ins_user_id ON sign_ins (user_id);
CREATE INDEX sign_ins_expires_at ON sign_ins (expires_at);

CREATE TABLE pictures (
  user_id    blob  PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  name       text   NOT NULL UNIQUE, -- random: the address tells nothing of the person
  type       text   NOT NULL,
  data       blob  NOT NULL,
  updated_at integer NOT NULL
) STRICT;
