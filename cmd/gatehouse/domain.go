package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/config"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/counts"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/mail"
	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/revocation"
	"github.com/gatehouse-id/gatehouse/signals"
	"github.com/gatehouse-id/gatehouse/storage/cache"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
)

// Facts about a deployment that its database keeps.
const (
	factIssuer = "issuer" // with which it was last served
	factDemo   = "demo"   // what `gatehouse dev` made; see demoFacts
	factPins   = "pins"   // settings that the configuration gave when it was last served, in JSON
)

// ledgerRowLife is how long rows of the ledger live: the longest lifetime of an
// access token, and a margin for clocks that differ (L12). Those about keys live
// longer (revocation.KeyLife).
const ledgerRowLife = accounts.LongestAccessToken + 10*time.Minute

// domain is storage and the services on it: what commands and the server share.
type domain struct {
	cfg     *config.Config
	log     *slog.Logger
	now     func() time.Time
	db      *sqldb.DB
	redis   *cache.Redis // nil without
	stream  *publisher   // nil without
	keyring *secret.Keyring
	ring    *keys.Ring
	keeper  *keys.Keeper
	tail    *revocation.Tail // what this process knows of the ledger; serve runs it
	repair  *accounts.Repair

	users    *accounts.Users
	groups   *accounts.Groups
	apis     *accounts.APIs
	clients  *accounts.Clients
	sets     *accounts.PermissionSets
	sessions *accounts.Sessions
	consents *accounts.Consents
	tokens   *accounts.Tokens
	factors  *accounts.Factors
	refusals *accounts.Refusals // serve runs them
	counter  *counts.Counter    // and this

	settings *liveSettings // serve follows them
	kept     *accounts.SettingsKeeper
	// unfit says why what the database keeps of the settings cannot hold here, which
	// nothing may be served with; else nil.
	unfit error
}

// openDomain opens the storage, migrates it if asked to, and builds the services.
func openDomain(ctx context.Context, cfg *config.Config, log *slog.Logger, now func() time.Time, migrate bool) (*domain, error) {
	if err := ensureData(cfg); err != nil {
		return nil, err
	}
	d := &domain{cfg: cfg, log: log, now: now}
	var err error
	if d.keyring, err = secret.NewKeyring(cfg.Secrets...); err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	if err := d.openStorage(ctx); err != nil {
		return nil, err
	}
	if migrate {
		applied, err := d.db.Migrate(ctx)
		if err != nil {
			d.close()
			return nil, err
		}
		if len(applied) > 0 {
			log.InfoContext(ctx, "database migrated", "applied", applied)
		}
	}
	// Before anything is read or written: what comes after it would hide that a
	// backup was restored (L24).
	if _, err := d.db.Recover(ctx); err != nil {
		d.close()
		return nil, fmt.Errorf("%w (has the database been migrated? gatehouse migrate up)", err)
	}
	if err := d.openSettings(ctx); err != nil {
		d.close()
		return nil, err
	}
	if err := d.build(); err != nil {
		d.close()
		return nil, err
	}
	// A command may be what writes first after a backup was restored.
	if err := d.recoverFromRedis(ctx); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// ensureData makes the data folder and the secret in it, unless both are given
// from elsewhere: then nothing needs a folder, and a container none to write to.
// The secret is made before the database: a database without one has lost it.
func ensureData(cfg *config.Config) error {
	if cfg.DatabaseURL != "" {
		return nil
	}
	if err := cfg.EnsureFolder(); err != nil {
		return err
	}
	return cfg.EnsureSecret()
}

func (d *domain) openStorage(ctx context.Context) error {
	opts := sqldb.Options{URL: d.cfg.Database().Reveal(), Now: d.now, Logger: d.log, TokenLife: ledgerRowLife}
	if file := d.cfg.DatabaseFile(); file != "" {
		opts.Marker = file + "-ledger"
	}
	if d.cfg.RedisURL != "" {
		var err error
		if d.redis, err = cache.OpenRedis(cache.RedisOptions{URL: d.cfg.RedisURL.Reveal(), Log: d.log}); err != nil {
			return err
		}
		d.stream = newPublisher(d.redis, d.keyring, d.log)
	}
	opts.Committed = func(h revocation.Head) {
		if d.tail != nil { // while it is opened nothing is committed
			d.tail.Wrote(h.Position, h.Change)
		}
		if d.stream != nil {
			d.stream.add(h)
		}
	}
	db, err := sqldb.Open(ctx, opts)
	if err != nil {
		d.close()
		return err
	}
	d.db = db
	every := time.Second
	if db.Dialect() == sqldb.SQLite {
		// A command beside the server has no other way to tell it, and asking a file
		// costs some microseconds.
		every = 50 * time.Millisecond
	}
	d.tail = revocation.NewTail(revocation.Options{
		Every:  every,
		Source: db, Ledger: db, Now: d.now, Log: d.log,
		Lost: func(ctx context.Context, position int64, rows []revocation.Row) error {
			return d.repair.Apply(ctx, position, rows)
		},
	})
	return nil
}

// openSettings finds out what the settings are.
func (d *domain) openSettings(ctx context.Context) (err error) {
	if d.settings, err = newLiveSettings(d.cfg, d.db, d.log); err != nil {
		return err
	}
	if err := d.loadSettings(ctx); err != nil {
		return fmt.Errorf("%w (has the database been migrated? gatehouse migrate up)", err)
	}
	return nil
}

func (d *domain) loadSettings(ctx context.Context) error {
	err := d.settings.load(ctx)
	d.unfit = nil
	if errors.Is(err, accounts.ErrInvalid) {
		d.unfit, err = err, nil
	}
	return err
}

// build makes the services. It contacts nobody.
func (d *domain) build() error {
	policy, err := d.passwords()
	if err != nil {
		return err
	}
	hasher := accounts.NewHasher(0, 0)
	d.counter = counts.New(d.db, d.now, d.log)
	journal := accounts.Journal{
		Tx: d.db, Audit: countedSignIns{d.db, d.counter}, Ledger: d.db, Now: d.now, Signals: signals.Writer{Jobs: d.db},
		Mails: &mail.Outbox{Jobs: d.db, Keyring: d.keyring, Log: d.log},
	}
	d.users = &accounts.Users{Journal: journal, Store: d.db, Lister: d.db, Sessions: d.db, Grants: d.db, Hasher: hasher, Policy: policy, Settings: d.settings, SecurityURL: d.links().To(accounts.PathLinkSecurity, nil)}
	d.groups = &accounts.Groups{Journal: journal, Store: d.db, Members: d.db, Permissions: d.db, APIs: d.db, Users: d.db, Crowds: d.db, Nesting: d.db, Managers: d.db, Reader: d.db}
	d.apis = &accounts.APIs{Journal: journal, Store: d.db, Permissions: d.db, Clients: d.db, Secrets: d.db, Keys: d.keyring}
	d.clients = &accounts.Clients{Journal: journal, Store: d.db, Secrets: d.db, Grants: d.db, Keys: d.keyring, Hasher: hasher}
	d.sets = &accounts.PermissionSets{Journal: journal, Store: d.db, Holdings: d.db, Permissions: d.db, Clients: d.db}
	d.sessions = &accounts.Sessions{Journal: journal, Users: d.db, Store: d.db, Grants: d.db, Logger: d.log}
	d.consents = &accounts.Consents{Journal: journal, Users: d.db, Grants: d.db}
	d.tokens = &accounts.Tokens{Journal: journal, Revocations: d.db}
	d.factors = d.newFactors()
	d.refusals = accounts.NewRefusals(journal, d.db, d.log)
	d.kept = &accounts.SettingsKeeper{Journal: journal, Store: d.db, Rules: d.settings}
	d.ring = keys.NewRing(d.db, d.keyring)
	d.keeper = &keys.Keeper{
		Store: d.db, Keyring: d.keyring, Now: d.now,
		Revoke: func(ctx context.Context, kid, reason string) error {
			return d.db.Append(ctx, revocation.Entry{Kind: revocation.Key, Key: kid, Reason: reason})
		},
	}
	d.repair = &accounts.Repair{
		Journal: journal, Head: d.db, Users: d.users, Sessions: d.sessions, Consents: d.consents, Clients: d.clients, Log: d.log,
		Connections: &accounts.Connections{Journal: journal, Clients: d.db, Grants: d.db, Consents: d.db}, APIs: d.apis,
		Compromise: func(ctx context.Context, actor audit.Actor, kid, reason string) error {
			_, err := d.keeper.Compromise(ctx, actor, kid, reason)
			if errors.Is(err, keys.ErrUnknownKey) { // it was made after what the database remembers
				return d.keeper.Revoke(ctx, kid, reason)
			}
			return err
		},
	}
	return nil
}

// close lets what was committed reach Redis and closes everything.
func (d *domain) close() {
	if d.db != nil {
		d.db.Close()
	}
	if d.stream != nil {
		d.stream.close()
	}
	if d.redis != nil {
		if err := d.redis.Close(); err != nil {
			d.log.Warn("closing", "error", err)
		}
	}
}

// fact returns a fact about the deployment, empty if it is not known.
func (d *domain) fact(ctx context.Context, key string) (string, error) {
	value, err := d.db.Instance(ctx, key)
	if errors.Is(err, accounts.ErrNotFound) {
		return "", nil
	}
	return value, err
}

// open is for commands: it opens the storage that a server beside it uses. Only
// commands that make something make a database where there is none; others would
// leave an empty one wherever somebody mistyped a folder.
func (c *call) open(create bool) (*domain, error) {
	cfg, err := c.config()
	if err != nil {
		return nil, err
	}
	if file := cfg.DatabaseFile(); file != "" && !create {
		if _, err := os.Stat(file); err != nil {
			return nil, fmt.Errorf("there is no database %s: start gatehouse first, or name its folder with --data-dir", file)
		}
	}
	log := slog.New(slog.NewTextHandler(c.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	d, err := openDomain(c.ctx, cfg, log, c.now, true)
	if err != nil {
		return nil, err
	}
	if err := d.adopt(c.ctx); err != nil {
		d.close()
		return nil, err
	}
	if err := d.takePins(c.ctx); err != nil {
		d.close()
		return nil, err
	}
	if d.unfit != nil {
		c.note("%s", d.unfit)
	}
	return d, nil
}

// adopt takes the issuer from the deployment where a command was told none, and
// makes the built-in API in a database that was never served.
func (d *domain) adopt(ctx context.Context) error {
	stored, err := d.fact(ctx, factIssuer)
	if err != nil {
		return err
	}
	if stored == "" {
		return d.apis.EnsureBuiltin(ctx, d.cfg.Issuer.String())
	}
	if !d.cfg.IssuerGiven {
		if d.cfg.Issuer, err = d.cfg.Issuer.Parse(stored); err != nil {
			return fmt.Errorf("stored issuer: %w", err)
		}
	}
	return nil
}

// with runs f on the storage and closes it.
func (c *call) with(create bool, f func(ctx context.Context, d *domain, by audit.Actor) error) error {
	d, err := c.open(create)
	if err != nil {
		return err
	}
	defer d.close()
	w := d.watch()
	if err := f(c.ctx, d, commandActor()); err != nil {
		return err
	}
	return c.noteManaged(c.ctx, d, w)
}

// commandActor is who works at the shell, for the audit log.
func commandActor() audit.Actor {
	actor := audit.Actor{Kind: audit.CommandLine, ID: fmt.Sprint(os.Getuid())}
	if u, err := user.Current(); err == nil && u.Username != "" {
		actor.ID = u.Username
	}
	return actor
}

// checkSecret refuses to make credentials under a secret that is not the one of
// the deployment: the server could not check them.
func (d *domain) checkSecret(ctx context.Context) error {
	records, _, err := d.db.Keys(ctx)
	if err != nil || len(records) == 0 {
		return err
	}
	_, err = d.ring.Current(ctx)
	return err
}
