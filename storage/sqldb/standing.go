package sqldb

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
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
const standingColumns = 64

// SessionStanding implements granting.StandingStore.
func (d *DB) SessionStanding(ctx context.Context, tokenHash []byte, clientID id.ID, names []string, now int64) (*granting.Standing, error) {
	var r standingRow
	dest := append(make([]any, 0, standingColumns), &r.mark.Position, &r.mark.Change)
	dest = r.rest(dest)
	text, args := d.either(sessionStandingPostgres, sessionStandingSQLite), []any{tokenHash, now, clientID}
	var held string
	if len(names) > 0 {
		text, args, dest[len(dest)-1] = sessionHeld, append(args, names), &held
	}
	dest = demandedDest(dest, &r.user)
	err := d.queryRow(ctx, text, args, dest...)
	if err != nil {
		return nil, fmt.Errorf("session standing: %w", err)
	}
	s := r.standing()
	if s.Held, err = heldLines(held); err != nil {
		return nil, fmt.Errorf("session standing: %w", err)
	}
	return s, nil
}

// CodeStanding implements granting.StandingStore.
func (d *DB) CodeStanding(ctx context.Context, grantID id.ID, now int64) (*granting.Code, *granting.Grant, *granting.Standing, error) {
	var (
		r        standingRow
		code     granting.Code
		redeemed bool
	)
	dest := append(make([]any, 0, standingColumns), &r.mark.Position, &r.mark.Change, &redeemed)
	dest = r.rest(codeDest(dest, &code))
	err := d.queryRow(ctx, d.either(codeStandingPostgres, codeStandingSQLite), []any{grantID, now}, dest...)
	if errors.Is(err, accounts.ErrNotFound) { // perhaps it has been cleaned away
		g, s, err := d.GrantStanding(ctx, grantID, now)
		return nil, g, s, err
	}
	if err != nil {
		return nil, nil, nil, fmt.Errorf("code standing: %w", err)
	}
	if !redeemed {
		return &code, nil, r.standing(), nil
	}
	g, _, err := d.GrantStanding(ctx, grantID, now)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("code standing: %w", err)
	}
	return &code, g, r.standing(), nil
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
	return &g, r.standing(), nil
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
	groups  []granting.Membership
}

// rest are the destinations of the columns with which each person's standing
// ends.
func (r *standingRow) rest(dest []any) []any {
	dest = gateConsentDest(gateUserDest(gateSessionDest(dest, &r.session), &r.user), &r.consent)
	return append(dest, (*memberships)(&r.groups))
}

func (r *standingRow) standing() *granting.Standing {
	return &granting.Standing{
		Mark:    r.mark,
		User:    present(&r.user, r.user.ID),
		Session: present(&r.session, r.session.ID),
		Consent: present(&r.consent, r.consent.UserID),
		Groups:  r.groups,
	}
}

// present returns nil for what an outer join did not find.
func present[T any](v *T, key id.ID) *T {
	if key.IsZero() {
		return nil
	}
	return v
}

// hexID reads the id from hexadecimal digits.
func hexID(i *id.ID, digits string) error {
	if len(digits) != hex.EncodedLen(len(i)) {
		return fmt.Errorf("an id of %d digits", len(digits))
	}
	_, err := hex.Decode(i[:], []byte(digits))
	return err
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
	slices.SortFunc(held, func(a, b granting.Held) int { return cmp.Compare(a.Permission, b.Permission) })
	return held, nil
}

// permissionLines reads one permission a line, with its groups and its API.
func permissionLines(text string) ([]granting.Permission, error) {
	if text == "" {
		return nil, nil
	}
	var permissions []granting.Permission
	for line := range strings.SplitSeq(text, "\n") {
		name, rest, _ := strings.Cut(line, "\t")
		groups, rest, _ := strings.Cut(rest, "\t")
		api, err := audienceLine(rest)
		if err != nil {
			return nil, err
		}
		p := granting.Permission{Permission: name, API: api}
		for digits := range strings.FieldsSeq(groups) {
			var group id.ID
			if err := hexID(&group, digits); err != nil {
				return nil, fmt.Errorf("sqldb: groups of the permission %q: %w", name, err)
			}
			p.Groups = append(p.Groups, group)
		}
		slices.SortFunc(p.Groups, func(a, b id.ID) int { return bytes.Compare(a[:], b[:]) })
		permissions = append(permissions, p)
	}
	slices.SortFunc(permissions, func(a, b granting.Permission) int { return cmp.Compare(a.Permission, b.Permission) })
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
