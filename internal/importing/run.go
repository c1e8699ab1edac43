package importing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// Target is what files are imported into.
type Target struct {
	APIs    *accounts.APIs
	Groups  *accounts.Groups
	Clients *accounts.Clients
	Import  *accounts.Import
}

// Source is a file of another program.
type Source interface {
	// Plan reads the whole file and returns what it holds besides its people.
	Plan(*Report) (*Plan, error)
	// People begins again for the people.
	People(*Report) (People, error)
}

// Options say how a run goes.
type Options struct {
	// Digest names the file's content together with what decides how it is read.
	Digest string
	// Resume goes on behind the last person whom an earlier run has come to.
	Resume bool
	// DryRun writes nothing.
	DryRun bool
	// MergeGroups lets groups that are there, and were not made by an import, get the
	// members and permissions of the file's groups of their names.
	MergeGroups bool
	// At stands for the @ in usernames; if it is empty, such people are refused.
	At string
	// Progress gets the count after each batch of people. It may be nil.
	Progress func(accounts.ImportCount)
}

// Tally counts objects of one kind.
type Tally struct {
	Made    int `json:"made"`
	Present int `json:"present"` // there already
}

// NewAPI is an API that a run has made, with the secret of its resource server's
// client, which is shown this once.
type NewAPI struct {
	Audience string
	ClientID string
	Secret   secret.Text
}

// Result is what a run did, or would do.
type Result struct {
	People      accounts.ImportCount
	APIs        Tally
	Permissions Tally
	Groups      Tally
	Clients     Tally
	NewAPIs     []NewAPI
}

// ErrGroupsThere refuses to put people into groups that somebody else made: what
// those hold now, or will hold, is not what the file says.
var ErrGroupsThere = errors.New("groups of these names are there already")

// errDryRun rolls back.
var errDryRun = errors.New("dry run")

// Run makes what a file says. What was made before an error stays; the same file goes
// on from there. Errors: ErrGroupsThere, before anything is written; those of the
// source and of storage.
func (t *Target) Run(ctx context.Context, by audit.Actor, src Source, report *Report, o Options) (Result, error) {
	plan, err := src.Plan(report)
	if err != nil {
		return Result{}, err
	}
	b := &builder{Target: t, ctx: ctx, by: by, plan: plan, report: report, merge: o.MergeGroups}
	if err := report.hold(func(again func()) error {
		if !o.DryRun {
			return b.all(again)
		}
		err := t.Import.Tx.InTx(ctx, func(ctx context.Context) error {
			b.ctx = ctx
			if err := b.all(again); err != nil {
				return err
			}
			return errDryRun
		})
		if errors.Is(err, errDryRun) {
			err = nil
		}
		return err
	}); err != nil {
		return b.result, err
	}
	if report.err != nil {
		return b.result, fmt.Errorf("report: %w", report.err)
	}
	b.result.People, err = t.people(ctx, by, src, b, report, o)
	return b.result, err
}

// people makes the accounts.
func (t *Target) people(ctx context.Context, by audit.Actor, src Source, b *builder, report *Report, o Options) (accounts.ImportCount, error) {
	people, err := src.People(report)
	if err != nil {
		return accounts.ImportCount{}, err
	}
	in := &lines{people: people, report: report, now: t.Import.Now(), at: o.At}
	if o.Resume {
		before, err := t.Import.ImportProgress(ctx, o.Digest)
		if err != nil {
			return before, err
		}
		in.told = before.Lines
	}
	imp := *t.Import
	if o.DryRun {
		imp.Store = &plannedGroups{ImportStore: t.Import.Store, groups: b.groups}
	}
	count, err := imp.Run(ctx, by, in, accounts.ImportOptions{
		Digest: o.Digest, Resume: o.Resume, DryRun: o.DryRun, Progress: o.Progress,
		Refused: func(r accounts.ImportRefusal) error {
			report.Note("user", r.Username, r.Reason)
			return report.err
		},
	})
	if err != nil {
		return count, fmt.Errorf("stopped behind person %d: %w", count.Lines, err)
	}
	return count, nil
}

// plannedGroups lets a dry run find the groups that a run would make.
type plannedGroups struct {
	accounts.ImportStore
	groups []accounts.Group
}

// ListGroups implements accounts.ImportStore.
func (s *plannedGroups) ListGroups(ctx context.Context) ([]accounts.Group, error) {
	there, err := s.ImportStore.ListGroups(ctx)
	return append(there, s.groups...), err
}

// AddMembers implements accounts.ImportStore.
func (s *plannedGroups) AddMembers(ctx context.Context, members []accounts.NewMember, now int64) error {
	return s.ImportStore.AddMembers(ctx, slices.DeleteFunc(members, func(m accounts.NewMember) bool {
		return slices.ContainsFunc(s.groups, func(g accounts.Group) bool { return g.ID == m.GroupID })
	}), now)
}

// named joins names for a message, but not thousands.
func named(names []string) string {
	const most = 10
	slices.Sort(names)
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}
