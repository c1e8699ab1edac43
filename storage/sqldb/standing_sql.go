package sqldb

// The texts of standings. Each is one statement, and so one snapshot, with the
// ledger's head in it: nothing of what it answers can be older or newer than the
// position that the decision will carry (L9). The head comes first and the rest
// is joined to it, so there is a row whatever else is missing.
//
// The groups that a person is in come back as one column: a join would repeat the
// person for each of them. What those groups hold, and which API it belongs to, is not
// read here, but remembered by who asks (Audiences). Of the parameters, $1 names what
// is asked for and, where a person is concerned, $2 is the time.

const (
	audienceText = `a.audience || '` + "\t" + `' || a.token_lifetime || '` + "\t" + `' || a.token_algorithm || '` + "\t" +
		`' || CASE WHEN a.authentication_claims THEN 1 ELSE 0 END || '` + "\t" + `' || CASE WHEN a.status_list THEN 1 ELSE 0 END`
	audiences = `(SELECT COALESCE(string_agg(` + audienceText + `, '` + "\n" + `'), '') FROM apis a WHERE a.disabled_at = 0 AND a.audience`
)

// The groups that u is a member of now, as a memberships column wants them. To PostgreSQL an
// array of bytes is the cheapest: it has nothing to write out, and no aggregate to run.
const (
	membershipsPostgres = `ARRAY(SELECT m.group_id || int8send(m.ends_at)` + membershipsFrom
	membershipsSQLite   = `(SELECT COALESCE(string_agg(lower(hex(m.group_id)) || printf('%016x', m.ends_at), ''), '')` + membershipsFrom
	membershipsFrom     = ` FROM group_members m` + running + `)`
)

// Which groups somebody is in: those of their memberships that have not ended, and
// those that these are inside. Whoever asks that asks it with these texts, or goes the
// same edges down from a group and looks for its id among memberships (holdingGroups).
const (
	groupsAround  = `around (id) AS (SELECT m.group_id FROM group_members m` + running + upwards + `)`
	groupsAround1 = `around (id) AS (SELECT m.group_id FROM group_members m` + running1 + upwards + `)`
	running       = ` WHERE m.user_id = u.id AND (m.ends_at = 0 OR m.ends_at > $2)`
	running1      = ` WHERE m.user_id = $1 AND (m.ends_at = 0 OR m.ends_at > $2)`
	upwards       = ` UNION SELECT e.parent_id FROM around JOIN group_children e ON e.child_id = around.id`

	// With the end of the membership by which they are in it.
	groupsUntil = `around (id, ends_at) AS (SELECT m.group_id, m.ends_at FROM group_members m` + running +
		` UNION SELECT e.parent_id, around.ends_at FROM around JOIN group_children e ON e.child_id = around.id)`

	// The groups whose members hold p: those that hold it, and those inside them.
	holdingGroups = `holding (id) AS (SELECT gp.group_id FROM group_permissions gp WHERE gp.permission_id = p.id
  UNION SELECT e.child_id FROM holding JOIN group_children e ON e.parent_id = holding.id)`
)

// heldByPerson is what u holds through groups of the permissions in $4, a line for
// each group that gives one.
const heldByPerson = `(WITH RECURSIVE ` + groupsUntil + ` SELECT COALESCE(string_agg(p.name || '` + "\t" + `' || around.ends_at, '` + "\n" + `'), '')
  FROM around JOIN group_permissions gp ON gp.group_id = around.id JOIN permissions p ON p.id = gp.permission_id
  WHERE p.name IN strings($4))`

const (
	sessionStandingHead = `SELECT h.position, h.change, ` + gateSessionColumns + `, ` + gateUserColumns + `, ` + gateConsentColumns + `, `
	sessionStandingFrom = `, ` + demandedColumns + `
FROM ledger_head h
LEFT JOIN sessions s ON s.token_hash = $1
LEFT JOIN users u ON u.id = s.user_id
LEFT JOIN consents k ON k.user_id = u.id AND k.client_id = $3
WHERE h.id = 1`
	sessionStandingPostgres = sessionStandingHead + membershipsPostgres + sessionStandingFrom
	sessionStandingSQLite   = sessionStandingHead + membershipsSQLite + sessionStandingFrom
	// The columns are those of a standing, with what is held for the groups.
	sessionHeld = sessionStandingHead + heldByPerson + sessionStandingFrom
)

// The grant's columns are read only of a code that was redeemed before, by another
// statement: NULL or not, they would cost each redemption.
const (
	codeStandingHead = `SELECT h.position, h.change, g.id IS NOT NULL, ` + codeColumns + `, ` +
		gateSessionColumns + `, ` + personColumns + `, ` + gateConsentColumns + `, `
	codeStandingFrom = `
FROM ledger_head h
JOIN codes c ON c.grant_id = $1
JOIN users u ON u.id = c.user_id
LEFT JOIN sessions s ON s.id = c.session_id
LEFT JOIN consents k ON k.user_id = c.user_id AND k.client_id = c.client_id
LEFT JOIN grants g ON g.id = $1
WHERE h.id = 1`
	codeStandingPostgres = codeStandingHead + membershipsPostgres + codeStandingFrom
	codeStandingSQLite   = codeStandingHead + membershipsSQLite + codeStandingFrom
)

const (
	grantStandingHead = `SELECT h.position, h.change, ` + fullGrantColumns + `, ` +
		gateSessionColumns + `, ` + personColumns + `, ` + gateConsentColumns + `, `
	grantStandingFrom = `
FROM ledger_head h
JOIN grants g ON g.id = $1
JOIN users u ON u.id = g.user_id
LEFT JOIN sessions s ON s.id = g.session_id
LEFT JOIN consents k ON k.user_id = g.user_id AND k.client_id = g.client_id
WHERE h.id = 1`
	grantStandingPostgres = grantStandingHead + membershipsPostgres + grantStandingFrom
	grantStandingSQLite   = grantStandingHead + membershipsSQLite + grantStandingFrom
)

// The groups whose members hold permissions and the APIs that these belong to, and the APIs
// among resources: enabled ones.
const audiencesOf = `SELECT h.position, h.change, (SELECT COALESCE(string_agg(p.name || '` + "\t" + `' ||
    (WITH RECURSIVE ` + holdingGroups + ` SELECT COALESCE(string_agg(hexed(holding.id), ' '), '') FROM holding) || '` + "\t" + `' || ` +
	audienceText + `, '` + "\n" + `'), '')
  FROM permissions p JOIN apis a ON a.id = p.api_id AND a.disabled_at = 0 WHERE p.name IN strings($1)), ` +
	audiences + ` IN strings($2))
FROM ledger_head h WHERE h.id = 1`

const (
	userStandingFrom     = namesAround + ` FROM users u WHERE u.sub = $1`
	userStandingPostgres = `SELECT ` + personColumns + `, ` + namesAroundPostgres + userStandingFrom
	userStandingSQLite   = `SELECT ` + personColumns + `, ` + namesAroundSQLite + userStandingFrom

	// The names of the groups that u is in now, as a list.
	namesAroundPostgres = `(WITH RECURSIVE ` + groupsAround + ` SELECT COALESCE(CAST(json_agg`
	namesAroundSQLite   = `(WITH RECURSIVE ` + groupsAround + ` SELECT COALESCE(CAST(json_group_array`
	namesAround         = `(b.name) AS text), '[]') FROM around JOIN groups b ON b.id = around.id)`
)
