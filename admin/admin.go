package admin

import (
	"context"
	"log/slog"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/auditlog"
)

// Admin has the operations. Its fields are what they work on.
type Admin struct {
	Users    *accounts.Users
	Sessions *accounts.Sessions
	Consents *accounts.Consents
	Groups   *accounts.Groups
	APIs     *accounts.APIs
	Clients  *accounts.Clients

	Factors     *accounts.Factors
	Deletion    *accounts.Deletion
	Invites     *accounts.Invites
	SignInLinks *accounts.MailCodes

	Sets        *accounts.PermissionSets
	Connections *accounts.Connections
	Tokens      *accounts.Tokens
	Keeper      KeyKeeper

	// What the lists and the decisions about other objects than users are read from.
	Lists      ListStore
	Reach      GroupStore
	KeyRecords KeyStore
	Ledger     LedgerStore
	Audit      AuditReader
	Activity   ActivityStore
	Counts     CountReader
	Node       Node    // nil: nothing is told of this node
	Probes     []Probe // what else the deployment stands on, for its status
	Marks      MarkReader
	// Chain looks at the health of the audit log; nil: nobody does.
	Chain func(ctx context.Context) (*auditlog.Health, error)

	// Protocol is asked in the name of clients.
	Protocol Protocol

	// Refusals are the redirect URIs that clients were refused.
	Refusals *accounts.Refusals

	// Settings are those that the database can keep.
	Settings SettingsKeeper

	// Callers reads what the target of an operation holds, as it does for callers.
	Callers   CallerStore
	UserPages UserPages

	Log *slog.Logger
	Now func() time.Time
}

func (a *Admin) now() int64 { return a.Now().UnixMilli() }
