-- +goose Up

-- One row: the clock of everything that can be taken back. It is locked last in a
-- transaction and held to the commit, so positions are in commit order (L20, L21).
CREATE TABLE ledger_head (
  id        integer PRIMARY KEY CHECK (id = 1),
  timeline  text   NOT NULL,
  position  integer NOT NULL,
  change    integer NOT NULL,
  floor     integer NOT NULL,
  hash      blob  NOT NULL
) STRICT;

CREATE TABLE revocations (
  position   integer PRIMARY KEY,
  kind       text   NOT NULL,
  key        text   NOT NULL,
  audience   text   NOT NULL DEFAULT '',
  reason     text   NOT NULL,
  at         integer NOT NULL,
  expires_at integer NOT NULL
) STRICT;
CREATE INDEX revocations_key ON revocations (key, kind);
CREATE INDEX revocations_expires_at ON revocations (expires_at);
-- Rows of a kind that this release does not know (a newer node wrote them) kill
-- everything; this index finds them and is empty otherwise.
CREATE INDEX revocations_unknown ON revocations (position)
  WHERE kind NOT IN ('token', 'session', 'grant', 'user', 'membership', 'permission', 'client', 'key', 'all');

CREATE TABLE instance (
  key   text PRIMARY KEY,
  value text NOT NULL
) STRICT;

CREATE TABLE signing_keys (
  kid          text   PRIMARY KEY,
  algorithm    text   NOT NULL,
  state        text   NOT NULL,
  sealed       blob  NOT NULL,
  public       blob  NOT NULL,
  created_at   integer NOT NULL,
  published_at integer NOT NULL,
  activated_at integer NOT NULL,
  retired_at   integer NOT NULL,
  gone_at      integer NOT NULL
) STRICT;

CREATE TABLE users (
  id                blob   PRIMARY KEY,
  sub               text    NOT NULL UNIQUE,
  username          text    NOT NULL,
  username_key      text    NOT NULL UNIQUE,
  email             text    NOT NULL DEFAULT '',
  email_key         text    NOT NULL DEFAULT '',
  email_verified    integer NOT NULL DEFAULT 0,
  password_hash     text    NOT NULL DEFAULT '',
  name              text    NOT NULL DEFAULT '',
  profile           text    NOT NULL DEFAULT '{}',
  staff             integer NOT NULL DEFAULT 0,
  superuser         integer NOT NULL DEFAULT 0,
  demo              integer NOT NULL DEFAULT 0,
  banned_at         integer  NOT NULL DEFAULT 0,
  valid_from        integer  NOT NULL DEFAULT 0,
  created_at        integer  NOT NULL,
  updated_at        integer  NOT NULL,
  last_sign_in_at   integer  NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX users_email_key ON users (email_key) WHERE email_verified AND email_key <> '';
CREATE INDEX users_superuser ON users (id) WHERE superuser;

CREATE TABLE groups (
  id          blob  PRIMARY KEY,
  name        text   NOT NULL,
  name_key    text   NOT NULL UNIQUE,
  description text   NOT NULL DEFAULT '',
  created_at  integer NOT NULL
) STRICT;

CREATE TABLE group_members (
  user_id  blob  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  group_id blob  NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
  ends_at  integer NOT NULL DEFAULT 0,
  added_at integer NOT NULL,
  PRIMARY KEY (user_id, group_id)
) STRICT;
CREATE INDEX group_members_group_id ON group_members (group_id, user_id);

CREATE TABLE apis (
  id                    blob   PRIMARY KEY,
  audience              text    NOT NULL UNIQUE,
  name                  text    NOT NULL,
  token_lifetime        integer  NOT NULL DEFAULT 0,
  token_algorithm       text    NOT NULL DEFAULT '',
  authentication_claims integer NOT NULL DEFAULT 0,
  disabled_at           integer  NOT NULL DEFAULT 0,
  created_at            integer  NOT NULL,
  updated_at            integer  NOT NULL
) STRICT;

CREATE TABLE permissions (
  id          blob  PRIMARY KEY,
  api_id      blob  NOT NULL REFERENCES apis (id) ON DELETE CASCADE,
  name        text   NOT NULL UNIQUE,
  description text   NOT NULL,
  created_at  integer NOT NULL
) STRICT;
CREATE INDEX permissions_api_id ON permissions (api_id);

CREATE TABLE group_permissions (
  group_id      blob NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
  permission_id blob NOT NULL REFERENCES permissions (id) ON DELETE CASCADE,
  PRIMARY KEY (group_id, permission_id)
) STRICT;
CREATE INDEX group_permissions_permission_id ON group_permissions (permission_id);

-- Lists within a row are JSON arrays of strings, scopes a string with spaces.
CREATE TABLE clients (
  id                        blob   PRIMARY KEY,
  client_id                 text    NOT NULL UNIQUE,
  name                      text    NOT NULL,
  type                      text    NOT NULL,
  api_id                    blob   UNIQUE REFERENCES apis (id) ON DELETE CASCADE,
  auth_method               text    NOT NULL,
  jwks                      text    NOT NULL DEFAULT '',
  grant_types               text    NOT NULL,
  redirect_uris             text    NOT NULL DEFAULT '[]',
  post_logout_redirect_uris text    NOT NULL DEFAULT '[]',
  scopes                    text    NOT NULL DEFAULT '',
  optional_scopes           text    NOT NULL DEFAULT '',
  visible_groups            text    NOT NULL DEFAULT '[]',
  home_uri                  text    NOT NULL DEFAULT '',
  logo_uri                  text    NOT NULL DEFAULT '',
  policy_uri                text    NOT NULL DEFAULT '',
  terms_uri                 text    NOT NULL DEFAULT '',
  id_token_algorithm        text    NOT NULL DEFAULT 'RS256',
  first_party               integer NOT NULL DEFAULT 0,
  require_pkce              integer NOT NULL DEFAULT 1,
  require_par               integer NOT NULL DEFAULT 0,
  rotate_refresh            integer NOT NULL DEFAULT 1,
  token_endpoint_audience   integer NOT NULL DEFAULT 0,
  access_token_lifetime     integer  NOT NULL DEFAULT 0,
  id_token_lifetime         integer  NOT NULL DEFAULT 0,
  refresh_idle              integer  NOT NULL DEFAULT 0,
  refresh_absolute          integer  NOT NULL DEFAULT 0,
  demo                      integer NOT NULL DEFAULT 0,
  disabled_at               integer  NOT NULL DEFAULT 0,
  valid_from                integer  NOT NULL DEFAULT 0,
  created_at                integer  NOT NULL,
  updated_at                integer  NOT NULL
) STRICT;

-- Which pages of single-page apps may use the back channel from the browser.
CREATE TABLE client_origins (
  origin    text NOT NULL,
  client_id blob NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
  PRIMARY KEY (origin, client_id)
) STRICT;
CREATE INDEX client_origins_client_id ON client_origins (client_id);

CREATE TABLE client_secrets (
  id         blob  PRIMARY KEY,
  client_id  blob  NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
  hash       text   NOT NULL,
  created_at integer NOT NULL,
  expires_at integer NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX client_secrets_client_id ON client_secrets (client_id);

CREATE TABLE client_permissions (
  client_id     blob NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
  permission_id blob NOT NULL REFERENCES permissions (id) ON DELETE CASCADE,
  PRIMARY KEY (client_id, permission_id)
) STRICT;
CREATE INDEX client_permissions_permission_id ON client_permissions (permission_id);

CREATE TABLE sessions (
  id           blob  PRIMARY KEY,
  token_hash   blob  NOT NULL UNIQUE,
  user_id      blob  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  rev          integer NOT NULL,
  auth_time    integer NOT NULL,
  amr          text   NOT NULL,
  acr          text   NOT NULL,
  created_at   integer NOT NULL,
  last_seen_at integer NOT NULL,
  idle_ends_at integer NOT NULL,
  expires_at   integer NOT NULL,
  ended_at     integer NOT NULL DEFAULT 0,
  end_reason   text   NOT NULL DEFAULT '',
  user_agent   text   NOT NULL DEFAULT '',
  address      text   NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX sessions_user_id ON sessions (user_id, id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

CREATE TABLE consents (
  user_id    blob  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  client_id  blob  NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
  scopes     text   NOT NULL,
  asked      text   NOT NULL,
  valid_from integer NOT NULL DEFAULT 0,
  granted_at integer NOT NULL,
  updated_at integer NOT NULL,
  revoked_at integer NOT NULL DEFAULT 0,
  expires_at integer NOT NULL DEFAULT 0,
  PRIMARY KEY (user_id, client_id)
) STRICT;
CREATE INDEX consents_client_id ON consents (client_id);

CREATE TABLE flows (
  id                blob   PRIMARY KEY,
  browser_hash      blob   NOT NULL,
  client_id         text    NOT NULL,
  params            text    NOT NULL,
  grant_id          blob   NOT NULL,
  pushed            integer NOT NULL,
  redirect_uri      text    NOT NULL,
  scopes            text    NOT NULL,
  login_hint        text    NOT NULL,
  ui_locales        text    NOT NULL,
  reauthenticate    integer NOT NULL,
  account_chosen_at integer  NOT NULL DEFAULT 0,
  consented_by      text    NOT NULL DEFAULT '',
  denied_at         integer  NOT NULL DEFAULT 0,
  finished_at       integer  NOT NULL DEFAULT 0,
  created_at        integer  NOT NULL,
  expires_at        integer  NOT NULL
) STRICT;
CREATE INDEX flows_expires_at ON flows (expires_at);

-- A code is kept under the id of the grant that its redemption creates: the
-- primary key of grants decides who redeems it (L14).
CREATE TABLE codes (
  grant_id     blob  PRIMARY KEY,
  secret_hash  blob  NOT NULL,
  client_id    blob  NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
  user_id      blob  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  session_id   blob  NOT NULL,
  redirect_uri text   NOT NULL,
  challenge    text   NOT NULL,
  nonce        text   NOT NULL,
  scopes       text   NOT NULL,
  resources    text   NOT NULL,
  claims       text   NOT NULL,
  rev          integer NOT NULL,
  auth_time    integer NOT NULL,
  amr          text   NOT NULL,
  acr          text   NOT NULL,
  created_at   integer NOT NULL,
  expires_at   integer NOT NULL
) STRICT;
CREATE INDEX codes_user_id ON codes (user_id);
CREATE INDEX codes_client_id ON codes (client_id);
CREATE INDEX codes_session_id ON codes (session_id);
CREATE INDEX codes_expires_at ON codes (expires_at);

-- The refresh token's state lives in its grant, and no index covers it, so that a
-- rotation rewrites one row and no index.
CREATE TABLE grants (
  id                  blob   PRIMARY KEY,
  client_id           blob   NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
  user_id             blob   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  session_id          blob   NOT NULL,
  code_hash           blob   NOT NULL,
  challenge           text    NOT NULL,
  offline             integer NOT NULL,
  scopes              text    NOT NULL,
  resources           text    NOT NULL,
  claims              text    NOT NULL,
  rev                 integer  NOT NULL,
  auth_time           integer  NOT NULL,
  amr                 text    NOT NULL,
  acr                 text    NOT NULL,
  refresh_hash        blob,
  refresh_generation  integer  NOT NULL DEFAULT 0,
  refresh_recent      text    NOT NULL DEFAULT '', -- times with spaces, newest first
  refresh_idle_ends_at integer NOT NULL DEFAULT 0,
  refresh_expires_at  integer  NOT NULL DEFAULT 0,
  created_at          integer  NOT NULL,
  ended_at            integer  NOT NULL DEFAULT 0,
  end_reason          text    NOT NULL DEFAULT '',
  purge_at            integer  NOT NULL
) STRICT;
CREATE INDEX grants_user_id ON grants (user_id, client_id);
CREATE INDEX grants_client_id ON grants (client_id);
CREATE INDEX grants_session_id ON grants (session_id);
CREATE INDEX grants_purge_at ON grants (purge_at);

CREATE TABLE used_assertions (
  key        blob  PRIMARY KEY,
  expires_at integer NOT NULL
) STRICT;
CREATE INDEX used_assertions_expires_at ON used_assertions (expires_at);

-- What may be lost, for deployments without Redis and while it does not answer.
CREATE TABLE short_lived (
  key        text   PRIMARY KEY,
  value      blob  NOT NULL,
  expires_at integer NOT NULL
) STRICT;
CREATE INDEX short_lived_expires_at ON short_lived (expires_at);

CREATE TABLE rate_limits (
  key        text   PRIMARY KEY,
  tat        integer NOT NULL,
  expires_at integer NOT NULL
) STRICT;
CREATE INDEX rate_limits_expires_at ON rate_limits (expires_at);

CREATE TABLE jobs (
  id           blob  PRIMARY KEY,
  kind         text   NOT NULL,
  payload      text   NOT NULL,
  run_at       integer NOT NULL,
  attempts     integer NOT NULL DEFAULT 0,
  locked_until integer NOT NULL DEFAULT 0,
  last_error   text   NOT NULL DEFAULT '',
  created_at   integer NOT NULL
) STRICT;
CREATE INDEX jobs_run_at ON jobs (run_at);

CREATE TABLE audit (
  id          blob  PRIMARY KEY,
  at          integer NOT NULL,
  actor_kind  text   NOT NULL,
  actor_id    text   NOT NULL,
  actor_name  text   NOT NULL,
  action      text   NOT NULL,
  target_kind text   NOT NULL,
  target_id   text   NOT NULL,
  details     text   NOT NULL,
  request_id  text   NOT NULL,
  address     text   NOT NULL
) STRICT;
CREATE INDEX audit_target ON audit (target_kind, target_id, id);
CREATE INDEX audit_actor ON audit (actor_kind, actor_id, id);

INSERT INTO ledger_head (id, timeline, position, change, floor, hash)
VALUES (1, lower(hex(randomblob(16))), 0, 0, 0, x'');
