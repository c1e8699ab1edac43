-- +goose Up

-- One row: the clock of everything that can be taken back. It is locked last in a
-- transaction and held to the commit, so positions are in commit order (L20, L21).
CREATE TABLE ledger_head (
  id        bigint PRIMARY KEY CHECK (id = 1),
  timeline  text   NOT NULL,
  position  bigint NOT NULL,
  change    bigint NOT NULL,
  floor     bigint NOT NULL,
  hash      bytea  NOT NULL
) WITH (fillfactor = 10);

CREATE TABLE revocations (
  position   bigint PRIMARY KEY,
  kind       text   NOT NULL,
  key        text   NOT NULL,
  audience   text   NOT NULL DEFAULT '',
  reason     text   NOT NULL,
  at         bigint NOT NULL,
  expires_at bigint NOT NULL
);
CREATE INDEX revocations_key ON revocations (key, kind);
CREATE INDEX revocations_expires_at ON revocations (expires_at);
-- Rows of a kind that this release does not know (a newer node wrote them) kill
-- everything; this index finds them and is empty otherwise.
CREATE INDEX revocations_unknown ON revocations (position)
  WHERE kind NOT IN ('token', 'session', 'grant', 'user', 'membership', 'permission', 'client', 'key', 'all');

CREATE TABLE instance (
  key   text PRIMARY KEY,
  value text NOT NULL
);

CREATE TABLE signing_keys (
  kid          text   PRIMARY KEY,
  algorithm    text   NOT NULL,
  state        text   NOT NULL,
  sealed       bytea  NOT NULL,
  public       bytea  NOT NULL,
  created_at   bigint NOT NULL,
  published_at bigint NOT NULL,
  activated_at bigint NOT NULL,
  retired_at   bigint NOT NULL,
  gone_at      bigint NOT NULL
);

CREATE TABLE users (
  id                bytea   PRIMARY KEY,
  sub               text    NOT NULL UNIQUE,
  username          text    NOT NULL,
  username_key      text    NOT NULL UNIQUE,
  email             text    NOT NULL DEFAULT '',
  email_key         text    NOT NULL DEFAULT '',
  email_verified    boolean NOT NULL DEFAULT false,
  password_hash     text    NOT NULL DEFAULT '',
  name              text    NOT NULL DEFAULT '',
  profile           text    NOT NULL DEFAULT '{}',
  staff             boolean NOT NULL DEFAULT false,
  superuser         boolean NOT NULL DEFAULT false,
  demo              boolean NOT NULL DEFAULT false,
  banned_at         bigint  NOT NULL DEFAULT 0,
  valid_from        bigint  NOT NULL DEFAULT 0,
  created_at        bigint  NOT NULL,
  updated_at        bigint  NOT NULL,
  last_sign_in_at   bigint  NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX users_email_key ON users (email_key) WHERE email_verified AND email_key <> '';
CREATE INDEX users_superuser ON users (id) WHERE superuser;

CREATE TABLE groups (
  id          bytea  PRIMARY KEY,
  name        text   NOT NULL,
  name_key    text   NOT NULL UNIQUE,
  description text   NOT NULL DEFAULT '',
  created_at  bigint NOT NULL
);

CREATE TABLE group_members (
  user_id  bytea  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  group_id bytea  NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
  ends_at  bigint NOT NULL DEFAULT 0,
  added_at bigint NOT NULL,
  PRIMARY KEY (user_id, group_id)
);
CREATE INDEX group_members_group_id ON group_members (group_id, user_id);

CREATE TABLE apis (
  id                    bytea   PRIMARY KEY,
  audience              text    NOT NULL UNIQUE,
  name                  text    NOT NULL,
  token_lifetime        bigint  NOT NULL DEFAULT 0,
  token_algorithm       text    NOT NULL DEFAULT '',
  authentication_claims boolean NOT NULL DEFAULT false,
  disabled_at           bigint  NOT NULL DEFAULT 0,
  created_at            bigint  NOT NULL,
  updated_at            bigint  NOT NULL
);

CREATE TABLE permissions (
  id          bytea  PRIMARY KEY,
  api_id      bytea  NOT NULL REFERENCES apis (id) ON DELETE CASCADE,
  name        text   NOT NULL UNIQUE,
  description text   NOT NULL,
  created_at  bigint NOT NULL
);
CREATE INDEX permissions_api_id ON permissions (api_id);

CREATE TABLE group_permissions (
  group_id      bytea NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
  permission_id bytea NOT NULL REFERENCES permissions (id) ON DELETE CASCADE,
  PRIMARY KEY (group_id, permission_id)
);
CREATE INDEX group_permissions_permission_id ON group_permissions (permission_id);

-- Lists within a row are JSON arrays of strings, scopes a string with spaces.
CREATE TABLE clients (
  id                        bytea   PRIMARY KEY,
  client_id                 text    NOT NULL UNIQUE,
  name                      text    NOT NULL,
  type                      text    NOT NULL,
  api_id                    bytea   UNIQUE REFERENCES apis (id) ON DELETE CASCADE,
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
  first_party               boolean NOT NULL DEFAULT false,
  require_pkce              boolean NOT NULL DEFAULT true,
  require_par               boolean NOT NULL DEFAULT false,
  rotate_refresh            boolean NOT NULL DEFAULT true,
  token_endpoint_audience   boolean NOT NULL DEFAULT false,
  access_token_lifetime     bigint  NOT NULL DEFAULT 0,
  id_token_lifetime         bigint  NOT NULL DEFAULT 0,
  refresh_idle              bigint  NOT NULL DEFAULT 0,
  refresh_absolute          bigint  NOT NULL DEFAULT 0,
  demo                      boolean NOT NULL DEFAULT false,
  disabled_at               bigint  NOT NULL DEFAULT 0,
  valid_from                bigint  NOT NULL DEFAULT 0,
  created_at                bigint  NOT NULL,
  updated_at                bigint  NOT NULL
);

-- Which pages of single-page apps may use the back channel from the browser.
CREATE TABLE client_origins (
  origin    text NOT NULL,
  client_id bytea NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
  PRIMARY KEY (origin, client_id)
);
CREATE INDEX client_origins_client_id ON client_origins (client_id);

CREATE TABLE client_secrets (
  id         bytea  PRIMARY KEY,
  client_id  bytea  NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
  hash       text   NOT NULL,
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL DEFAULT 0
);
CREATE INDEX client_secrets_client_id ON client_secrets (client_id);

CREATE TABLE client_permissions (
  client_id     bytea NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
  permission_id bytea NOT NULL REFERENCES permissions (id) ON DELETE CASCADE,
  PRIMARY KEY (client_id, permission_id)
);
CREATE INDEX client_permissions_permission_id ON client_permissions (permission_id);

CREATE TABLE sessions (
  id           bytea  PRIMARY KEY,
  token_hash   bytea  NOT NULL UNIQUE,
  user_id      bytea  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  rev          bigint NOT NULL,
  auth_time    bigint NOT NULL,
  amr          text   NOT NULL,
  acr          text   NOT NULL,
  created_at   bigint NOT NULL,
  last_seen_at bigint NOT NULL,
  idle_ends_at bigint NOT NULL,
  expires_at   bigint NOT NULL,
  ended_at     bigint NOT NULL DEFAULT 0,
  end_reason   text   NOT NULL DEFAULT '',
  user_agent   text   NOT NULL DEFAULT '',
  address      text   NOT NULL DEFAULT ''
);
CREATE INDEX sessions_user_id ON sessions (user_id, id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

CREATE TABLE consents (
  user_id    bytea  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  client_id  bytea  NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
  scopes     text   NOT NULL,
  asked      text   NOT NULL,
  valid_from bigint NOT NULL DEFAULT 0,
  granted_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  revoked_at bigint NOT NULL DEFAULT 0,
  expires_at bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (user_id, client_id)
);
CREATE INDEX consents_client_id ON consents (client_id);

CREATE TABLE flows (
  id                bytea   PRIMARY KEY,
  browser_hash      bytea   NOT NULL,
  client_id         text    NOT NULL,
  params            text    NOT NULL,
  grant_id          bytea   NOT NULL,
  pushed            boolean NOT NULL,
  redirect_uri      text    NOT NULL,
  scopes            text    NOT NULL,
  login_hint        text    NOT NULL,
  ui_locales        text    NOT NULL,
  reauthenticate    boolean NOT NULL,
  account_chosen_at bigint  NOT NULL DEFAULT 0,
  consented_by      text    NOT NULL DEFAULT '',
  denied_at         bigint  NOT NULL DEFAULT 0,
  finished_at       bigint  NOT NULL DEFAULT 0,
  created_at        bigint  NOT NULL,
  expires_at        bigint  NOT NULL
);
CREATE INDEX flows_expires_at ON flows (expires_at);

-- A code is kept under the id of the grant that its redemption creates: the
-- primary key of grants decides who redeems it (L14).
CREATE TABLE codes (
  grant_id     bytea  PRIMARY KEY,
  secret_hash  bytea  NOT NULL,
  client_id    bytea  NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
  user_id      bytea  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  session_id   bytea  NOT NULL,
  redirect_uri text   NOT NULL,
  challenge    text   NOT NULL,
  nonce        text   NOT NULL,
  scopes       text   NOT NULL,
  resources    text   NOT NULL,
  claims       text   NOT NULL,
  rev          bigint NOT NULL,
  auth_time    bigint NOT NULL,
  amr          text   NOT NULL,
  acr          text   NOT NULL,
  created_at   bigint NOT NULL,
  expires_at   bigint NOT NULL
);
CREATE INDEX codes_user_id ON codes (user_id);
CREATE INDEX codes_client_id ON codes (client_id);
CREATE INDEX codes_session_id ON codes (session_id);
CREATE INDEX codes_expires_at ON codes (expires_at);

-- The refresh token's state lives in its grant, and no index covers it, so that a
-- rotation rewrites one row and no index.
CREATE TABLE grants (
  id                  bytea   PRIMARY KEY,
  client_id           bytea   NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
  user_id             bytea   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  session_id          bytea   NOT NULL,
  code_hash           bytea   NOT NULL,
  challenge           text    NOT NULL,
  offline             boolean NOT NULL,
  scopes              text    NOT NULL,
  resources           text    NOT NULL,
  claims              text    NOT NULL,
  rev                 bigint  NOT NULL,
  auth_time           bigint  NOT NULL,
  amr                 text    NOT NULL,
  acr                 text    NOT NULL,
  refresh_hash        bytea,
  refresh_generation  bigint  NOT NULL DEFAULT 0,
  refresh_recent      text    NOT NULL DEFAULT '', -- times with spaces, newest first
  refresh_idle_ends_at bigint NOT NULL DEFAULT 0,
  refresh_expires_at  bigint  NOT NULL DEFAULT 0,
  created_at          bigint  NOT NULL,
  ended_at            bigint  NOT NULL DEFAULT 0,
  end_reason          text    NOT NULL DEFAULT '',
  purge_at            bigint  NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX grants_user_id ON grants (user_id, client_id);
CREATE INDEX grants_client_id ON grants (client_id);
CREATE INDEX grants_session_id ON grants (session_id);
CREATE INDEX grants_purge_at ON grants (purge_at);

CREATE TABLE used_assertions (
  key        bytea  PRIMARY KEY,
  expires_at bigint NOT NULL
);
CREATE INDEX used_assertions_expires_at ON used_assertions (expires_at);

-- What may be lost, for deployments without Redis and while it does not answer.
CREATE TABLE short_lived (
  key        text   PRIMARY KEY,
  value      bytea  NOT NULL,
  expires_at bigint NOT NULL
);
CREATE INDEX short_lived_expires_at ON short_lived (expires_at);

CREATE TABLE rate_limits (
  key        text   PRIMARY KEY,
  tat        bigint NOT NULL,
  expires_at bigint NOT NULL
);
CREATE INDEX rate_limits_expires_at ON rate_limits (expires_at);

CREATE TABLE jobs (
  id           bytea  PRIMARY KEY,
  kind         text   NOT NULL,
  payload      text   NOT NULL,
  run_at       bigint NOT NULL,
  attempts     bigint NOT NULL DEFAULT 0,
  locked_until bigint NOT NULL DEFAULT 0,
  last_error   text   NOT NULL DEFAULT '',
  created_at   bigint NOT NULL
);
CREATE INDEX jobs_run_at ON jobs (run_at);

CREATE TABLE audit (
  id          bytea  PRIMARY KEY,
  at          bigint NOT NULL,
  actor_kind  text   NOT NULL,
  actor_id    text   NOT NULL,
  actor_name  text   NOT NULL,
  action      text   NOT NULL,
  target_kind text   NOT NULL,
  target_id   text   NOT NULL,
  details     text   NOT NULL,
  request_id  text   NOT NULL,
  address     text   NOT NULL
);
CREATE INDEX audit_target ON audit (target_kind, target_id, id);
CREATE INDEX audit_actor ON audit (actor_kind, actor_id, id);

INSERT INTO ledger_head (id, timeline, position, change, floor, hash)
VALUES (1, replace(gen_random_uuid()::text, '-', ''), 0, 0, 0, '\x');
