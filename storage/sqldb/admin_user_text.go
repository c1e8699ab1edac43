package sqldb

import (
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// The texts of lists of users are put together: which index serves one depends on what
// is asked. There are as many as there are combinations of filters.

// What lists are in order of, as the indexes of 00011_admin.sql have it.
const (
	byUsername = `u.username_key COLLATE "C"`
	byEmail    = `u.email_key COLLATE "C"`
	byName     = `lower(u.name) COLLATE "C"`
	byLastWord = `lower(replace(u.name, rtrim(u.name, replace(u.name, ' ', '')), '')) COLLATE "C"`
)

// highest sorts after all text that begins with what stands before it.
const highest = "\U0010FFFF"

// A walk along an index looks at so many rows at a time, and tells which of them fit:
// as constants, so that PostgreSQL knows how few they are and stays on the index. A
// page takes at most maxSteps of them, however rare what is looked for.
const (
	stepRows  = `1000`
	stepEnd   = ` LIMIT 1 OFFSET 999`
	maxSteps  = 10
	smallRows = `5001` // that many members are no small group any more
)

// userWalk is one stage of a list: along one index, from one end to the other.
type userWalk struct {
	kind      walkKind
	key       string // expression of the place, of a range or a mark
	condition string // that the index has
	prefix    string // of the keys of a range, or the sub of the one
}

type walkKind int

const (
	ofRange   walkKind = iota // keys that begin with a prefix, in their order
	ofMark                    // who is marked so, in the order of usernames
	ofMembers                 // of a group, in the order of their ids
	ofNewest                  // in the order of ids, the newest first; filters choose the index
	ofOne                     // of that sub
)

// stepwise reports whether the walk has to be bounded: whoever is met need not fit.
func (w userWalk) stepwise() bool { return w.kind != ofNewest && w.kind != ofOne }

// userWalks are the stages that make up a list, one after the other. Of a search, each
// leaves out what those before it have shown. Whom a mark or a small group leaves is
// walked through as a whole, since the beginning of a name may be that of a million.
func userWalks(q admin.UserQuery, group id.ID, small bool) []userWalk {
	mark := marked(q)
	switch {
	case q.Search == "" && q.Newest:
		return []userWalk{{kind: ofNewest}}
	case !group.IsZero() && (small || q.Search == "" && mark == ""):
		return []userWalk{{kind: ofMembers}}
	case mark != "":
		return []userWalk{{kind: ofMark, key: byUsername, condition: mark}}
	case q.Search == "":
		return []userWalk{{kind: ofRange, key: byUsername}}
	}
	return append([]userWalk{{kind: ofOne, prefix: strings.TrimSpace(q.Search)}}, rangesOf(q.Search)...)
}

// rangesOf are the ranges in which a search finds somebody, the closest first.
func rangesOf(search string) []userWalk {
	var walks []userWalk
	k := accounts.SearchKeysOf(search)
	if k.Username != "" {
		walks = append(walks, userWalk{key: byUsername, prefix: k.Username})
	}
	if k.Email != "" {
		walks = append(walks, userWalk{key: byEmail, prefix: k.Email, condition: `u.email_key <> ''`})
	}
	for _, by := range []string{byName, byLastWord} {
		for _, name := range k.Names {
			walks = append(walks, userWalk{key: by, prefix: name, condition: `u.name <> ''`})
		}
	}
	return walks
}

// marked is the condition of the index of few people that a query allows: that of the
// fewest, as a rule.
func marked(q admin.UserQuery) string {
	is := func(want *bool) bool { return want != nil && *want }
	switch {
	case is(q.Superuser):
		return `u.superuser`
	case is(q.Staff):
		return `u.staff`
	case is(q.Leaving):
		return `u.delete_at > 0`
	case q.Required != "":
		return `u.required_actions NOT IN ('', '[]')`
	case is(q.Banned):
		return `u.banned_at > 0`
	}
	return ""
}

// statementWith is a text with its arguments.
type statementWith struct {
	sql  string
	args []any
}

// arg adds an argument and returns its place.
func (s *statementWith) arg(v any) string {
	s.args = append(s.args, v)
	return "$" + strconv.Itoa(len(s.args))
}

// userList is a list of users as the database walks it.
type userList struct {
	admin.UserQuery
	group id.ID // zero without
	walks []userWalk
}

// step is the statement that looks at the next rows of a walk, and returns those that
// fit with their places.
func (l *userList) step(from admin.UserPosition, limit int) statementWith {
	var s statementWith
	w := l.walks[from.Stage]
	switch w.kind {
	case ofOne:
		s.sql = `SELECT '', ` + standingUserColumns + ` FROM users u WHERE u.sub = ` + s.arg(w.prefix) + ` AND u.id > ` + s.arg(from.ID)
	case ofNewest:
		s.sql = `SELECT '', ` + standingUserColumns + ` FROM users u WHERE u.id < ` + s.arg(orLast(from.ID))
	case ofMembers:
		s.sql = `SELECT '', ` + standingUserColumns + ` FROM (SELECT m.user_id` + l.source(&s, from) + ` LIMIT ` + stepRows +
			`) AS m JOIN users u ON u.id = m.user_id WHERE true`
	default:
		s.sql = `SELECT u.place, ` + standingUserColumns + ` FROM (SELECT u.*, ` + w.key + ` AS place` + l.source(&s, from) + ` LIMIT ` + stepRows +
			`) AS u WHERE true`
	}
	s.sql += l.fits(&s, from.Stage) + w.order(`u.place`) + ` LIMIT ` + s.arg(limit)
	return s
}

// end is the statement that returns where a step ends; nothing if the walk does.
func (l *userList) end(from admin.UserPosition) statementWith {
	var s statementWith
	place := l.walks[from.Stage].key + `, u.id`
	if l.walks[from.Stage].kind == ofMembers {
		place = `'', m.user_id`
	}
	s.sql = `SELECT ` + place + l.source(&s, from) + stepEnd
	return s
}

// source is what a step looks at, in its order.
func (l *userList) source(s *statementWith, from admin.UserPosition) string {
	w := l.walks[from.Stage]
	switch w.kind {
	case ofMembers:
		return ` FROM group_members m WHERE m.group_id = ` + s.arg(l.group) + ` AND m.user_id > ` + s.arg(from.ID) + w.order("")
	case ofMark:
		return ` FROM users u WHERE ` + w.condition + ` AND ` + w.key + ` > ` + s.arg(from.Key) + w.order(w.key)
	}
	begin := s.arg(max(w.prefix, from.Key))
	text := ` FROM users u WHERE ` + w.key + ` >= ` + begin + ` AND ` + w.key + ` < ` + s.arg(w.prefix+highest)
	if w.condition != "" {
		text += ` AND ` + w.condition
	}
	return text + ` AND (` + w.key + ` > ` + begin + ` OR u.id > ` + s.arg(from.ID) + `)` + w.order(w.key)
}

// order is the order of a walk, whose place is called key.
func (w userWalk) order(key string) string {
	switch {
	case w.kind == ofOne:
		return ``
	case w.kind == ofNewest:
		return ` ORDER BY u.id DESC`
	case w.kind == ofMembers:
		return ` ORDER BY m.user_id`
	case w.key == byUsername: // which is unique
		return ` ORDER BY ` + key
	}
	return ` ORDER BY ` + key + `, u.id`
}

// fits are the conditions that the walk itself does not fulfil. Membership is looked up
// for each: as a join it might be read from the group's side.
func (l *userList) fits(s *statementWith, stage int) string {
	text := ""
	w := l.walks[stage]
	switch {
	case w.kind == ofMark || w.kind == ofMembers:
		text = l.searched(s)
	default:
		for _, earlier := range l.walks[:stage] {
			text += ` AND NOT (` + earlier.holds(s) + `)`
		}
	}
	if !l.group.IsZero() && w.kind != ofMembers {
		text += ` AND (SELECT true FROM group_members m WHERE m.group_id = ` + s.arg(l.group) + ` AND m.user_id = u.id)`
	}
	return text + userFilters(l.UserQuery, s)
}

// searched is the condition of a search where no index is walked for it.
func (l *userList) searched(s *statementWith) string {
	if l.Search == "" {
		return ""
	}
	text := ` AND (u.sub = ` + s.arg(strings.TrimSpace(l.Search))
	for _, w := range rangesOf(l.Search) {
		text += ` OR ` + w.holds(s)
	}
	return text + `)`
}

// holds is the condition that somebody is met in a walk.
func (w userWalk) holds(s *statementWith) string {
	if w.kind == ofOne {
		return `u.sub = ` + s.arg(w.prefix)
	}
	return w.key + ` >= ` + s.arg(w.prefix) + ` AND ` + w.key + ` < ` + s.arg(w.prefix+highest)
}

// userFilters say no more than what the partial indexes have, so that they serve.
func userFilters(q admin.UserQuery, s *statementWith) string {
	text := ""
	for _, f := range []struct {
		want    *bool
		yes, no string
	}{
		{q.Staff, `u.staff`, `NOT u.staff`},
		{q.Superuser, `u.superuser`, `NOT u.superuser`},
		{q.Banned, `u.banned_at > 0`, `u.banned_at = 0`},
		{q.Leaving, `u.delete_at > 0`, `u.delete_at = 0`},
	} {
		switch {
		case f.want == nil:
		case *f.want:
			text += ` AND ` + f.yes
		default:
			text += ` AND ` + f.no
		}
	}
	if q.Required != "" {
		text += ` AND u.required_actions NOT IN ('', '[]') AND u.required_actions LIKE ` + s.arg(`%"`+string(q.Required)+`"%`)
	}
	return text
}
