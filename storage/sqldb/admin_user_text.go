package sqldb

import (
	"bytes"
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

// userRange is one stage of a list: those whose key lies in a range, in its order.
type userRange struct {
	key       string // an expression; empty for the one of that sub, for the newest, and for a group
	condition string // that the index has
	prefix    string
	sub       string // the one of this sub
	newest    bool
}

// userStages are the ranges that make up a list, one after the other. Of a search,
// each leaves out what those before it have shown.
func userStages(q admin.UserQuery, group id.ID) []userRange {
	switch {
	case q.Search == "" && q.Newest:
		return []userRange{{newest: true}}
	case q.Search == "" && !group.IsZero():
		return []userRange{{}}
	case q.Search == "":
		return []userRange{{key: byUsername}}
	}
	stages := []userRange{{sub: strings.TrimSpace(q.Search)}}
	k := accounts.SearchKeysOf(q.Search)
	if k.Username != "" {
		stages = append(stages, userRange{key: byUsername, prefix: k.Username})
	}
	if k.Email != "" {
		stages = append(stages, userRange{key: byEmail, prefix: k.Email, condition: ` AND u.email_key <> ''`})
	}
	for _, by := range []string{byName, byLastWord} {
		for _, name := range k.Names {
			stages = append(stages, userRange{key: by, prefix: name, condition: ` AND u.name <> ''`})
		}
	}
	return stages
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

// userText is the statement of one stage.
func userText(q admin.UserQuery, group id.ID, stages []userRange, at int, from admin.UserPosition, limit int) statementWith {
	var s statementWith
	stage := stages[at]
	key, order := stage.key, ` ORDER BY `+stage.key
	if stage.key != byUsername { // which is unique
		order += `, u.id`
	}
	var where string
	switch {
	case stage.newest:
		before := from.ID
		if before.IsZero() {
			before = id.ID(bytes.Repeat([]byte{0xff}, len(before)))
		}
		key, where, order = `''`, `u.id < `+s.arg(before), ` ORDER BY u.id DESC`
	case stage.sub != "":
		key, where, order = `''`, `u.sub = `+s.arg(stage.sub)+` AND u.id > `+s.arg(from.ID), ``
	case stage.key == "":
		return groupText(q, group, from, limit)
	default:
		begin := s.arg(max(stage.prefix, from.Key))
		where = key + ` >= ` + begin + ` AND ` + key + ` < ` + s.arg(stage.prefix+highest) + stage.condition +
			` AND (` + key + ` > ` + begin + ` OR u.id > ` + s.arg(from.ID) + `)`
	}
	for _, earlier := range stages[:at] {
		where += earlier.without(&s)
	}
	if !group.IsZero() {
		where += ` AND EXISTS (SELECT 1 FROM group_members m WHERE m.group_id = ` + s.arg(group) + ` AND m.user_id = u.id)`
	}
	where += userFilters(q, &s)
	s.sql = `SELECT ` + key + `, ` + standingUserColumns + ` FROM users u WHERE ` + where + order + ` LIMIT ` + s.arg(limit)
	return s
}

// without leaves out what a stage has shown.
func (r userRange) without(s *statementWith) string {
	if r.sub != "" {
		return ` AND u.sub <> ` + s.arg(r.sub)
	}
	return ` AND NOT (` + r.key + ` >= ` + s.arg(r.prefix) + ` AND ` + r.key + ` < ` + s.arg(r.prefix+highest) + `)`
}

// groupText is the list of a group's direct members. Memberships whose time has ended
// are taken away soon, and are still shown.
func groupText(q admin.UserQuery, group id.ID, from admin.UserPosition, limit int) statementWith {
	var s statementWith
	where := `m.group_id = ` + s.arg(group) + ` AND m.user_id > ` + s.arg(from.ID) + userFilters(q, &s)
	s.sql = `SELECT '', ` + standingUserColumns + ` FROM group_members m JOIN users u ON u.id = m.user_id WHERE ` + where +
		` ORDER BY m.user_id LIMIT ` + s.arg(limit)
	return s
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
