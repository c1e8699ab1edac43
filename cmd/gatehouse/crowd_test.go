package main

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// crowd is a deployment of some size: how many users there are gives the rest. At a
// million users there are 10,000 groups, of which three have 200,000 members, 1.5
// million memberships, ten million grants, 300,000 sessions, two million consents and
// events, and 100,000 rows of the ledger.
type crowd struct {
	users int
	now   time.Time
}

// busy is the number of the person with thousands of grants, some hundred sessions and
// every client allowed.
const busy = 7

// fill puts the crowd into a database that has its schema and nothing else. Everything
// follows from numbers, so that the same size is the same crowd. Triggers and foreign
// keys are off meanwhile, for the time they take, and indexes are made at the end, as
// they are in the schema.
func (c crowd) fill(tb testing.TB, url string) {
	tb.Helper()
	db, err := pgx.Connect(tb.Context(), url)
	if err != nil {
		tb.Fatalf("fill the database: %v", err)
	}
	defer func() { _ = db.Close(tb.Context()) }() // what it wrote is committed by then
	texts := append([]string{crowdBegin}, crowdTexts()...)
	for _, text := range append(texts, crowdEnd, "VACUUM ANALYZE") {
		begin := time.Now()
		if _, err := db.Exec(tb.Context(), c.sized(text)); err != nil {
			tb.Fatalf("fill the database: %v\nin %s", err, text)
		}
		title, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
		tb.Logf("%6.1f s  %s", time.Since(begin).Seconds(), title)
	}
}

// sized puts numbers and expressions into a text.
func (c crowd) sized(text string) string {
	day := (24 * time.Hour).Milliseconds()
	n := strconv.Itoa
	return strings.NewReplacer(
		"{users}", n(c.users), "{groups}", n(c.groups()), "{grants}", n(10*c.users), "{sessions}", n(c.sessions()),
		"{crowded}", n(9*c.users/10), "{events}", n(2*c.users), "{rows}", n(c.users/10), "{busy}", n(busy),
		"{now}", fmt.Sprint(c.now.UnixMilli()), "{hour}", fmt.Sprint(day/24)+"::bigint", "{day}", fmt.Sprint(day)+"::bigint",
	).Replace(text)
}

func (c crowd) groups() int   { return max(c.users/100, 120) }
func (c crowd) sessions() int { return 3 * c.users / 10 }

// crowdBegin opens the transaction: a table that is emptied in it is written without a
// log. The functions are so simple that PostgreSQL puts them into the statements.
const crowdBegin = `BEGIN;
SET LOCAL session_replication_role = replica;
SET LOCAL maintenance_work_mem = '512MB';
SET LOCAL work_mem = '256MB';

-- A number below "below" that follows from n and from which series it is.
CREATE FUNCTION pg_temp.pick(n bigint, series bigint, below bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$SELECT (hashint8extended(n, series) & 9223372036854775807) % below$$;
-- The id of thing n of a kind, made at a time (RFC 9562 §5.7), and its text.
CREATE FUNCTION pg_temp.made(at bigint, n bigint, kind bigint) RETURNS bytea LANGUAGE sql IMMUTABLE AS
$$SELECT int8send((at << 16) | 28672 | (hashint8extended(n, kind) & 4095)) ||
  int8send((hashint8extended(n, kind + 1000) & 4611686018427387903) | (-9223372036854775808))$$;
CREATE FUNCTION pg_temp.text_of(id bytea) RETURNS text LANGUAGE sql IMMUTABLE AS
$$SELECT translate(rtrim(encode(id, 'base64'), '='), '+/', '-_')$$;

-- Users, groups, permissions, clients and sessions by their numbers.
CREATE FUNCTION pg_temp.joined(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$SELECT {now} - 1000 * {day} + n * (999 * {day} / {users})$$;
CREATE FUNCTION pg_temp.user_id(n bigint) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$SELECT pg_temp.made(pg_temp.joined(n), n, 1)$$;
CREATE FUNCTION pg_temp.sub(n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT substr(md5('sub' || n), 1, 22)$$;
CREATE FUNCTION pg_temp.group_id(n bigint) RETURNS bytea LANGUAGE sql IMMUTABLE AS
$$SELECT pg_temp.made({now} - 900 * {day} + n, n, 2)$$;
CREATE FUNCTION pg_temp.permission_id(n bigint) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$SELECT pg_temp.made({now} - 900 * {day} + n, n, 3)$$;
CREATE FUNCTION pg_temp.client_id(n bigint) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$SELECT pg_temp.made({now} - 900 * {day} + n, n, 4)$$;
CREATE FUNCTION pg_temp.api_id(n bigint) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$SELECT pg_temp.made({now} - 900 * {day} + n, n, 5)$$;
CREATE FUNCTION pg_temp.began(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$SELECT {now} - 30 * {day} + n * (30 * {day} / {sessions})$$;
CREATE FUNCTION pg_temp.session_id(n bigint) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$SELECT pg_temp.made(pg_temp.began(n), n, 6)$$;
CREATE FUNCTION pg_temp.session_user_of(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$SELECT CASE WHEN pg_temp.pick(n, 22, 1500) = 0 THEN {busy} ELSE 1 + pg_temp.pick(n, 21, {users}) END$$;

TRUNCATE users, groups, apis, clients, audit, audit_chain, audit_waiting, revocations, grants, sessions, jobs CASCADE;
CREATE TEMP TABLE later AS SELECT indexname, indexdef FROM pg_indexes
WHERE tablename IN ('users', 'group_members', 'sessions', 'grants', 'consents', 'audit', 'revocations')
  AND indexname NOT IN (SELECT conname FROM pg_constraint);
DO $$ DECLARE i record; BEGIN FOR i IN SELECT * FROM later LOOP EXECUTE 'DROP INDEX ' || i.indexname; END LOOP; END $$;`

// crowdEnd makes the indexes that the schema has.
const crowdEnd = `-- indexes
DO $$ DECLARE i record; BEGIN FOR i IN SELECT * FROM later LOOP EXECUTE i.indexdef; END LOOP; END $$;
COMMIT;`

// crowdTexts fill the tables, each in the order of its primary key.
func crowdTexts() []string {
	return []string{`-- users
INSERT INTO users (id, sub, username, username_key, email, email_key, email_verified, password_hash, name, staff, superuser,
  banned_at, required_actions, delete_at, created_at, updated_at, last_sign_in_at)
SELECT pg_temp.user_id(n), pg_temp.sub(n), login, login,
  CASE WHEN n % 10 = 0 THEN '' ELSE login || '@example.com' END, CASE WHEN n % 10 = 0 THEN '' ELSE login || '@example.com' END, n % 5 <> 0,
  CASE WHEN n % 20 = 0 THEN '' ELSE '$argon2id$v=19$m=19456,t=2,p=1$' || md5('salt' || n) || '$' || md5('hash' || n) END,
  CASE WHEN n % 7 = 3 THEN '' ELSE initcap(first) || ' ' || CASE WHEN n % 11 = 0 THEN 'Maria ' ELSE '' END || initcap(last) END,
  n % 2000 = 1, n % 50000 = 1,
  CASE WHEN pg_temp.pick(n, 61, 200) = 0 THEN {now} - pg_temp.pick(n, 62, 100 * {day}) ELSE 0 END,
  CASE WHEN pg_temp.pick(n, 63, 300) = 0 THEN '["change_password"]' ELSE '' END,
  CASE WHEN pg_temp.pick(n, 64, 300) = 0 THEN {now} + {day} ELSE 0 END,
  pg_temp.joined(n), pg_temp.joined(n), CASE WHEN n % 3 = 0 THEN 0 ELSE {now} - pg_temp.pick(n, 65, 90 * {day}) END
FROM (
  SELECT n, first, last, CASE n % 4 WHEN 0 THEN first || '.' || last || n WHEN 1 THEN left(first, 1) || last || n
    WHEN 2 THEN 'user' || n ELSE last || '_' || first || n END AS login
  FROM (
    SELECT n, (string_to_array('alice amir anna ben bea carlo chen clara dan dora emil eva farid finn greta hana hugo ines ivan jana jon karl kim lena liu luca mara max mia nina noa olga omar paul petra quinn rosa sam tara uwe vera wim xenia yara zoe', ' '))[1 + pg_temp.pick(n, 66, 45)] AS first,
      (string_to_array('abbott adler bauer becker bianchi brown chang costa diaz dubois eriksen evans fischer fuchs garcia gruber haas huber ito ivanova jansen jones kaya klein kumar lang lopez maier mueller nagy novak okafor ortiz park patel quist rossi ryan schmidt silva tanaka tran ueda usman vogel weber wong xu yilmaz zhang', ' '))[1 + pg_temp.pick(n, 67, 50)] AS last
    FROM generate_series(1, {users}) AS n
  ) AS named
) AS p`, `-- groups
INSERT INTO groups (id, name, name_key, description, created_at)
SELECT pg_temp.group_id(n), name, lower(name), 'Group number ' || n, {now} - 900 * {day} FROM (
  SELECT n, CASE n WHEN 1 THEN 'Everybody' WHEN 2 THEN 'Customers' WHEN 3 THEN 'Readers'
    ELSE (string_to_array('Accounting Board Contractors Design Engineering Facilities Guests Helpdesk Interns Jurors Kitchen Legal Marketing Nurses Operations Partners Quality Research Sales Teachers Unions Visitors Writers', ' '))[1 + pg_temp.pick(n, 71, 23)] || ' ' || n END AS name
  FROM generate_series(1, {groups}) AS n
) AS g`, `-- apis and permissions
INSERT INTO apis (id, audience, name, created_at, updated_at)
SELECT pg_temp.api_id(n), 'https://api' || n || '.example.com', 'API ' || n, 1, 1 FROM generate_series(1, 20) AS n;
INSERT INTO permissions (id, api_id, name, description, created_at)
SELECT pg_temp.permission_id(n), pg_temp.api_id(1 + n % 20), 'thing' || n || ':' || (ARRAY['read', 'add', 'change', 'delete'])[1 + n % 4], 'Can do thing ' || n, 1
FROM generate_series(1, 400) AS n`, `-- clients
SET LOCAL session_replication_role = origin;
INSERT INTO clients (id, client_id, name, type, api_id, auth_method, grant_types, redirect_uris, scopes, disabled_at, created_at, updated_at)
SELECT pg_temp.client_id(n), 'app-' || n, 'App ' || chr(64 + n::int % 26) || n, (ARRAY['web', 'spa', 'native', 'machine'])[1 + n % 4], NULL,
  CASE n % 4 WHEN 1 THEN 'none' WHEN 2 THEN 'none' ELSE 'client_secret_basic' END,
  CASE WHEN n % 4 = 3 THEN '["client_credentials"]' ELSE '["authorization_code","refresh_token"]' END,
  CASE WHEN n % 4 = 3 THEN '[]' ELSE '["https://app' || n || '.example.com/callback"]' END,
  'openid profile email offline_access thing1:add', CASE WHEN n % 10 = 0 THEN 5 ELSE 0 END, 1, 1
FROM generate_series(1, 50) AS n
UNION ALL
SELECT pg_temp.client_id(50 + n), 'api-' || n, 'API ' || n, 'resource', pg_temp.api_id(n), 'client_secret_basic', '[]', '[]', '', 0, 1, 1
FROM generate_series(1, 20) AS n;
SET LOCAL session_replication_role = replica;
INSERT INTO refused_redirects (client_id, uri, count, first_at, last_at)
SELECT pg_temp.client_id(1), 'https://app1.example.com/wrong' || n, n, {now} - n, {now} - n FROM generate_series(1, 10) AS n`, `-- what groups hold, and which are inside which
INSERT INTO group_permissions (group_id, permission_id)
SELECT DISTINCT pg_temp.group_id(n), pg_temp.permission_id(1 + pg_temp.pick(n * 4 + k, 41, 400))
FROM generate_series(1, {groups}) AS n, generate_series(1, 4) AS k;
INSERT INTO group_children (parent_id, child_id, added_at)
SELECT pg_temp.group_id(n / 15), pg_temp.group_id(n), 1 FROM generate_series(60, {groups}) AS n;
INSERT INTO group_managers (group_id, user_id, added_at)
SELECT pg_temp.group_id(n), pg_temp.user_id(1 + pg_temp.pick(n, 42, {users})), 1 FROM generate_series(1, {groups}, 3) AS n;
INSERT INTO managed (kind, name, object_id, manager, applied, applied_at)
SELECT 'group', g.name_key, g.id, 'platform', '{}', 1 FROM groups g ORDER BY g.id LIMIT 30`, `-- memberships
INSERT INTO group_members (user_id, group_id, ends_at, added_at)
SELECT DISTINCT ON (u, g) u, g, ends_at, 1 FROM (
  SELECT pg_temp.user_id(n) AS u, pg_temp.group_id(g) AS g, 0 AS ends_at
  FROM generate_series(1, 3) AS g, generate_series(1, {users}) AS n WHERE pg_temp.pick(n, 50 + g, 5) = 0
  UNION ALL
  SELECT pg_temp.user_id(1 + pg_temp.pick(n, 54, {users})), pg_temp.group_id(4 + pg_temp.pick(n, 55, {groups} - 3)),
    CASE WHEN n % 100 = 0 THEN {now} + {day} + n ELSE 0 END
  FROM generate_series(1, {crowded}) AS n
  UNION ALL
  SELECT pg_temp.user_id({busy}), pg_temp.group_id(n), 0 FROM generate_series(4, least(64, {groups})) AS n
) AS m ORDER BY u, g`, `-- sessions
INSERT INTO sessions (id, token_hash, user_id, rev, auth_time, amr, acr, created_at, last_seen_at, idle_ends_at, expires_at,
  ended_at, end_reason, user_agent, address)
SELECT pg_temp.session_id(n), sha256(int8send(n)), pg_temp.user_id(pg_temp.session_user_of(n)), 1, pg_temp.began(n) / 1000, 'pwd', '1',
  pg_temp.began(n), pg_temp.began(n), {now} + 6 * {hour}, pg_temp.began(n) + 31 * {day},
  -- One in three was ended, and all of a twentieth of the time, at once.
  CASE WHEN n % 3 = 0 OR n BETWEEN {sessions} * 90 / 100 AND {sessions} * 95 / 100 THEN {now} - {hour} ELSE 0 END, '',
  'Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0', '203.0.113.' || n % 256
FROM generate_series(1, {sessions}) AS n`, `-- consents
INSERT INTO consents (user_id, client_id, scopes, asked, granted_at, updated_at, revoked_at)
SELECT DISTINCT ON (u, c) u, c, 'openid profile email', 'openid profile email', {now} - {day}, {now} - {day}, ended FROM (
  SELECT pg_temp.user_id(n) AS u, pg_temp.client_id(1 + pg_temp.pick(n, 30 + k, 25) + 25 * k) AS c, CASE WHEN n % 9 = 0 THEN {now} ELSE 0 END AS ended
  FROM generate_series(1, {users}) AS n, generate_series(0, 1) AS k
  UNION ALL
  SELECT pg_temp.user_id({busy}), pg_temp.client_id(n), 0 FROM generate_series(1, 50) AS n
) AS k ORDER BY u, c`, `-- grants
INSERT INTO grants (id, client_id, user_id, session_id, code_hash, challenge, offline, scopes, resources, claims, rev, auth_time,
  amr, acr, refresh_hash, refresh_generation, refresh_recent, refresh_idle_ends_at, refresh_expires_at, created_at, ended_at, end_reason, purge_at)
SELECT pg_temp.made(at, n, 8),
  -- Two in five are of one client.
  pg_temp.client_id(CASE WHEN pg_temp.pick(n, 81, 5) < 2 THEN 1 ELSE 1 + pg_temp.pick(n, 82, 50) END),
  pg_temp.user_id(CASE WHEN s > 0 THEN pg_temp.session_user_of(s) WHEN pg_temp.pick(n, 83, 2000) = 0 THEN {busy} ELSE 1 + pg_temp.pick(n, 84, {users}) END),
  CASE WHEN s > 0 THEN pg_temp.session_id(s) ELSE pg_temp.made(at, n, 9) END,
  sha256(int8send(n)), '', n % 2 = 0, 'openid profile email offline_access thing1:add', '', '', 1, at / 1000, 'pwd', '1',
  sha256(int8send(-n)), 3, '', {now} + 20 * {day}, {now} + 300 * {day}, at,
  CASE WHEN n % 10 < 3 THEN at + {hour} ELSE 0 END, CASE WHEN n % 10 < 3 THEN 'sign-out' ELSE '' END, {now} + 400 * {day} + n
FROM (SELECT n, n - ({grants} - {sessions}) AS s, CASE WHEN n > {grants} - {sessions} THEN pg_temp.began(n - ({grants} - {sessions}))
    ELSE {now} - 365 * {day} + n * (334 * {day} / {grants}) END AS at
  FROM generate_series(1, {grants}) AS n) AS g`, `-- audit log
INSERT INTO audit (id, at, actor_kind, actor_id, actor_name, action, target_kind, target_id, details, request_id, address,
  format, personal, salt, commitments)
SELECT pg_temp.made(at, n, 10), at, CASE WHEN kind BETWEEN 70 AND 79 THEN 'system' ELSE 'person' END,
  CASE WHEN kind < 70 OR kind BETWEEN 80 AND 91 THEN sub WHEN kind < 80 THEN 'signin' ELSE pg_temp.sub(1 + 2000 * pg_temp.pick(n, 93, greatest({users} / 2000, 1))) END, '',
  CASE WHEN kind < 70 THEN 'user.sign_in' WHEN kind < 80 THEN 'user.sign_in.refuse' WHEN kind < 92 THEN 'grant.revoke'
    WHEN kind < 94 THEN 'user.ban' WHEN kind < 97 THEN 'group.member.add' ELSE 'user.password.change' END,
  CASE WHEN kind BETWEEN 80 AND 91 THEN 'grant' WHEN kind BETWEEN 94 AND 96 THEN 'group' ELSE 'user' END,
  CASE WHEN kind BETWEEN 80 AND 91 THEN pg_temp.text_of(pg_temp.made(at, n, 12)) WHEN kind BETWEEN 94 AND 96 THEN 'Sales ' || kind ELSE sub END,
  CASE WHEN kind BETWEEN 70 AND 79 THEN '{"cause":"' || (ARRAY['password', 'banned', 'unknown'])[1 + n % 3] || '"}' ELSE '{"client_id":"app-' || n % 50 || '"}' END,
  pg_temp.text_of(pg_temp.made(at, n, 13)), '', 1, '{"address":"203.0.113.' || n % 256 || '"}', substr(sha256(int8send(n)), 1, 16),
  '{"address":"' || encode(sha256(int8send(n)), 'base64') || '"}'
FROM (
  SELECT n, pg_temp.pick(n, 91, 100) AS kind, pg_temp.sub(CASE WHEN n % 5000 = 0 THEN {busy} ELSE 1 + pg_temp.pick(n, 92, {users}) END) AS sub,
    -- Half of them are of the last three days.
    CASE WHEN n <= {events} / 2 THEN {now} - 90 * {day} + n * (87 * {day} / ({events} / 2))
      ELSE {now} - 3 * {day} + (n - {events} / 2) * (3 * {day} / ({events} / 2)) END AS at
  FROM generate_series(1, {events}) AS n
) AS e;
INSERT INTO audit_chain (seq, audit_id, hash) SELECT row_number() OVER (ORDER BY id), id, sha256(id) FROM audit`, `-- ledger
INSERT INTO revocations (position, kind, key, reason, at, expires_at)
SELECT n, (ARRAY['token', 'token', 'session', 'session', 'grant', 'grant', 'membership', 'user'])[1 + n % 8],
  CASE n % 8 WHEN 6 THEN pg_temp.sub(n) WHEN 7 THEN pg_temp.sub(n) ELSE pg_temp.text_of(pg_temp.made({now}, n, 14)) END, 'sign-out',
  {now} - {hour} + n * {hour} / {rows}, {now} + {hour} + n
FROM generate_series(1, {rows}) AS n;
UPDATE ledger_head SET position = {rows}, change = {rows};
INSERT INTO followers (client_id, instance, audience, timeline, position, state, lag, first_at, reported_at)
SELECT 'api-' || n, 'node ' || k, 'https://api' || n || '.example.com', (SELECT timeline FROM ledger_head), {rows}, 'fresh', 5, 1, {now}
FROM generate_series(1, 20) AS n, generate_series(1, 2) AS k;
INSERT INTO acknowledgements (client_id, instance, position, at)
SELECT 'api-' || n, 'node ' || k, p, {now} FROM generate_series(1, 20) AS n, generate_series(1, 2) AS k, generate_series(greatest(1, {rows} - 1000), {rows}) AS p`, `-- jobs
INSERT INTO jobs (id, kind, payload, run_at, created_at)
SELECT pg_temp.made({now}, n, 15), (ARRAY['mail', 'backchannel', 'signal'])[1 + n % 3], '{}', {now} + n, {now} FROM generate_series(1, {rows} / 10 + 3) AS n`, `-- counts of the last month, and of each client of the last week
INSERT INTO counts (hour, kind, place, name, reason, n)
SELECT ({now} / {hour} - h) * {hour}, kind, place, name, reason, 1000 + pg_temp.pick(h, 95, 1000) FROM generate_series(0, 24 * 31) AS h, (VALUES
  ('token', '', 'authorization_code', ''), ('token', '', 'refresh_token', ''), ('token', '', 'client_credentials', ''),
  ('refusal', 'token', 'invalid_grant', 'expired'), ('refusal', 'token', 'invalid_grant', 'revoked'), ('refusal', 'token', 'invalid_client', ''),
  ('refusal', 'authorize', 'access_denied', ''), ('refusal', 'authorize', 'invalid_request', 'redirect_uri'),
  ('introspection', '', 'active', ''), ('introspection', '', 'inactive', ''),
  ('sign_in', '', 'success', ''), ('sign_in', '', 'credentials', ''), ('sign_in', '', 'banned', '')) AS k (kind, place, name, reason);
INSERT INTO client_counts (client_id, hour, kind, place, name, reason, n)
SELECT pg_temp.client_id(c), ({now} / {hour} - h) * {hour}, kind, place, name, reason, 1 + pg_temp.pick(h, 96, 100)
FROM generate_series(1, 50) AS c, generate_series(0, 24 * 7) AS h, (VALUES
  ('token', '', 'refresh_token', ''), ('token', '', 'authorization_code', ''), ('refusal', 'token', 'invalid_grant', 'expired'),
  ('refusal', 'authorize', 'invalid_request', 'redirect_uri')) AS k (kind, place, name, reason)`}
}
