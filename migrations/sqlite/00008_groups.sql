-- +goose Up

-- The members of child are members of parent as well. Groups form no loop, and no
-- chain of more than ten: who adds a row holds the lock of nesting and looks.
CREATE TABLE group_children (
  parent_id blob    NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
  child_id  blob    NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
  added_at  integer NOT NULL,
  PRIMARY KEY (parent_id, child_id),
  CHECK (parent_id <> child_id)
) STRICT;
CREATE INDEX group_children_child_id ON group_children (child_id, parent_id);

-- Who may list, add and remove the members of a group, and nothing else.
CREATE TABLE group_managers (
  group_id blob    NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
  user_id  blob    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  added_at integer NOT NULL,
  PRIMARY KEY (group_id, user_id)
) STRICT;
CREATE INDEX group_managers_user_id ON group_managers (user_id, group_id);

-- The memberships that end, for whoever ends them.
CREATE INDEX group_members_ends_at ON group_members (ends_at, user_id) WHERE ends_at > 0;

-- Permissions under one name, which clients hold besides their own.
CREATE TABLE permission_sets (
  id          blob    PRIMARY KEY,
  name        text    NOT NULL,
  name_key    text    NOT NULL UNIQUE,
  description text    NOT NULL DEFAULT '',
  created_at  integer NOT NULL
) STRICT;

CREATE TABLE permission_set_permissions (
  set_id        blob NOT NULL REFERENCES permission_sets (id) ON DELETE CASCADE,
  permission_id blob NOT NULL REFERENCES permissions (id) ON DELETE CASCADE,
  PRIMARY KEY (set_id, permission_id)
) STRICT;
CREATE INDEX permission_set_permissions_permission_id ON permission_set_permissions (permission_id, set_id);

CREATE TABLE client_permission_sets (
  client_id blob NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
  set_id    blob NOT NULL REFERENCES permission_sets (id) ON DELETE CASCADE,
  PRIMARY KEY (client_id, set_id)
) STRICT;
CREATE INDEX client_permission_sets_set_id ON client_permission_sets (set_id, client_id);
