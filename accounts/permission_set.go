package accounts

import (
	"context"
	"slices"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// PermissionSet is a number of permissions under one name, which clients that act for
// themselves hold besides their own.
type PermissionSet struct {
	ID          id.ID
	Name        string
	NameKey     string // folded; unique
	Description string
	CreatedAt   int64
	Permissions []string // names, filled by the readers, sorted
	Clients     []string // client_ids, filled by PermissionSetByName, sorted
}

// PermissionSetStore keeps permission sets. Every change that gives or takes moves
// the ledger's change counter.
type PermissionSetStore interface {
	InsertPermissionSet(ctx context.Context, p *PermissionSet) error // ErrConflict when the name is taken
	PermissionSetByName(ctx context.Context, nameKey string) (*PermissionSet, error)
	// PermissionSetPage returns sets whose key begins with a prefix, in order of the
	// key, after one.
	PermissionSetPage(ctx context.Context, prefix, after string, limit int) ([]PermissionSet, error)
	// DescribePermissionSet writes the description alone.
	DescribePermissionSet(ctx context.Context, setID id.ID, description string) error
	DeletePermissionSet(ctx context.Context, setID id.ID) error
}

// SetHoldingStore keeps what permission sets hold, and who holds them.
type SetHoldingStore interface {
	// LockPermissionSet keeps others from changing a set and from giving it to clients
	// until the transaction ends, its clients from being changed and permissions from
	// leaving the deployment; ErrNotFound.
	LockPermissionSet(ctx context.Context, setID id.ID) error
	GrantToSet(ctx context.Context, setID, permissionID id.ID) (bool, error)
	RevokeFromSet(ctx context.Context, setID, permissionID id.ID) (bool, error)
	// AssignSet and UnassignSet report whether they changed anything.
	AssignSet(ctx context.Context, setID, clientID id.ID) (bool, error)
	UnassignSet(ctx context.Context, setID, clientID id.ID) (bool, error)
	// HoldersThrough returns the client_ids of those who hold one of the permissions by
	// this set alone, sorted.
	HoldersThrough(ctx context.Context, setID id.ID, permissions []string) ([]string, error)
}

// Held are the permissions that a client which acts for itself holds: its own, and
// those of its sets.
func (c *Client) Held() []string {
	if len(c.SetPermissions) == 0 {
		return c.Permissions
	}
	return union(slices.Clone(c.Permissions), c.SetPermissions) // a copy: clients in memory are shared
}
