package sqldb

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/provider/granting"
)

var _ granting.StandingStore = (*DB)(nil)

// standingColumns is how many columns the widest standing has.
const standingColumns = 72

// SessionStanding implements granting.StandingStore.
func (d *DB) SessionStanding(ctx context.Context, tokenHash []byte, clientID id.ID, scopes []string, now int64) (*granting.Standing, error) {
	var r standingRow
	dest := r.dest(make([]any, 0, standingColumns))
	args := []any{tokenHash, now, clientID, scopes}
	err := d.queryRow(ctx, sessionStanding, args, dest...)
	if err != nil {
		return nil, fmt.Errorf("session standing: %w", err)
	}
	return r.standing()
}

// CodeStanding implements granting.StandingStore.
func (d *DB) CodeStanding(ctx context.Context, grantID id.ID, now int64) (*granting.Code, *granting.Grant, *granting.Standing, error) {
	var (
		r    standingRow
		code granting.Code
		g    granting.Grant
	)
	dest := append(make([]any, 0, standingColumns), &r.mark.Position, &r.mark.Change)
	dest = r.rest(fullGrantDest(codeDest(dest, &code), &g))
	err := d.queryRow(ctx, d.either(codeStandingPostgres, codeStandingSQLite), []any{grantID, now}, dest...)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("code standing: %w", err)
	}
	s, err := r.standing()
	if err != nil {
		return nil, nil, nil, fmt.Errorf("code standing: %w", err)
	}
	return present(&code, code.GrantID), present(&g, g.ID), s, nil
}

// GrantStanding implements granting.StandingStore.
func (d *DB) GrantStanding(ctx context.Context, grantID id.ID, now int64) (*granting.Grant, *granting.Standing, error) {
	var (
		r standingRow
		g granting.Grant
	)
	dest := append(make([]any, 0, standingColumns), &r.mark.Position, &r.mark.Change)
	dest = r.rest(fullGrantDest(dest, &g))
	err := d.queryRow(ctx, d.either(grantStandingPostgres, grantStandingSQLite), []any{grantID, now}, dest...)
	if err != nil {
		return nil, nil, fmt.Errorf("grant standing: %w", err)
	}
	s, err := r.standing()
	if err != nil {
		return nil, nil, fmt.Errorf("grant standing: %w", err)
	}
	return &g, s, nil
}

// Audiences implements granting.StandingStore.
func (d *DB) Audiences(ctx context.Context, permissions, resources []string) (*granting.Catalogue, error) {
	var (
		c          granting.Catalogue
		held, apis string
	)
	err := d.queryRow(ctx, audiencesOf, []any{permissions, resources}, &c.Position, &c.Change, &held, &apis)
	if err == nil {
		c.Permissions, err = permissionLines(held)
	}
	if err == nil {
		c.APIs, err = audienceLines(apis)
	}
	if err != nil {
		return nil, fmt.Errorf("audiences: %w", err)
	}
	return &c, nil
}

// UserStanding implements granting.StandingStore; the groups are sorted.
func (d *DB) UserStanding(ctx context.Context, subject string, now int64) (*accounts.User, []string, error) {
	var (
		u      accounts.User
		groups []string
	)
	dest := append(gateUserDest(nil, &u), (*list)(&groups))
	err := d.queryRow(ctx, d.either(userStandingPostgres, userStandingSQLite), []any{subject, now}, dest...)
	if err != nil {
		return nil, nil, fmt.Errorf("user standing: %w", err)
	}
	slices.Sort(groups)
	return &u, groups, nil
}

// either picks the text of the engine.
func (d *DB) either(postgres, sqlite string) string {
	if d.dialect == SQLite {
		return sqlite
	}
	return postgres
}

// standingRow is what a standing's row is scanned into.
type standingRow struct {
	mark    accounts.Mark
	session accounts.Session
	user    accounts.User
	consent accounts.Consent
	held    string
}

func (r *standingRow) dest(dest []any) []any {
	return r.rest(append(dest, &r.mark.Position, &r.mark.Change))
}

// rest are the destinations of the columns with which each person's standing
// ends.
func (r *standingRow) rest(dest []any) []any {
	dest = gateConsentDest(gateUserDest(gateSessionDest(dest, &r.session), &r.user), &r.consent)
	return append(dest, &r.held)
}

func (r *standingRow) standing() (*granting.Standing, error) {
	held, err := heldLines(r.held)
	if err != nil {
		return nil, err
	}
	return &granting.Standing{
		Mark:    r.mark,
		User:    present(&r.user, r.user.ID),
		Session: present(&r.session, r.session.ID),
		Consent: present(&r.consent, r.consent.UserID),
		Held:    held,
	}, nil
}

// present returns nil for what an outer join did not find.
func present[T any](v *T, key id.ID) *T {
	if key.IsZero() {
		return nil
	}
	return v
}

// heldLines reads a permission and the end of a membership a line, and sorts by
// name: the database promises no order. When several groups give a permission the
// latest end counts, and a membership without end (zero) counts as the latest.
func heldLines(text string) ([]granting.Held, error) {
	if text == "" {
		return nil, nil
	}
	held := make([]granting.Held, 0, strings.Count(text, "\n")+1)
	for line := range strings.SplitSeq(text, "\n") {
		name, ends, _ := strings.Cut(line, "\t")
		endsAt, err := strconv.ParseInt(ends, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("sqldb: permission line %q: %w", line, err)
		}
		n := slices.IndexFunc(held, func(h granting.Held) bool { return h.Permission == name })
		switch {
		case n < 0:
			held = append(held, granting.Held{Permission: name, EndsAt: endsAt})
		case endsAt == 0 || held[n].EndsAt != 0 && endsAt > held[n].EndsAt:
			held[n].EndsAt = endsAt
		}
	}
	slices.SortFunc(held, byPermission)
	return held, nil
}

func byPermission(a, b granting.Held) int { return cmp.Compare(a.Permission, b.Permission) }

// permissionLines reads one permission a line, with its API.
func permissionLines(text string) ([]granting.Held, error) {
	if text == "" {
		return nil, nil
	}
	var permissions []granting.Held
	for line := range strings.SplitSeq(text, "\n") {
		name, rest, _ := strings.Cut(line, "\t")
		api, err := audienceLine(rest)
		if err != nil {
			return nil, err
		}
		permissions = append(permissions, granting.Held{Permission: name, API: api})
	}
	slices.SortFunc(permissions, byPermission)
	return permissions, nil
}

func audienceLines(text string) ([]granting.Audience, error) {
	if text == "" {
		return nil, nil
	}
	var apis []granting.Audience
	for line := range strings.SplitSeq(text, "\n") {
		api, err := audienceLine(line)
		if err != nil {
			return nil, err
		}
		apis = append(apis, api)
	}
	slices.SortFunc(apis, func(a, b granting.Audience) int { return cmp.Compare(a.URI, b.URI) })
	return apis, nil
}

func audienceLine(line string) (granting.Audience, error) {
	var fields [5]string
	for i, f := range strings.SplitN(line, "\t", len(fields)) {
		fields[i] = f
	}
	lifetime, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return granting.Audience{}, fmt.Errorf("sqldb: API line %q: %w", line, err)
	}
	return granting.Audience{
		URI: fields[0], TokenLifetime: lifetime, TokenAlgorithm: fields[2],
		AuthenticationClaims: fields[3] == "1", StatusList: fields[4] == "1",
	}, nil
}
