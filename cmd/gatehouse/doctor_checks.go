package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/config"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/storage/cache"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
)

// skewLimit is how far two clocks may differ before tokens are refused: verifiers
// allow 30 seconds.
const skewLimit = 5 * time.Second

// maxDiscovery bounds what is read of somebody's answer.
const maxDiscovery = 1 << 20

// checkDatabase looks at reachability, schema, and what is in it.
func (d *diagnosis) checkDatabase(ctx context.Context, cfg *config.Config, db *sqldb.DB) {
	const check = "database"
	if err := db.Ping(ctx); err != nil {
		d.fail(check, "check GATEHOUSE_DATABASE_URL and the network", "%s", firstLine(err))
		return
	}
	d.ok(check, "%s answers", db.Dialect())
	d.checkServer(ctx, db)
	m, err := db.Migrator()
	if err != nil {
		d.fail("migrations", "check the rights of the database's user", "%s", firstLine(err))
		return
	}
	pending, err := m.Pending(ctx)
	if err := errors.Join(err, m.Close()); err != nil {
		d.fail("migrations", "install the newest release of Gatehouse", "%s", firstLine(err))
		return
	}
	if pending {
		d.fail("migrations", "gatehouse migrate up", "the database is not up to this release")
		return
	}
	d.ok("migrations", "none is pending")
	d.checkFacts(ctx, cfg, db)
	d.checkFollowers(ctx, db)
	d.checkRelays(ctx, db)
}

// behindLimit is how far those who follow the ledger may lag before somebody should
// look: a follower is stale by then.
const behindLimit = 10 * time.Second

// checkFollowers looks at what resource servers have reported lately.
func (d *diagnosis) checkFollowers(ctx context.Context, db *sqldb.DB) {
	const check = "followers"
	reported, err := db.ListFollowers(ctx)
	if err != nil {
		d.fail(check, "check the rights of the database's user", "%s", firstLine(err))
		return
	}
	now := d.call.now()
	reported = heardOf(reported, now)
	var silent, stale, behind []string
	for _, f := range reported {
		name := f.Audience + " " + f.Instance
		late, err := db.WrittenBefore(ctx, f.Position, f.ReportedAt-behindLimit.Milliseconds())
		if err != nil {
			d.fail(check, "check the rights of the database's user", "%s", firstLine(err))
			return
		}
		switch {
		case fellSilent(f, len(reported), now):
			silent = append(silent, name)
		case f.State == "stale":
			stale = append(stale, name)
		case late:
			behind = append(behind, name)
		}
	}
	total := len(reported)
	d.some(check, total, silent, "if they were not stopped, look at their logs and at the network between", "have not reported lately")
	d.some(check, total, stale, "look at their logs, at the proxy between (it must not buffer /revocations/stream), and at the nodes' connection to the database", "are stale: their policies decide")
	d.some(check, total, behind, "take the load from them, or give them more of the processor", "were more than 10 seconds behind the ledger when they reported")
	if len(silent)+len(stale)+len(behind) == 0 {
		d.ok(check, "%d reported lately that they follow the ledger", total)
	}
}

// some warns of those to whom something applies, and names a few of them.
func (d *diagnosis) some(check string, total int, names []string, remedy, what string) {
	const named = 3
	if len(names) == 0 {
		return
	}
	list, more := names, ""
	if len(names) > named {
		list, more = names[:named], ", ..."
	}
	d.warn(check, remedy, "%d of %d %s: %s%s", len(names), total, what, strings.Join(list, ", "), more)
}

// checkRelays looks at what turns the ledger into messages to others.
func (d *diagnosis) checkRelays(ctx context.Context, db *sqldb.DB) {
	const check = "messages"
	relays, err := db.Relays(ctx)
	if err != nil {
		d.fail(check, "check the rights of the database's user", "%s", firstLine(err))
		return
	}
	before := d.call.now().Add(-behindLimit).UnixMilli()
	var late []string
	for _, name := range slices.Sorted(maps.Keys(relays)) {
		behind, err := db.WrittenBefore(ctx, relays[name], before)
		if err != nil {
			d.fail(check, "check the rights of the database's user", "%s", firstLine(err))
			return
		}
		if behind {
			late = append(late, name)
		}
	}
	d.some(check, len(relays), late, "start a server if none runs; it passes on what waits, and its log says what keeps it from that", "are more than 10 seconds behind the ledger")
	if len(late) == 0 {
		d.ok(check, "%d kinds of messages are passed on", len(relays))
	}
}

// checkServer looks at the database server's version and clock.
func (d *diagnosis) checkServer(ctx context.Context, db *sqldb.DB) {
	if db.Dialect() != sqldb.Postgres {
		return
	}
	before := d.call.now()
	version, theirs, err := db.Server(ctx)
	if err != nil {
		d.fail("database", "check the rights of the database's user", "%s", firstLine(err))
		return
	}
	const oldest = 15
	if version < oldest {
		d.fail("database", fmt.Sprintf("use PostgreSQL %d or later", oldest), "it is PostgreSQL %d", version)
	}
	// The answer's time lies between asking and hearing.
	after := d.call.now()
	if skew := max(before.Sub(theirs), theirs.Sub(after)); skew > skewLimit {
		d.fail("clock", "set both clocks by NTP", "this machine and the database differ by %s", skew.Round(time.Second))
		return
	}
	d.ok("clock", "agrees with the database's")
}

// checkFacts compares what the database says about the deployment.
func (d *diagnosis) checkFacts(ctx context.Context, cfg *config.Config, db *sqldb.DB) {
	read := func(key string) string {
		value, err := db.Instance(ctx, key)
		if err != nil && !errors.Is(err, accounts.ErrNotFound) {
			d.fail("database", "check the rights of the database's user", "%s", firstLine(err))
		}
		return value
	}
	if issuer := read(factIssuer); cfg.IssuerGiven && issuer != "" && issuer != cfg.Issuer.String() {
		d.warn("issuer", "set GATEHOUSE_ISSUER back, or tell every app and API the new one", "it is %s, and was %s when last served", cfg.Issuer, issuer)
	}
	if read(factDemo) == "" {
		return
	}
	const remedy = "serve from another data folder or database"
	if !onLoopback(cfg.Issuer.Hostname()) {
		d.fail("demo data", remedy, "accounts whose password everybody knows are in a database for %s", cfg.Issuer)
		return
	}
	d.warn("demo data", remedy+" when people use it", "this is a database of gatehouse dev")
}

func onLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// checkKeys opens the signing keys under the secret.
func (d *diagnosis) checkKeys(ctx context.Context, cfg *config.Config, db *sqldb.DB) {
	const check = "signing keys"
	records, _, err := db.Keys(ctx)
	if err != nil {
		return // the migrations' finding says why
	}
	if len(records) == 0 {
		d.warn(check, "gatehouse serve makes them at its first start", "there are none yet")
		return
	}
	if err := cfg.EnsureSecret(); err != nil {
		d.fail("secret", "restore the secret from a backup", "%v", err)
		return
	}
	keyring, err := secret.NewKeyring(cfg.Secrets...)
	if err != nil {
		d.fail("secret", "choose another", "%v", err)
		return
	}
	set, err := keys.NewRing(db, keyring).Current(ctx)
	if err != nil {
		d.fail(check, "give the secret that they were made with, or list it behind the new one", "%v", err)
		return
	}
	for _, algorithm := range keys.Algorithms() {
		if _, err := set.Signer(algorithm); err != nil {
			d.fail(check, "gatehouse keys rotate --force --alg "+algorithm, "%v for %s", err, algorithm)
		}
	}
	now := d.call.now()
	for _, r := range records {
		age := now.Sub(time.UnixMilli(r.ActivatedAt))
		if r.State == keys.Active && age > keys.DefaultRotateEvery+7*24*time.Hour {
			d.warn(check, "look in the server's log; gatehouse keys rotate --alg "+r.Algorithm, "%s of %s has signed for %d days", r.KID, r.Algorithm, int(age.Hours()/24))
		}
	}
	d.ok(check, "%d open under the secret", len(records))
}

// checkRedis asks Redis about itself.
func (d *diagnosis) checkRedis(ctx context.Context, cfg *config.Config) {
	const check = "redis"
	if cfg.RedisURL == "" {
		return
	}
	redis, err := cache.OpenRedis(cache.RedisOptions{URL: cfg.RedisURL.Reveal(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		d.fail(check, "write redis://, redis+sentinel:// or redis+cluster://", "%v", err)
		return
	}
	found := redis.Check(ctx)
	for _, f := range found {
		if f.Fatal {
			d.fail(check, f.Remedy, "%s", f.Problem)
		} else {
			d.warn(check, f.Remedy, "%s", f.Problem)
		}
	}
	if len(found) == 0 {
		d.ok(check, "answers")
	}
	if err := redis.Close(); err != nil {
		d.warn(check, "", "%v", err)
	}
}

// checkIssuer asks for the discovery document as an app does.
func (d *diagnosis) checkIssuer(ctx context.Context, cfg *config.Config) {
	const check = "issuer"
	issuer := cfg.Issuer.String()
	date, body, err := fetchDiscovery(ctx, issuer)
	var certificate *tls.CertificateVerificationError
	var dial *net.OpError
	switch {
	case errors.As(err, &certificate):
		d.fail(check, "renew the certificate, for the issuer's host", "%s", firstLine(err))
		return
	case errors.As(err, &dial):
		d.warn(check, "start it, or look at DNS and the proxy in front", "nothing answers at %s: %v", issuer, dial.Err)
		return
	case err != nil:
		d.fail(check, "look at DNS and the proxy in front; it must pass the path on unchanged", "%s", firstLine(err))
		return
	}
	var document struct {
		Issuer string `json:"issuer"`
	}
	if err := json.Unmarshal(body, &document); err != nil || document.Issuer != issuer {
		d.fail(check, "set GATEHOUSE_ISSUER of the server, or of this command, to the same URL", "%s says that it is %q", issuer, document.Issuer)
		return
	}
	d.ok(check, "%s is reached and says the same", issuer)
	if skew := d.call.now().Sub(date).Abs(); !date.IsZero() && skew > skewLimit+time.Second {
		d.warn("clock", "set both clocks by NTP", "this machine and the issuer differ by %s", skew.Round(time.Second))
	}
}

func fetchDiscovery(ctx context.Context, issuer string) (date time.Time, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, issuer+"/.well-known/openid-configuration", nil)
	if err != nil {
		return date, nil, err
	}
	client := http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // apps do not follow either (OpenID Connect Discovery §4.2)
	}}
	resp, err := client.Do(req)
	if err != nil {
		return date, nil, err
	}
	defer func() { _ = resp.Body.Close() }() // only read
	if resp.StatusCode != http.StatusOK {
		return date, nil, fmt.Errorf("%s answers %s", req.URL, resp.Status)
	}
	date, _ = http.ParseTime(resp.Header.Get("Date")) // zero without one
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxDiscovery))
	return date, body, err
}
