package accounts_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pquerna/otp/totp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

// factorWorld is a world in which people have factors.
type factorWorld struct {
	*world
	factors *accounts.Factors
	signIns *accounts.SignIns
	post    *post
}

// post keeps what was mailed and signalled.
type post struct {
	mu      sync.Mutex
	mails   []accounts.Mail
	signals []accounts.Signal
	// browsers tells kinds to name mails about new browsers.
	browsers bool
}

func (p *post) Mail(_ context.Context, m accounts.Mail) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mails = append(p.mails, m)
	return nil
}

func (p *post) WriteSignal(_ context.Context, s accounts.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.signals = append(p.signals, s)
	return nil
}

// kinds are the kinds of mails and signals since the last call.
func (p *post) kinds() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	kinds := []string{}
	for _, m := range p.mails {
		if m.Kind == accounts.MailNewDevice && !p.browsers {
			continue // most tests show no browser's cookie
		}
		kinds = append(kinds, string(m.Kind)+" to "+m.To)
	}
	for _, s := range p.signals {
		kinds = append(kinds, string(s.Kind))
	}
	p.mails, p.signals = nil, nil
	return kinds
}

func newFactorWorld(t testing.TB) *factorWorld {
	t.Helper()
	return factorsIn(t, newWorld(t))
}

// withFactorsOnBoth runs f on each engine: locks are what they do differently.
func withFactorsOnBoth(t *testing.T, f func(t *testing.T, w *factorWorld)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { f(t, newFactorWorld(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { f(t, factorsIn(t, newWorldOn(t, sqldbtest.Postgres(t)))) })
}

func factorsIn(t testing.TB, w *world) *factorWorld {
	t.Helper()
	keys, err := secret.NewKeyring(secret.Text(bytes.Repeat([]byte("k"), 32)))
	w.must(err)
	logger := slog.New(slog.NewJSONHandler(&w.log, nil))
	f := &factorWorld{world: w, post: &post{}}
	j := accounts.Journal{Tx: w.db, Audit: w.db, Ledger: w.db, Now: w.now, Mails: f.post, Signals: f.post}
	f.factors = &accounts.Factors{
		Journal: j, Users: w.db, Sessions: w.db, Grants: w.db, Store: w.db, TOTPs: w.db, Passkeys: w.db, Recovery: w.db,
		Devices: w.db, Waiting: w.db, Keys: keys, Logger: logger, Settings: &accounts.Settings{Brand: "Acme: Login"}, SecurityURL: "https://id.example/account/security",
		Device: func(string) string { return "Firefox on Linux" },
	}
	f.signIns = &accounts.SignIns{
		Journal: j, Users: w.db, Sessions: w.sessions, Factors: f.factors, Waiting: w.db, Limiter: w.limiter, Keys: keys, Logger: logger,
	}
	return f
}

func actorOf(u *accounts.User) audit.Actor { return audit.Actor{Kind: audit.Person, ID: u.Subject} }

func meta(address string) accounts.Meta {
	return accounts.Meta{UserAgent: "Mozilla/5.0", Address: address}
}

// signIn proves the password; the rest is up to the caller.
func (w *factorWorld) signIn(u *accounts.User, device string) *accounts.Passage {
	w.t.Helper()
	return w.signInOver(u, device, id.ID{})
}

func (w *factorWorld) signInOver(u *accounts.User, device string, replaces id.ID) *accounts.Passage {
	w.t.Helper()
	r, err := w.attempt(u.Username, password, "192.0.2.1")
	w.must(err)
	m := meta("192.0.2.1")
	m.Replaces = replaces
	p, err := w.signIns.Proceed(w.t.Context(), r, m, device)
	w.must(err)
	return p
}

// app enrols an authenticator app and returns its secret.
func (w *factorWorld) app(u *accounts.User, session *accounts.Session, name string) (key string, recovery []string) {
	w.t.Helper()
	key, _, sealed, err := w.factors.BeginTOTP(w.t.Context(), u)
	w.must(err)
	recovery, err = w.factors.ConfirmTOTP(w.t.Context(), actorOf(u), session, name, sealed, w.code(key))
	w.must(err)
	w.pass(30 * time.Second) // its code is used
	return key, recovery
}

func (w *factorWorld) code(key string) string {
	w.t.Helper()
	code, err := totp.GenerateCode(key, w.now())
	w.must(err)
	return code
}

// enrolled is a person with an app, the session in which they enrolled it, and what
// came of it.
func (w *factorWorld) enrolled(name string) (u *accounts.User, session *accounts.Session, key string, recovery []string) {
	w.t.Helper()
	u = w.person(name)
	p := w.signIn(u, "")
	if p.Session == nil || p.Token == "" {
		w.t.Fatalf("no session without a factor: %+v", p)
	}
	key, recovery = w.app(u, p.Session, "Phone")
	session, err := w.db.SessionByID(w.t.Context(), p.Session.ID)
	w.must(err)
	w.post.kinds()
	return u, session, key, recovery
}

func (w *factorWorld) live(s *accounts.Session) bool {
	w.t.Helper()
	found, err := w.db.SessionByID(w.t.Context(), s.ID)
	w.must(err)
	return found.EndedAt == 0
}

func TestConfirmTOTP(t *testing.T) {
	w := newFactorWorld(t)
	u := w.person("alice")
	_, elsewhere := w.session(u)
	p := w.signIn(u, "")
	key, uri, sealed, err := w.factors.BeginTOTP(t.Context(), u)
	w.must(err)
	if !strings.HasPrefix(uri, "otpauth://totp/Acme%20%20Login:alice?") || !strings.Contains(uri, "secret="+key) || strings.Contains(sealed, key) {
		t.Errorf("URI %s", uri)
	}
	confirm := func(who *accounts.User, s *accounts.Session, name, sealed, code string) error {
		_, err := w.factors.ConfirmTOTP(t.Context(), actorOf(who), s, name, sealed, code)
		return err
	}
	mallory := w.person("mallory")
	_, theirs := w.session(mallory)
	for name, tt := range map[string]struct {
		err  error
		want error
	}{
		"a wrong code":            {confirm(u, p.Session, "", sealed, "000000"), accounts.ErrCode},
		"no code":                 {confirm(u, p.Session, "", sealed, ""), accounts.ErrCode},
		"a secret of nobody":      {confirm(u, p.Session, "", "AAAA", w.code(key)), accounts.ErrInvalid},
		"the secret of another":   {confirm(mallory, theirs, "", sealed, w.code(key)), accounts.ErrInvalid},
		"a session of another":    {confirm(u, theirs, "", sealed, w.code(key)), accounts.ErrNotFound},
		"a name with a direction": {confirm(u, p.Session, "\u202ephone", sealed, w.code(key)), accounts.ErrInvalid},
		"a long secret":           {confirm(u, p.Session, "", strings.Repeat("A", 1<<20), w.code(key)), accounts.ErrInvalid},
	} {
		if !errors.Is(tt.err, tt.want) {
			t.Errorf("%s: %v", name, tt.err)
		}
	}
	if has, _, err := w.factors.Standing(t.Context(), u); err != nil || has {
		t.Fatalf("a factor by a refused confirmation, %v", err)
	}
	w.post.kinds()
	before := w.position()
	recovery, err := w.factors.ConfirmTOTP(t.Context(), actorOf(u), p.Session, "", sealed, w.code(key)[:3]+" "+w.code(key)[3:])
	w.must(err)
	if len(recovery) != 10 {
		t.Errorf("%d recovery codes", len(recovery))
	}
	if w.live(elsewhere) || !w.live(p.Session) {
		t.Error("a factor change ends all other sessions and keeps one's own")
	}
	if diff := cmp.Diff([]string{"session " + elsewhere.ID.String()}, w.rows(before)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"factor_added to alice@test.com", "totp-added"}, w.post.kinds()); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	// Its own session has just proven the app.
	own, err := w.db.SessionByID(t.Context(), p.Session.ID)
	w.must(err)
	if own.ACR != accounts.ACRTwoFactors || !slices.Equal(own.AMR, []string{"pwd", "otp", "mfa"}) || own.AuthTime != p.Session.AuthTime {
		t.Errorf("own session: %+v", own)
	}
	// One secret makes one app, or a code would be taken twice.
	if err := confirm(u, p.Session, "", sealed, w.code(key)); !errors.Is(err, accounts.ErrInvalid) {
		t.Errorf("the same secret again: %v", err)
	}
	_, _, sealed, err = w.factors.BeginTOTP(t.Context(), u)
	w.must(err)
	w.pass(time.Hour)
	if err := confirm(u, own, "", sealed, "000000"); !errors.Is(err, accounts.ErrInvalid) {
		t.Errorf("a secret after its time: %v", err)
	}
	if strings.Contains(w.log.String(), key) {
		t.Error("a secret in the log")
	}
}

// Who has the password and a remembered browser must not take the second factor away.
func TestFactors_ChangeTakesTwo(t *testing.T) {
	w := newFactorWorld(t)
	u, strong, key, _ := w.enrolled("alice")
	p, err := w.signIns.Code(t.Context(), w.signIn(u, "").Pending, w.code(key), meta("192.0.2.1"), true)
	w.must(err)
	weak := w.signIn(u, p.Device).Session
	if weak == nil || weak.ACR != accounts.ACRPassword {
		t.Fatalf("session of a remembered browser: %+v", weak)
	}
	list, err := w.factors.List(t.Context(), u)
	w.must(err)
	fresh, _, sealed, err := w.factors.BeginTOTP(t.Context(), u)
	w.must(err)
	_, added := w.factors.ConfirmTOTP(t.Context(), actorOf(u), weak, "", sealed, w.code(fresh))
	for name, err := range map[string]error{
		"add":    added,
		"remove": w.factors.Remove(t.Context(), actorOf(u), weak, list.TOTPs[0].ID),
		"asked":  w.factors.MayChange(t.Context(), weak, u),
	} {
		if !errors.Is(err, accounts.ErrStepUp) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.must(w.factors.MayChange(t.Context(), strong, u))
	w.must(w.factors.Remove(t.Context(), actorOf(u), strong, list.TOTPs[0].ID))
	if w.live(weak) || !w.live(strong) {
		t.Error("the sessions after a removal")
	}
	if diff := cmp.Diff([]string{"factor_removed to alice@test.com", "totp-removed"}, w.post.kinds()); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	after, err := w.factors.List(t.Context(), u)
	w.must(err)
	if after.Count() != 0 || after.RecoveryCodes != 0 || len(after.Devices) != 0 {
		t.Errorf("left: %+v", after)
	}
}

// Attack 222: the last factor of who needs one stays; an operator who removes factors
// ends the sessions that were begun with them.
func TestAttack_222_LastFactor(t *testing.T) { withFactorsOnBoth(t, lastFactor) }

func lastFactor(t *testing.T, w *factorWorld) {
	u, session, _, _ := w.enrolled("alice")
	_, err := w.groups.Create(t.Context(), operator(), "Staff", "")
	w.must(err)
	w.must(w.groups.AddMember(t.Context(), operator(), "Staff", u.Subject, 0))
	w.must(w.groups.SetSecondFactor(t.Context(), operator(), "staff", true))
	if got := w.events(1); got[0] != "group.second_factor" {
		t.Errorf("event %v", got)
	}
	w.must(w.groups.SetSecondFactor(t.Context(), operator(), "staff", true)) // changes nothing
	first, err := w.factors.List(t.Context(), u)
	w.must(err)
	if err := w.factors.Remove(t.Context(), actorOf(u), session, first.TOTPs[0].ID); !errors.Is(err, accounts.ErrLastFactor) {
		t.Fatalf("remove the last: %v", err)
	}
	w.app(u, session, "Tablet")
	second, err := w.factors.List(t.Context(), u)
	w.must(err)
	// Two at once: one of them is the last.
	var wg sync.WaitGroup
	results := make([]error, 2)
	for i := range results {
		wg.Go(func() {
			results[i] = w.factors.Remove(t.Context(), actorOf(u), session, second.TOTPs[i].ID)
		})
	}
	wg.Wait()
	if failed := slices.DeleteFunc(results, func(err error) bool { return err == nil }); len(failed) != 1 || !errors.Is(failed[0], accounts.ErrLastFactor) {
		t.Errorf("of two removals at once failed: %v", failed)
	}
	w.post.kinds()
	before := w.position()
	w.must(w.factors.Reset(t.Context(), operator(), u.Subject))
	if w.live(session) || len(w.rows(before)) == 0 {
		t.Error("a session outlives the reset of its factors")
	}
	if got := w.post.kinds(); !slices.Contains(got, "factor_removed to alice@test.com") {
		t.Errorf("told %v", got)
	}
	w.must(w.factors.Reset(t.Context(), operator(), u.Subject))
	if got := w.post.kinds(); len(got) != 0 {
		t.Errorf("a reset of nothing told %v", got)
	}
	if has, needed, err := w.factors.Standing(t.Context(), u); err != nil || has || !needed {
		t.Errorf("has %t, needs %t, %v", has, needed, err)
	}
}

func TestFactors_Standing(t *testing.T) {
	w := newFactorWorld(t)
	w.factors.Settings = &accounts.Settings{Policy: accounts.SignInPolicy{StaffNeedFactor: true}}
	u := w.person("alice")
	if _, needed, err := w.factors.Standing(t.Context(), u); err != nil || needed {
		t.Errorf("anybody: %t, %v", needed, err)
	}
	u.Staff = true
	if _, needed, err := w.factors.Standing(t.Context(), u); err != nil || !needed {
		t.Errorf("staff: %t, %v", needed, err)
	}
}

func TestFactors_Rename(t *testing.T) {
	w := newFactorWorld(t)
	u, _, _, _ := w.enrolled("alice")
	list, err := w.factors.List(t.Context(), u)
	w.must(err)
	factor := list.TOTPs[0].ID
	w.must(w.factors.Rename(t.Context(), actorOf(u), factor, "Täblet <1>"))
	for name, want := range map[string]error{"": accounts.ErrInvalid, strings.Repeat("x", 65): accounts.ErrInvalid, "a\u200bb": accounts.ErrInvalid} {
		if err := w.factors.Rename(t.Context(), actorOf(u), factor, name); !errors.Is(err, want) {
			t.Errorf("%q: %v", name, err)
		}
	}
	other := w.person("mallory")
	if err := w.factors.Rename(t.Context(), actorOf(other), factor, "stolen"); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("of another: %v", err)
	}
	list, err = w.factors.List(t.Context(), u)
	w.must(err)
	if list.TOTPs[0].Name != "Täblet <1>" {
		t.Errorf("name %q", list.TOTPs[0].Name)
	}
}

func TestFactors_AtMost(t *testing.T) {
	w := newFactorWorld(t)
	u, session, _, _ := w.enrolled("alice")
	for range 19 {
		w.app(u, session, "another")
	}
	key, _, sealed, err := w.factors.BeginTOTP(t.Context(), u)
	w.must(err)
	if _, err := w.factors.ConfirmTOTP(t.Context(), actorOf(u), session, "", sealed, w.code(key)); !errors.Is(err, accounts.ErrConflict) {
		t.Errorf("the 21st: %v", err)
	}
	if list, err := w.factors.List(t.Context(), u); err != nil || list.Count() != 20 {
		t.Errorf("%d factors, %v", list.Count(), err)
	}
}
