package resource

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	defaultMaxLifetime = time.Hour
	defaultLeeway      = 30 * time.Second
	maxLeeway          = time.Minute

	maxInstance     = 64
	endingLetters   = 8 // of 5 bits
	instanceLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_"
)

// Config says whose tokens a [Verifier] accepts. Issuer and Audience are
// required, the zero value of every other field is a safe default.
type Config struct {
	// Issuer is the issuer's identifier, byte for byte as in its metadata.
	// It is an https URL, or http on loopback.
	Issuer string
	// Audience is this API's identifier, as it was registered at the issuer.
	Audience string
	// JWKSURL is where the issuer publishes its keys. When it is empty, the
	// issuer's metadata says where.
	JWKSURL string
	// MetadataURL is where clients reach [Verifier.MetadataHandler]. When it
	// is set, every challenge names it (RFC 9728 §5.1).
	MetadataURL string
	// ScopesSupported are listed in the metadata (RFC 9728 §2); optional.
	ScopesSupported []string
	// MaxLifetime is the longest exp-iat that is accepted; default one hour.
	MaxLifetime time.Duration
	// Leeway is how far this clock and the issuer's may differ; default 30
	// seconds, at most one minute.
	Leeway time.Duration
	// ClientID and ClientSecret are this API's own client at the issuer, which came
	// with its registration. With them the verifier follows the ledger, so that it
	// refuses what was taken back; without them it checks tokens offline and its
	// state is [Off].
	ClientID, ClientSecret string
	// Stale is what routes do while the ledger is followed and not fresh, unless
	// [Verifier.With] says otherwise; default [Introspect].
	Stale Policy
	// MaxRows bounds the set of what was taken back, at up to 32 bytes each (for a
	// moment twice that); default 20 million. With more the state is [Stale].
	MaxRows int
	// Instance is what this process is called where operators see who has applied a
	// revocation, such as the host's name: 1 to 64 characters of letters, digits, dot,
	// dash and underscore. A random ending makes it this Verifier's own, since one that
	// has applied a row must not speak for another that has not. Default random.
	Instance string
	// Events are called as things happen; optional.
	Events Events
	// Client talks to the issuer. Redirects are not followed whatever it says, and
	// its Timeout does not apply to the stream, which has no end. By default a
	// plain client.
	Client *http.Client
	// Now is the clock; default [time.Now].
	Now func() time.Time
	// Logger hears why tokens were refused (debug), keys not fetched and the
	// ledger not followed (warn), never a token and never a secret. By default
	// nobody does.
	Logger *slog.Logger
}

// Verifier checks the access tokens of one API. It is safe for concurrent use.
// One that follows the ledger must be closed.
type Verifier struct {
	issuer      string
	audience    string
	metadataURL string
	scopes      []string
	maxLifetime time.Duration
	leeway      time.Duration
	now         func() time.Time
	log         *slog.Logger
	keys        *keyCache
	proofs      *proofs
	streams     *streams
	events      Events
	stale       Policy
	feed        *feed // nil when nothing is followed
}

// New returns a Verifier, or an error that says what is wrong with cfg. It waits
// for nobody: an API may start before its issuer does. With credentials it begins
// to follow the ledger, in the background, until [Verifier.Close].
func New(cfg Config) (*Verifier, error) {
	cfg = withDefaults(cfg)
	if err := validate(cfg); err != nil {
		return nil, fmt.Errorf("resource: %w", err)
	}
	cfg.Instance = distinct(cfg.Instance)
	v := &Verifier{
		issuer:      cfg.Issuer,
		audience:    cfg.Audience,
		metadataURL: cfg.MetadataURL,
		scopes:      slices.Clone(cfg.ScopesSupported),
		maxLifetime: cfg.MaxLifetime,
		leeway:      cfg.Leeway,
		now:         cfg.Now,
		log:         cfg.Logger,
		keys:        newKeyCache(cfg),
		proofs:      &proofs{},
		streams:     newStreams(cfg),
		events:      cfg.Events,
		stale:       cfg.Stale,
	}
	if cfg.ClientID != "" {
		v.feed = newFeed(cfg, v.streams, v.keys)
		v.feed.start()
	}
	return v, nil
}

func withDefaults(cfg Config) Config {
	if cfg.MaxLifetime == 0 {
		cfg.MaxLifetime = defaultMaxLifetime
	}
	if cfg.Leeway == 0 {
		cfg.Leeway = defaultLeeway
	}
	if cfg.Client == nil {
		cfg.Client = &http.Client{}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return cfg
}

func validate(cfg Config) error {
	if err := checkURL(cfg.Issuer); err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	// RFC 8414 §2.
	if strings.ContainsAny(cfg.Issuer, "?#") {
		return errors.New("issuer: must have no query and no fragment")
	}
	if cfg.Audience == "" || printable(cfg.Audience) != cfg.Audience {
		return errors.New("audience: must be given, in printable ASCII without quotes and backslashes")
	}
	if cfg.JWKSURL != "" {
		if err := checkURL(cfg.JWKSURL); err != nil {
			return fmt.Errorf("JWKS URL: %w", err)
		}
	}
	if cfg.MetadataURL != "" {
		if err := checkURL(cfg.MetadataURL); err != nil {
			return fmt.Errorf("metadata URL: %w", err)
		}
	}
	if cfg.MaxLifetime < 0 {
		return errors.New("maximal lifetime: must not be negative")
	}
	if cfg.Leeway < 0 || cfg.Leeway > maxLeeway {
		return fmt.Errorf("leeway: must be between 0 and %s", maxLeeway)
	}
	for _, s := range cfg.ScopesSupported {
		if !isScopeToken(s) {
			return fmt.Errorf("scopes: %q is no scope", s)
		}
	}
	return validateFollowing(cfg)
}

func validateFollowing(cfg Config) error {
	switch {
	case (cfg.ClientID == "") != (cfg.ClientSecret == ""):
		return errors.New("client: id and secret must be given both or neither")
	case cfg.Stale > Allow:
		return errors.New("stale: no such policy")
	case cfg.Stale != Introspect && cfg.ClientID == "":
		// It would promise what cannot be held.
		return errors.New("stale: a policy needs the client's id and secret")
	case cfg.MaxRows < 0:
		return errors.New("maximal rows: must not be negative")
	case len(cfg.Instance) > maxInstance || strings.ContainsFunc(cfg.Instance, outsideInstance):
		return errors.New("instance: must be up to 64 letters, digits, dots, dashes and underscores")
	}
	return nil
}

// checkURL reports why keys must not be fetched from raw: whoever can answer
// in the issuer's place can sign tokens, so everything but loopback needs TLS.
func checkURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("is no URL")
	}
	switch {
	case u.Host == "" || u.Opaque != "":
		return errors.New("must be an absolute URL")
	case u.User != nil:
		return errors.New("must hold no user and no password")
	case printable(raw) != raw:
		return errors.New("must be printable ASCII without quotes and backslashes")
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return errors.New("must be https, or http on loopback")
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// distinct returns a name that no other process has, beginning with the given one as
// far as there is room.
func distinct(name string) string {
	if name == "" {
		return rand.Text()
	}
	ending := strings.ToLower(rand.Text()[:endingLetters])
	return name[:min(len(name), maxInstance-1-len(ending))] + "." + ending
}

func outsideInstance(r rune) bool { return !strings.ContainsRune(instanceLetters, r) }
