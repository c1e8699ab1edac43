package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/config"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// liveSettings are the settings that hold in this process: the configuration, and for
// what it does not give, what the database keeps. They are loaded anew when the
// ledger's change counter has moved (docs/decisions/0016-settings.md), and a request
// sees the same ones from its beginning to its end.
type liveSettings struct {
	base  *config.Config
	store accounts.SettingStore
	log   *slog.Logger

	loading sync.Mutex // one at a time: who reads later knows more
	held    atomic.Pointer[heldSettings]
}

// heldSettings are the two views of the same moment.
type heldSettings struct {
	config   *config.Config
	settings *accounts.Settings
}

// newLiveSettings begins with what the configuration alone says.
func newLiveSettings(base *config.Config, store accounts.SettingStore, log *slog.Logger) (*liveSettings, error) {
	l := &liveSettings{base: base, store: store, log: log}
	cfg, _, err := base.Keep(nil)
	if err != nil {
		return nil, err
	}
	l.hold(cfg)
	return l, nil
}

func (l *liveSettings) hold(cfg *config.Config) {
	set := cfg.People
	now := &accounts.Settings{
		SignUp: accounts.SignUpMode(set.SignUp), SignUpDomains: set.SignUpDomains, SignInByMail: set.SignInByMail,
		Policy: accounts.SignInPolicy{
			VerifyEmail: set.VerifyEmail && sendsMail(cfg), TermsVersion: set.TermsVersion, StaffNeedFactor: set.SuperuserSecondFactor,
		},
		PasswordMinLength: set.PasswordMinLength, AccessTokenLifetime: cfg.AccessTokenLifetime, Brand: cfg.BrandName,
	}
	if set.TermsURL != nil {
		now.TermsURL = set.TermsURL.String()
	}
	l.held.Store(&heldSettings{config: cfg, settings: now})
}

// load takes in what the database keeps. Where it does not go with the configuration,
// what held before goes on to hold, and the error, which matches accounts.ErrInvalid,
// says how to mend it.
func (l *liveSettings) load(ctx context.Context) error {
	l.loading.Lock()
	defer l.loading.Unlock()
	rows, err := l.store.KeptSettings(ctx)
	if err != nil {
		return err
	}
	kept := make(map[string]string, len(rows))
	for _, r := range rows {
		kept[r.Name] = r.Value
	}
	cfg, list, err := l.base.Keep(kept)
	if err != nil {
		return unfitting(list, err)
	}
	l.hold(cfg)
	return nil
}

// unfitting says in one line how to get a server to start again.
func unfitting(list []accounts.Setting, err error) error {
	var names []string
	bad := new(accounts.BadField)
	if errors.As(err, &bad) {
		names = []string{bad.Field}
	} else {
		for _, s := range list {
			if s.Origin == accounts.SettingFromDatabase {
				names = append(names, s.Name)
			}
		}
	}
	return fmt.Errorf("the settings that the database keeps do not go with this configuration: %w (take back what does not fit: gatehouse settings unset %s)",
		err, strings.Join(names, " "))
}

// follow loads the settings again whenever something that nodes remember has changed,
// until ctx ends.
func (l *liveSettings) follow(ctx context.Context, tail *revocation.Tail) {
	var seen revocation.Point
	var trouble settingsTrouble
	for {
		changed, now := tail.Changed(), tail.Last()
		if now.Change != seen.Change || now.Timeline != seen.Timeline || trouble.passing {
			err := l.load(ctx)
			if trouble.news(err) && ctx.Err() == nil {
				l.log.ErrorContext(ctx, "settings of the database not taken, those before go on to hold", "error", err)
			}
			if !trouble.passing {
				seen = now
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// settingsTrouble is what keeps the settings of the database from being taken.
type settingsTrouble struct {
	// passing: the database did not answer, and may in a moment. What does not fit, on
	// the other hand, is as bad the next time.
	passing bool
	unfit   string // as it was told last
}

// news reports whether an error is to be told: each once, until it is over. The change
// counter moves for all sorts of reasons, and each time the settings are loaded.
func (t *settingsTrouble) news(err error) bool {
	switch {
	case err == nil:
		*t = settingsTrouble{}
		return false
	case errors.Is(err, accounts.ErrInvalid):
		again := err.Error() == t.unfit
		*t = settingsTrouble{unfit: err.Error()}
		return !again
	}
	again := t.passing
	t.passing = true
	return !again
}

// pinKey is where a request carries its settings.
type pinKey struct{}

// pin lets everything under ctx see the settings of now.
func (l *liveSettings) pin(ctx context.Context) context.Context {
	return context.WithValue(ctx, pinKey{}, l.held.Load().settings)
}

// Current implements accounts.SettingsSource.
func (l *liveSettings) Current(ctx context.Context) *accounts.Settings {
	if pinned, ok := ctx.Value(pinKey{}).(*accounts.Settings); ok {
		return pinned
	}
	return l.held.Load().settings
}

// brandName is the name on pages and in mails.
func (l *liveSettings) brandName() string { return l.held.Load().settings.Brand }

// config is the configuration with what the database keeps.
func (l *liveSettings) config() *config.Config { return l.held.Load().config }

// Settings implements accounts.SettingRules.
func (l *liveSettings) Settings(kept map[string]string) ([]accounts.Setting, error) {
	_, list, err := l.base.Keep(kept)
	return list, err
}

// leavePins notes in the database what the configuration gives, for commands that are
// not told it.
func (d *domain) leavePins(ctx context.Context) error {
	pins, err := json.Marshal(d.cfg.Pins())
	if err != nil {
		return fmt.Errorf("pinned settings: %w", err)
	}
	before, err := d.fact(ctx, factPins)
	if err != nil || before == string(pins) {
		return err
	}
	return d.db.SetInstance(ctx, factPins, string(pins))
}

// takePins lets a command take for given what the server gives that was started last:
// else it would keep what does not count there. Beside the demo it has the demo's
// defaults.
func (d *domain) takePins(ctx context.Context) error {
	stored, err := d.fact(ctx, factPins)
	if err != nil || stored == "" {
		return err
	}
	var pins map[string]config.Pin
	if err := json.Unmarshal([]byte(stored), &pins); err != nil {
		return fmt.Errorf("pinned settings: %w", err)
	}
	demo, err := d.fact(ctx, factDemo)
	if err != nil {
		return err
	}
	base := d.cfg.WithPins(pins)
	base.Dev = demo != ""
	d.settings.base = base
	return d.loadSettings(ctx)
}

// settingsEditor lets what operators change in this process hold for its next request.
type settingsEditor struct {
	*accounts.SettingsKeeper
	live *liveSettings
}

// Change implements admin.SettingsKeeper.
func (e settingsEditor) Change(ctx context.Context, actor audit.Actor, values map[string]string, match func([]accounts.Setting) error) ([]string, error) {
	changed, err := e.SettingsKeeper.Change(ctx, actor, values, match)
	if err != nil || len(changed) == 0 {
		return changed, err
	}
	if err := e.live.load(ctx); err != nil { // it is kept; follow tries again
		e.live.log.WarnContext(ctx, "settings not taken at once", "error", err)
	}
	return changed, nil
}
