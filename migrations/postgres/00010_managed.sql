-- +goose Up

-- What files manage (gatehouse apply). The name is what a file finds the object by:
-- audience, client_id, or the folded name of a group or permission set. A row stays
-- when its object is removed by hand, so that the next apply does not bring it back
-- unasked; object_id tells an object from a later one of the same name.
CREATE TABLE managed (
  kind       text    NOT NULL,
  name       text    NOT NULL,
  object_id  bytea   NOT NULL,
  manager    text    NOT NULL,
  applied    text    NOT NULL, -- JSON: the members that the file names, as it last set them
  applied_at bigint  NOT NULL,
  PRIMARY KEY (kind, name)
);
CREATE INDEX managed_object_id ON managed (object_id);
