package sqldb

// The texts of standings. Each is one statement, and so one snapshot, with the
// ledger's head in it: nothing of what it answers can be older or newer than the
// position that the decision will carry (L9). The head comes first and the rest
// is joined to it, so there is a row whatever else is missing.
//
// What a person holds comes back as one text, a line for each permission and group
// that gives it: a join would repeat the person for each of them. Which API a
// permission belongs to is not read here, but remembered by who asks (Audiences). Of
// the parameters, $1 names what is asked for and, where a person is concerned, $2 is
// the time.

// The two engines differ only in how they take the words of a column apart.
const (
	wordsPostgres = ` = ANY(string_to_array(`
	endWordsPG    = `, ' '))`
	// json_quote keeps a quote in a scope from ending the string around it.
	wordsSQLite  = ` IN (SELECT value FROM json_each('[' || replace(json_quote(`
	endWordsLite = `), ' ', '","') || ']'))`
)

const (
	audienceText = `a.audience || '` + "\t" + `' || a.token_lifetime || '` + "\t" + `' || a.token_algorithm || '` + "\t" +
		`' || CASE WHEN a.authentication_claims THEN 1 ELSE 0 END || '` + "\t" + `' || CASE WHEN a.status_list THEN 1 ELSE 0 END`
	audiences = `(SELECT COALESCE(string_agg(` + audienceText + `, '` + "\n" + `'), '') FROM apis a WHERE a.disabled_at = 0 AND a.audience`
)

// heldByPerson is what u holds through groups, up to the comparison with the scopes
// asked.
const heldByPerson = `(SELECT COALESCE(string_agg(p.name || '` + "\t" + `' || m.ends_at, '` + "\n" + `'), '')
  FROM group_members m JOIN group_permissions gp ON gp.group_id = m.group_id JOIN permissions p ON p.id = gp.permission_id
  WHERE m.user_id = u.id AND (m.ends_at = 0 OR m.ends_at > $2) AND p.name`

const sessionStanding = `SELECT h.position, h.change, ` + gateSessionColumns + `, ` + gateUserColumns + `, ` + gateConsentColumns + `, ` +
	heldByPerson + ` IN strings($4))
FROM ledger_head h
LEFT JOIN sessions s ON s.token_hash = $1
LEFT JOIN users u ON u.id = s.user_id
LEFT JOIN consents k ON k.user_id = u.id AND k.client_id = $3
WHERE h.id = 1`

// The code's own row says what was asked; a grant whose code has been cleaned
// away says it instead.
const (
	codeStandingHead = `SELECT h.position, h.change, ` + codeColumns + `, ` + fullGrantColumns + `, ` + gateSessionColumns + `, ` + gateUserColumns + `, ` + gateConsentColumns + `, ` + heldByPerson
	codeStandingFrom = ` FROM ledger_head h
LEFT JOIN codes c ON c.grant_id = $1
LEFT JOIN grants g ON g.id = $1
JOIN users u ON u.id = COALESCE(c.user_id, g.user_id)
LEFT JOIN sessions s ON s.id = COALESCE(c.session_id, g.session_id)
LEFT JOIN consents k ON k.user_id = u.id AND k.client_id = COALESCE(c.client_id, g.client_id)
WHERE h.id = 1`
	codeScopes           = `COALESCE(c.scopes, g.scopes)`
	codeStandingPostgres = codeStandingHead + wordsPostgres + codeScopes + endWordsPG + `)` + codeStandingFrom
	codeStandingSQLite   = codeStandingHead + wordsSQLite + codeScopes + endWordsLite + `)` + codeStandingFrom
)

const (
	grantStandingHead = `SELECT h.position, h.change, ` + fullGrantColumns + `, ` + gateSessionColumns + `, ` + gateUserColumns + `, ` + gateConsentColumns + `, ` + heldByPerson
	grantStandingFrom = ` FROM ledger_head h
JOIN grants g ON g.id = $1
JOIN users u ON u.id = g.user_id
LEFT JOIN sessions s ON s.id = g.session_id
LEFT JOIN consents k ON k.user_id = g.user_id AND k.client_id = g.client_id
WHERE h.id = 1`
	grantStandingPostgres = grantStandingHead + wordsPostgres + `g.scopes` + endWordsPG + `)` + grantStandingFrom
	grantStandingSQLite   = grantStandingHead + wordsSQLite + `g.scopes` + endWordsLite + `)` + grantStandingFrom
)

// The APIs that permissions belong to, and those among resources: enabled ones.
const audiencesOf = `SELECT h.position, h.change, (SELECT COALESCE(string_agg(p.name || '` + "\t" + `' || ` + audienceText + `, '` + "\n" + `'), '')
  FROM permissions p JOIN apis a ON a.id = p.api_id AND a.disabled_at = 0 WHERE p.name IN strings($1)), ` +
	audiences + ` IN strings($2))
FROM ledger_head h WHERE h.id = 1`

const (
	userStandingFrom = `(g.name) AS text), '[]')
  FROM group_members m JOIN groups g ON g.id = m.group_id
  WHERE m.user_id = u.id AND (m.ends_at = 0 OR m.ends_at > $2))
FROM users u WHERE u.sub = $1`
	userStandingPostgres = `SELECT ` + gateUserColumns + `, (SELECT COALESCE(CAST(json_agg` + userStandingFrom
	userStandingSQLite   = `SELECT ` + gateUserColumns + `, (SELECT COALESCE(CAST(json_group_array` + userStandingFrom
)
