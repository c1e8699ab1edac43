package sqldb

// The texts of standings. Each is one statement, and so one snapshot, with the
// ledger's head in it: nothing of what it answers can be older or newer than the
// position that the decision will carry (L9). The head comes first and the rest
// is joined to it, so there is a row whatever else is missing.
//
// What a person holds comes back as one text, a line for each permission, and so
// do APIs: a join would repeat the person for each of them. Of the parameters, $1
// names what is asked for and, where a person is concerned, $2 is the time.

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
	// Most requests name no resource, and then nothing is looked up.
	anyResources  = `CASE WHEN `
	orAudiences   = ` = '' THEN '' ELSE ` + audiences
	permissionsOf = ` FROM permissions p JOIN apis a ON a.id = p.api_id AND a.disabled_at = 0`
)

// heldByPerson is what u holds, up to the comparison with the scopes asked. When
// several groups give a permission the latest end counts, and a membership
// without end (zero) counts as the latest. When none gives it the end is NULL,
// then the whole line is, and string_agg leaves it out.
const heldByPerson = `(SELECT COALESCE(string_agg(p.name || '` + "\t" + `' || CASE WHEN u.superuser THEN 0 ELSE (
    SELECT CASE WHEN min(m.ends_at) = 0 THEN 0 ELSE max(m.ends_at) END
    FROM group_permissions gp JOIN group_members m ON m.group_id = gp.group_id
    WHERE gp.permission_id = p.id AND m.user_id = u.id AND (m.ends_at = 0 OR m.ends_at > $2)
  ) END || '` + "\t" + `' || ` + audienceText + `, '` + "\n" + `'), '')` + permissionsOf + ` WHERE p.name`

const sessionStanding = `SELECT h.position, h.change, ` + sessionColumns + `, ` + standingUserColumns + `, ` + consentColumns + `, ` +
	heldByPerson + ` IN strings($4)), ` + audiences + ` IN strings($5))
FROM ledger_head h
LEFT JOIN sessions s ON s.token_hash = $1
LEFT JOIN users u ON u.id = s.user_id
LEFT JOIN consents k ON k.user_id = u.id AND k.client_id = $3
WHERE h.id = 1`

// The code's own row says what was asked; a grant whose code has been cleaned
// away says it instead.
const (
	codeStandingHead = `SELECT h.position, h.change, ` + codeColumns + `, ` + fullGrantColumns + `, ` + sessionColumns + `, ` + standingUserColumns + `, ` + consentColumns + `, ` + heldByPerson
	codeStandingFrom = ` FROM ledger_head h
LEFT JOIN codes c ON c.grant_id = $1
LEFT JOIN grants g ON g.id = $1
JOIN users u ON u.id = COALESCE(c.user_id, g.user_id)
LEFT JOIN sessions s ON s.id = COALESCE(c.session_id, g.session_id)
LEFT JOIN consents k ON k.user_id = u.id AND k.client_id = COALESCE(c.client_id, g.client_id)
WHERE h.id = 1`
	codeScopes           = `COALESCE(c.scopes, g.scopes)`
	codeResources        = `COALESCE(c.resources, g.resources)`
	codeStandingPostgres = codeStandingHead + wordsPostgres + codeScopes + endWordsPG + `), ` + anyResources + codeResources + orAudiences + wordsPostgres + codeResources + endWordsPG + `) END` + codeStandingFrom
	codeStandingSQLite   = codeStandingHead + wordsSQLite + codeScopes + endWordsLite + `), ` + anyResources + codeResources + orAudiences + wordsSQLite + codeResources + endWordsLite + `) END` + codeStandingFrom
)

const (
	grantStandingHead = `SELECT h.position, h.change, ` + fullGrantColumns + `, ` + sessionColumns + `, ` + standingUserColumns + `, ` + consentColumns + `, ` + heldByPerson
	grantStandingFrom = ` FROM ledger_head h
JOIN grants g ON g.id = $1
JOIN users u ON u.id = g.user_id
LEFT JOIN sessions s ON s.id = g.session_id
LEFT JOIN consents k ON k.user_id = g.user_id AND k.client_id = g.client_id
WHERE h.id = 1`
	grantStandingPostgres = grantStandingHead + wordsPostgres + `g.scopes` + endWordsPG + `), ` + anyResources + `g.resources` + orAudiences + wordsPostgres + `g.resources` + endWordsPG + `) END` + grantStandingFrom
	grantStandingSQLite   = grantStandingHead + wordsSQLite + `g.scopes` + endWordsLite + `), ` + anyResources + `g.resources` + orAudiences + wordsSQLite + `g.resources` + endWordsLite + `) END` + grantStandingFrom
)

// A machine holds what it was given itself, without end. $2 says whether all of
// it is asked for.
const machineStanding = `SELECT h.position, h.change, (SELECT COALESCE(string_agg(p.name || '` + "\t0\t" + `' || ` + audienceText + `, '` + "\n" + `'), '')` + permissionsOf + `
  JOIN client_permissions cp ON cp.permission_id = p.id AND cp.client_id = $1 WHERE $2 OR p.name IN strings($3)), ` +
	audiences + ` IN strings($4))
FROM ledger_head h WHERE h.id = 1`

const (
	userStandingFrom = `(g.name) AS text), '[]')
  FROM group_members m JOIN groups g ON g.id = m.group_id
  WHERE m.user_id = u.id AND (m.ends_at = 0 OR m.ends_at > $2))
FROM users u WHERE u.sub = $1`
	userStandingPostgres = `SELECT ` + standingUserColumns + `, (SELECT COALESCE(CAST(json_agg` + userStandingFrom
	userStandingSQLite   = `SELECT ` + standingUserColumns + `, (SELECT COALESCE(CAST(json_group_array` + userStandingFrom
)
