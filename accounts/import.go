package accounts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// importBatch is how many lines are committed together: a batch holds SQLite's
// writer, and a lock for each sub on PostgreSQL.
const importBatch = 500

// Import takes over accounts from a file of JSON Lines (docs/import.md), some hundred
// in a transaction. It only makes accounts: one that is already there is left as it
// is, so that a run can be repeated, and nothing is taken from anybody, so that no
// row goes to the ledger.
type Import struct {
	Journal
	Users *Users // makes accounts of what the lines say, by the rules for every account
	Store ImportStore
}

// ImportStore writes many users in few statements.
type ImportStore interface {
	// InsertUsers inserts the users who share no username, sub or verified address
	// with a user, and no sub with a client, also not with one before them in the
	// list, and returns the ids of those.
	InsertUsers(ctx context.Context, users []User) ([]id.ID, error)
	// Namesakes returns who has one of the subs, username keys or verified addresses.
	Namesakes(ctx context.Context, subs, usernameKeys, emailKeys []string) ([]Namesake, error)
	// AddMembers adds members without end to groups in which they are not.
	AddMembers(ctx context.Context, members []NewMember, now int64) error
	ListGroups(ctx context.Context) ([]Group, error)
	// Instance returns a fact about the deployment, or ErrNotFound.
	Instance(ctx context.Context, key string) (string, error)
	SetInstance(ctx context.Context, key, value string) error
}

// Namesake is a user whose names are taken, or by its sub or client_id alone a deleted
// user or a client.
type Namesake struct {
	Subject       string
	UsernameKey   string
	EmailKey      string
	EmailVerified bool
	Client        bool
}

// NewMember is a user in a group.
type NewMember struct {
	UserID, GroupID id.ID
}

// ImportOptions say how a run goes. The functions may be nil.
type ImportOptions struct {
	// Digest of the file's content, under which is kept how far a run got.
	Digest string
	// Resume goes on behind the last line that a run of the same file committed.
	Resume bool
	// DryRun writes nothing, and tells what would be refused.
	DryRun bool
	// Refused gets each line that was refused, before the batch is committed: if the
	// process dies in between, it gets it again from the run that resumes.
	Refused func(ImportRefusal) error
	// Progress gets the count after each batch.
	Progress func(ImportCount)
}

// ImportCount is how far a run has got, over all its resumptions.
type ImportCount struct {
	Lines   int64 `json:"lines"` // read, and committed
	Created int64 `json:"created"`
	Present int64 `json:"present"` // there already, and left as they are
	Refused int64 `json:"refused"`
}

// ImportRefusal is a line that made no account. It holds nothing of the line but
// who it was about.
type ImportRefusal struct {
	Line     int64  `json:"line"`
	Username string `json:"username,omitempty"`
	Subject  string `json:"sub,omitempty"`
	Reason   string `json:"reason"`
}

// errDryRun rolls back what a dry run has tried.
var errDryRun = errors.New("nothing was to be written")

// Run reads a file to its end. An error leaves everything before the batch in which
// it happened committed; the count says how far that is. Errors: those of reading
// and of storage. A line that cannot be taken is no error.
func (s *Import) Run(ctx context.Context, actor audit.Actor, file io.Reader, o ImportOptions) (ImportCount, error) {
	count, err := s.progress(ctx, o)
	if err != nil {
		return count, err
	}
	b := &importBatcher{Import: s, options: o, actor: actor, seen: map[uint64]bool{}}
	if b.groups, err = s.groupIDs(ctx); err != nil {
		return count, err
	}
	lines := newImportLines(file)
	if err := lines.skip(count.Lines); err != nil {
		return count, err
	}
	for {
		batch, err := lines.batch(importBatch)
		if err != nil {
			return count, err
		}
		if len(batch) == 0 {
			return count, nil
		}
		next, err := b.commit(ctx, batch, count)
		if err != nil {
			return count, fmt.Errorf("lines %d to %d: %w", count.Lines+1, lines.read, err)
		}
		count = next
		if o.Progress != nil {
			o.Progress(count)
		}
	}
}

// ImportProgress returns how far runs of a file have got.
func (s *Import) ImportProgress(ctx context.Context, digest string) (ImportCount, error) {
	var count ImportCount
	text, err := s.Store.Instance(ctx, importFact+digest)
	if errors.Is(err, ErrNotFound) {
		return count, nil
	}
	if err != nil {
		return count, fmt.Errorf("progress of the import: %w", err)
	}
	if err := json.Unmarshal([]byte(text), &count); err != nil {
		return count, fmt.Errorf("progress of the import: %w", err)
	}
	return count, nil
}

const importFact = "import."

func (s *Import) progress(ctx context.Context, o ImportOptions) (ImportCount, error) {
	if !o.Resume {
		return ImportCount{}, nil
	}
	return s.ImportProgress(ctx, o.Digest)
}

// groupIDs returns the groups by their keys. They have to be there before: a
// misspelled name must not make one.
func (s *Import) groupIDs(ctx context.Context) (map[string]id.ID, error) {
	groups, err := s.Store.ListGroups(ctx)
	if err != nil {
		return nil, fmt.Errorf("groups: %w", err)
	}
	ids := make(map[string]id.ID, len(groups))
	for _, g := range groups {
		ids[g.NameKey] = g.ID
	}
	return ids, nil
}

// importBatcher commits one batch after another.
type importBatcher struct {
	*Import
	options ImportOptions
	actor   audit.Actor
	groups  map[string]id.ID
	// seen are the names of earlier batches of a dry run, whose users are not there.
	seen map[uint64]bool
}

// commit makes the accounts of a batch in one transaction and returns the count
// after it.
func (b *importBatcher) commit(ctx context.Context, batch []importText, before ImportCount) (ImportCount, error) {
	candidates, refused := b.read(batch)
	var after ImportCount
	err := b.record(ctx, b.actor, func(ctx context.Context, now int64) (*effect, error) {
		after = before
		after.Lines = batch[len(batch)-1].number
		created, rejected, err := b.insert(ctx, candidates, now)
		if err != nil {
			return nil, err
		}
		after.Created += int64(len(created))
		after.Refused += int64(len(refused) + len(rejected))
		after.Present += int64(len(candidates) - len(created) - len(rejected))
		if err := b.report(append(slices.Clone(refused), rejected...)); err != nil {
			return nil, err
		}
		if b.options.DryRun {
			return nil, errDryRun
		}
		if err := b.keep(ctx, after); err != nil {
			return nil, err
		}
		if len(created) == 0 {
			return nil, nil
		}
		return b.told(created, batch[0].number, after.Lines), nil
	})
	if b.options.DryRun && errors.Is(err, errDryRun) {
		err = nil
	}
	return after, err
}

// told is the event of a batch, with more behind it if it made more staff and
// superusers than one names. The others are too many to be named.
func (b *importBatcher) told(created []*importCandidate, from, to int64) *effect {
	superusers := 0
	var high []*importCandidate
	for _, c := range created {
		if c.user.Superuser {
			superusers++
		}
		if c.user.Superuser || c.user.Staff {
			high = append(high, c)
		}
	}
	event := func() *effect {
		return &effect{action: "user.import", kind: "import", target: b.options.Digest, details: map[string]any{"from_line": from, "to_line": to}}
	}
	var events []*effect
	for some := range slices.Chunk(high, audit.MaxListed) {
		e := event()
		for _, name := range []struct {
			name string
			is   func(c *importCandidate) bool
		}{
			{"staff_subs", func(c *importCandidate) bool { return c.user.Staff }},
			{"superuser_subs", func(c *importCandidate) bool { return c.user.Superuser }},
		} {
			if subs := subjectsOf(some, name.is); len(subs) > 0 {
				e.details[name.name] = subs
			}
		}
		events = append(events, e)
	}
	if len(events) == 0 {
		events = []*effect{event()}
	}
	events[0].details["created"], events[0].details["superusers"] = len(created), superusers
	return together(events)
}

func subjectsOf(candidates []*importCandidate, is func(c *importCandidate) bool) (subs []string) {
	for _, c := range candidates {
		if is(c) {
			subs = append(subs, c.user.Subject)
		}
	}
	return subs
}

// insert makes the accounts and memberships of a batch, and says which candidates
// were made and which refused; the others are there already.
func (b *importBatcher) insert(ctx context.Context, candidates []*importCandidate, now int64) (created []*importCandidate, rejected []ImportRefusal, err error) {
	users := make([]User, len(candidates))
	for i, c := range candidates {
		users[i] = c.stamped(now)
	}
	ids, err := b.Store.InsertUsers(ctx, users)
	if err != nil {
		return nil, nil, fmt.Errorf("insert users: %w", err)
	}
	made := make(map[id.ID]bool, len(ids))
	for _, one := range ids {
		made[one] = true
	}
	var members []NewMember
	var left []*importCandidate
	for _, c := range candidates {
		if !made[c.user.ID] {
			left = append(left, c)
			continue
		}
		created = append(created, c)
		for _, g := range c.groups {
			members = append(members, NewMember{UserID: c.user.ID, GroupID: g})
		}
	}
	if len(members) > 0 {
		if err := b.Store.AddMembers(ctx, members, now); err != nil {
			return nil, nil, fmt.Errorf("add members: %w", err)
		}
	}
	rejected, err = b.reject(ctx, left)
	return created, rejected, err
}

// reject finds out who has the names of those who were not inserted.
func (b *importBatcher) reject(ctx context.Context, left []*importCandidate) ([]ImportRefusal, error) {
	if len(left) == 0 {
		return nil, nil
	}
	var subs, usernames, emails []string
	for _, c := range left {
		subs, usernames = append(subs, c.user.Subject), append(usernames, c.user.UsernameKey)
		if c.user.EmailVerified {
			emails = append(emails, c.user.EmailKey)
		}
	}
	namesakes, err := b.Store.Namesakes(ctx, subs, usernames, emails)
	if err != nil {
		return nil, fmt.Errorf("find who has the names: %w", err)
	}
	var rejected []ImportRefusal
	for _, c := range left {
		if reason := c.taken(namesakes); reason != "" {
			rejected = append(rejected, c.refusal(reason))
		}
	}
	return rejected, nil
}

func (b *importBatcher) report(refused []ImportRefusal) error {
	if b.options.Refused == nil {
		return nil
	}
	slices.SortFunc(refused, func(x, y ImportRefusal) int { return int(x.Line - y.Line) })
	for _, r := range refused {
		if err := b.options.Refused(r); err != nil {
			return fmt.Errorf("report of refused lines: %w", err)
		}
	}
	return nil
}

// keep writes down, with the batch, how far the run has got.
func (b *importBatcher) keep(ctx context.Context, count ImportCount) error {
	text, err := json.Marshal(count)
	if err != nil {
		return fmt.Errorf("progress of the import: %w", err)
	}
	if err := b.Store.SetInstance(ctx, importFact+b.options.Digest, string(text)); err != nil {
		return fmt.Errorf("progress of the import: %w", err)
	}
	return nil
}

// read makes candidates of the lines of a batch.
func (b *importBatcher) read(batch []importText) (candidates []*importCandidate, refused []ImportRefusal) {
	for _, text := range batch {
		if text.blank() {
			continue
		}
		c, line, err := b.candidate(text)
		if err == nil && b.options.DryRun {
			err = b.firstSeen(c)
		}
		if err != nil {
			about := importCandidate{line: text.number, user: User{Username: line.Username}, givenSub: line.Subject}
			refused = append(refused, about.refusal(reasonText(err)))
			continue
		}
		candidates = append(candidates, c)
	}
	return candidates, refused
}

// firstSeen finds names that an earlier batch of a dry run has used.
func (b *importBatcher) firstSeen(c *importCandidate) error {
	names := c.hashes()
	for _, h := range names {
		if b.seen[h] {
			return invalid("an earlier line has the same username, sub or verified mail address")
		}
	}
	for _, h := range names {
		b.seen[h] = true
	}
	return nil
}
