package passkey_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	virtual "github.com/descope/virtualwebauthn"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// Attack 216: a challenge answers one question, once, in time, to whom it was put.
func TestAttack_216_Challenge(t *testing.T) {
	w := newWorld(t)
	u, d, session := w.enrolled("alice")
	bob, bobs, _ := w.enrolled("bob")
	passkey := func(pending, ceremony string, response []byte) error {
		_, err := w.signIns.Passkey(t.Context(), pending, ceremony, response, accounts.Meta{}, false)
		return err
	}
	ask := func(pending string) ([]byte, string) {
		options, ceremony, err := w.signIns.PasskeyOptions(t.Context(), pending)
		must(t, err)
		return options, ceremony
	}
	options, ceremony := ask("")
	must(t, passkey("", ceremony, d.answer(t, options)))
	if err := passkey("", ceremony, d.answer(t, options)); !errors.Is(err, accounts.ErrPasskey) {
		t.Errorf("a second time: %v", err)
	}
	// A wrong answer spends it as well.
	options, ceremony = ask("")
	if err := passkey("", ceremony, []byte("{}")); !errors.Is(err, accounts.ErrPasskey) {
		t.Errorf("nonsense: %v", err)
	}
	if err := passkey("", ceremony, d.answer(t, options)); !errors.Is(err, accounts.ErrPasskey) {
		t.Errorf("after nonsense: %v", err)
	}
	options, ceremony = ask("")
	w.pass(5 * time.Minute)
	if err := passkey("", ceremony, d.answer(t, options)); !errors.Is(err, accounts.ErrPasskey) {
		t.Errorf("after five minutes: %v", err)
	}
	one, two := w.password(u).Pending, w.password(u).Pending
	options, ceremony = ask(one)
	for name, pending := range map[string]string{"another pending sign-in": two, "none": "", "that of another": w.password(bob).Pending} {
		if err := passkey(pending, ceremony, d.answer(t, options)); !errors.Is(err, accounts.ErrPasskey) {
			t.Errorf("for %s: %v", name, err)
		}
	}
	must(t, passkey(one, ceremony, d.answer(t, options))) // nobody could spend it
	// Questions for a new passkey and for one that exists are not the same.
	creation, made, err := w.factors.BeginPasskey(t.Context(), u)
	must(t, err)
	if err := passkey("", made, d.answer(t, creation)); !errors.Is(err, accounts.ErrPasskey) {
		t.Errorf("a creation for a sign-in: %v", err)
	}
	options, ceremony = ask("")
	fresh := newDevice(u)
	for name, tt := range map[string]struct {
		ceremony string
		response []byte
	}{
		"a sign-in for a creation": {ceremony, fresh.create(t, creation)},
		"an answer of the other":   {made, d.answer(t, creation)},
	} {
		if _, err := w.factors.FinishPasskey(t.Context(), actorOf(u), session, tt.ceremony, "", tt.response); !errors.Is(err, accounts.ErrPasskey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Nobody adds their passkey to somebody else's account, or the other way round.
	theirs := w.password(bob)
	creation, made, err = w.factors.BeginPasskey(t.Context(), u)
	must(t, err)
	p, err := w.signIn(theirs.Pending, func(options []byte) []byte { return bobs.answer(t, options) })
	must(t, err)
	if _, err := w.factors.FinishPasskey(t.Context(), actorOf(bob), p.Session, made, "", fresh.create(t, creation)); !errors.Is(err, accounts.ErrPasskey) {
		t.Errorf("the creation of another: %v", err)
	}
	for _, text := range []string{"", "x", ceremony + "\n", ceremony[1:], ceremony + "A", strings.Repeat("A", 1<<20)} {
		if err := passkey("", text, d.answer(t, options)); !errors.Is(err, accounts.ErrPasskey) {
			t.Errorf("%.10q: %v", text, err)
		}
	}
	must(t, passkey("", ceremony, d.answer(t, options)))
}

// Attack 216: of all who come with one answer, one is let in.
func TestAttack_216_Race(t *testing.T) {
	w := newWorld(t)
	_, d, _ := w.enrolled("alice")
	options, ceremony, err := w.signIns.PasskeyOptions(t.Context(), "")
	must(t, err)
	response := d.answer(t, options)
	var wins atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, err := w.signIns.Passkey(t.Context(), "", ceremony, response, accounts.Meta{}, false)
			if err == nil {
				wins.Add(1)
			} else if !errors.Is(err, accounts.ErrPasskey) {
				t.Errorf("loser: %v", err)
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1 {
		t.Errorf("%d sessions of one answer", wins.Load())
	}
}

// Attack 217: only the issuer's origin counts, to the letter, and in no frame.
func TestAttack_217_Origin(t *testing.T) {
	w := newWorld(t)
	_, d, _ := w.enrolled("alice")
	client := func(name string, value any) func(map[string]any) {
		return func(c map[string]any) { c[name] = value }
	}
	for name, change := range map[string]func(map[string]any){
		"suffix":             client("origin", "https://login.example.com.evil:8443"),
		"other port":         client("origin", "https://login.example.com"),
		"http":               client("origin", "http://login.example.com:8443"),
		"upper case":         client("origin", "https://LOGIN.example.com:8443"),
		"slash":              client("origin", issuer+"/"),
		"subdomain":          client("origin", "https://x.login.example.com:8443"),
		"parent":             client("origin", "https://example.com:8443"),
		"user":               client("origin", "https://login.example.com:8443@evil.example"),
		"null":               client("origin", "null"),
		"empty":              client("origin", ""),
		"list":               client("origin", []string{issuer}),
		"app":                client("origin", "android:apk-key-hash:x"),
		"cross-origin":       client("crossOrigin", true),
		"top origin":         client("topOrigin", "https://evil.example"),
		"cross with our top": func(c map[string]any) { c["crossOrigin"], c["topOrigin"] = true, issuer },
		"creation":           client("type", "webauthn.create"),
		"payment":            client("type", "payment.get"),
		"other challenge":    client("challenge", base64.RawURLEncoding.EncodeToString(make([]byte, 32))),
		"no challenge":       client("challenge", ""),
	} {
		_, err := w.signIn("", func(options []byte) []byte { return d.forge(t, d.answer(t, options), change, nil) })
		if !errors.Is(err, accounts.ErrPasskey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, rp := range []string{"example.com", "login.example.com.evil", "LOGIN.example.com", ""} {
		d.rp.ID = rp
		if _, err := w.signIn("", func(options []byte) []byte { return d.answer(t, options) }); !errors.Is(err, accounts.ErrPasskey) {
			t.Errorf("RP ID %q: %v", rp, err)
		}
	}
	d.rp.ID = "login.example.com"
	if _, err := w.signIn("", func(options []byte) []byte {
		return d.forge(t, d.answer(t, options), client("crossOrigin", false), nil)
	}); err != nil {
		t.Errorf("as it should be: %v", err)
	}
	// A new passkey from elsewhere neither.
	u, _, session := w.enrolled("bob")
	fresh := newDevice(u)
	for _, origin := range []string{"https://login.example.com.evil:8443", "http://login.example.com:8443"} {
		fresh.rp.Origin = origin
		if _, err := w.enrol(u, session, fresh); !errors.Is(err, accounts.ErrPasskey) {
			t.Errorf("creation at %s: %v", origin, err)
		}
	}
}

// Attack 218: presence, verification and the flags of backup.
func TestAttack_218_Flags(t *testing.T) {
	w := newWorld(t)
	u, d, session := w.enrolled("alice")
	const up, uv, be, bs = 1, 1 << 2, 1 << 3, 1 << 4
	flags := func(f byte) func([]byte) []byte {
		return func(data []byte) []byte { data[32] = f; return data }
	}
	for name, f := range map[string]byte{"not verified": up, "not present": uv, "neither": 0, "backed up, not eligible": up | uv | bs, "eligible now": up | uv | be} {
		_, err := w.signIn("", func(options []byte) []byte { return d.forge(t, d.answer(t, options), nil, flags(f)) })
		if !errors.Is(err, accounts.ErrPasskey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// As a second factor it must at least be present.
	_, err := w.signIn(w.password(u).Pending, func(options []byte) []byte { return d.forge(t, d.answer(t, options), nil, flags(uv)) })
	if !errors.Is(err, accounts.ErrPasskey) {
		t.Errorf("second factor, not present: %v", err)
	}
	if _, err := w.signIn("", func(options []byte) []byte { return d.forge(t, d.answer(t, options), nil, flags(up|uv)) }); err != nil {
		t.Errorf("as it should be: %v", err)
	}
	for name, options := range map[string]virtual.AuthenticatorOptions{
		"not verified": {UserNotVerified: true}, "not present": {UserNotPresent: true}, "backed up, not eligible": {BackupState: true},
	} {
		fresh := newDevice(u)
		options.UserHandle, fresh.Options = u.ID[:], options
		if _, err := w.enrol(u, session, fresh); !errors.Is(err, accounts.ErrPasskey) {
			t.Errorf("creation, %s: %v", name, err)
		}
	}
	synced := newDevice(u)
	synced.Options.BackupEligible, synced.Options.BackupState = true, true
	_, err = w.enrol(u, session, synced)
	must(t, err)
	if _, err := w.signIn("", func(options []byte) []byte { return synced.answer(t, options) }); err != nil {
		t.Errorf("a synchronized passkey: %v", err)
	}
}

// Attack 219: a counter that goes back is told and recorded, and lets in; one that
// does not count is nothing.
func TestAttack_219_Counter(t *testing.T) {
	w := newWorld(t)
	u, d, _ := w.enrolled("alice")
	for _, tt := range []struct {
		counter uint32
		stored  int64
		risk    bool
	}{{0, 0, false}, {0, 0, false}, {5, 5, false}, {6, 6, false}, {6, 6, true}, {3, 6, true}, {0, 6, true}, {7, 7, false}} {
		d.key.Counter = tt.counter
		w.log.Reset()
		before := len(w.events(1000))
		if _, err := w.signIn("", func(options []byte) []byte { return d.answer(t, options) }); err != nil {
			t.Fatalf("counter %d: %v", tt.counter, err)
		}
		events := w.events(1000)
		if risk := slices.Contains(events[:len(events)-before], "user.passkey.regress"); risk != tt.risk {
			t.Errorf("counter %d: risk %t", tt.counter, risk)
		}
		if logged := strings.Contains(w.log.String(), "signature counter"); logged != tt.risk {
			t.Errorf("counter %d: logged %t", tt.counter, logged)
		}
		list, err := w.factors.List(t.Context(), u)
		must(t, err)
		if got := list.Passkeys[0].SignCount; got != tt.stored {
			t.Errorf("counter %d: stored %d", tt.counter, got)
		}
	}
}

// Attack 220: whose a passkey is.
func TestAttack_220_Credentials(t *testing.T) {
	w := newWorld(t)
	u, d, session := w.enrolled("alice")
	if _, err := w.enrol(u, session, d); !errors.Is(err, accounts.ErrConflict) {
		t.Errorf("registered twice: %v", err)
	}
	mallory := w.person("mallory")
	theirs := w.password(mallory).Session
	stolen := *d
	stolen.Options.UserHandle = mallory.ID[:]
	if _, err := w.enrol(mallory, theirs, &stolen); !errors.Is(err, accounts.ErrConflict) {
		t.Errorf("registered to another: %v", err)
	}
	if list, err := w.factors.List(t.Context(), mallory); err != nil || list.Count() != 0 {
		t.Errorf("%d factors, %v", list.Count(), err)
	}
	for name, handle := range map[string][]byte{"another's": mallory.ID[:], "none": nil, "long": bytes.Repeat([]byte{1}, 65), "prefix": u.ID[:15]} {
		stolen := *d
		stolen.Options.UserHandle = handle
		if _, err := w.signIn("", func(options []byte) []byte { return stolen.answer(t, options) }); !errors.Is(err, accounts.ErrPasskey) {
			t.Errorf("user handle %s: %v", name, err)
		}
	}
	for length, want := range map[int]error{1023: nil, 1024: accounts.ErrPasskey, 0: accounts.ErrPasskey, 8000: accounts.ErrPasskey} {
		fresh := newDevice(u)
		fresh.key.ID = bytes.Repeat([]byte{7}, length)
		if _, err := w.enrol(u, session, fresh); !errors.Is(err, want) {
			t.Errorf("an id of %d bytes: %v", length, err)
		}
	}
	// Another key than the one that was registered.
	other := newDevice(u)
	other.key.ID = d.key.ID
	if _, err := w.signIn("", func(options []byte) []byte { return other.answer(t, options) }); !errors.Is(err, accounts.ErrPasskey) {
		t.Errorf("another key: %v", err)
	}
	// An algorithm that was not offered; and one that was, made the same way.
	for curve, want := range map[elliptic.Curve]error{elliptic.P256(): nil, elliptic.P384(): accounts.ErrPasskey} {
		options, ceremony, err := w.factors.BeginPasskey(t.Context(), u)
		must(t, err)
		_, err = w.factors.FinishPasskey(t.Context(), actorOf(u), session, ceremony, "Key", bare(t, options, curve))
		if !errors.Is(err, want) {
			t.Errorf("%s: %v", curve.Params().Name, err)
		}
	}
}

// bare is a new passkey of a curve without attestation, as browsers send it.
func bare(t *testing.T, options []byte, curve elliptic.Curve) []byte {
	t.Helper()
	parsed, err := virtual.ParseAttestationOptions(string(options))
	must(t, err)
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	must(t, err)
	size := curve.Params().BitSize / 8
	public, err := key.PublicKey.Bytes() // 4, x, y
	must(t, err)
	cose := []byte{0xa5, 1, 2, 3, 0x26, 0x20, 1} // EC2, ES256, P-256 (RFC 9053 §2.1)
	if size == 48 {
		cose = []byte{0xa5, 1, 2, 3, 0x38, 34, 0x20, 2} // ES384, P-384
	}
	cose = append(append(cose, 0x21, 0x58, byte(size)), public[1:1+size]...)
	cose = append(append(cose, 0x22, 0x58, byte(size)), public[1+size:]...)
	rp := sha256.Sum256([]byte("login.example.com"))
	data := append(rp[:], 0x45, 0, 0, 0, 0)
	data = append(data, make([]byte, 16)...)
	credentialID := []byte("credential " + curve.Params().Name)
	data = binary.BigEndian.AppendUint16(data, uint16(len(credentialID)))
	data = append(append(data, credentialID...), cose...)
	object := append([]byte("\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59"), byte(len(data)>>8), byte(len(data)))
	object = append(object, data...)
	client, err := json.Marshal(map[string]any{
		"type": "webauthn.create", "challenge": base64.RawURLEncoding.EncodeToString(parsed.Challenge), "origin": issuer,
	})
	must(t, err)
	text := base64.RawURLEncoding.EncodeToString
	response, err := json.Marshal(map[string]any{
		"id": text(credentialID), "rawId": text(credentialID), "type": "public-key",
		"response":               map[string]any{"attestationObject": text(object), "clientDataJSON": text(client)},
		"clientExtensionResults": map[string]any{"credProps": map[string]any{"rk": true}},
	})
	must(t, err)
	return response
}

// Attack 224: what is malformed or too large is refused, and cheaply.
func TestAttack_224_Malformed(t *testing.T) {
	w := newWorld(t)
	u, d, session := w.enrolled("alice")
	options, _, err := w.factors.BeginPasskey(t.Context(), u)
	must(t, err)
	good := newDevice(u).create(t, options)
	var parsed map[string]any
	must(t, json.Unmarshal(good, &parsed))
	with := func(object []byte) []byte {
		changed := maps.Clone(parsed)
		said, _ := parsed["response"].(map[string]any)
		said = maps.Clone(said)
		said["attestationObject"] = base64.RawURLEncoding.EncodeToString(object)
		changed["response"] = said
		b, err := json.Marshal(changed)
		must(t, err)
		return b
	}
	nested := append(bytes.Repeat([]byte{0x81}, 5000), 0)
	huge := []byte{0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff} // an array of 2^63 entries
	for name, response := range map[string][]byte{
		"nothing": nil, "no JSON": []byte("x"), "a list": []byte("[]"), "null": []byte("null"), "empty": []byte("{}"),
		"trailing": append(bytes.Clone(good), '{'), "nested": with(nested), "huge array": with(huge), "huge string": with([]byte{0x7b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}),
		"endless": with([]byte{0x9f}), "no CBOR": with([]byte("{}")), "16 KiB and one": bytes.Repeat([]byte(" "), 16<<10+1),
		"10 MB": append(bytes.Repeat([]byte(" "), 10<<20), good...), "deep JSON": []byte(strings.Repeat("[", 15000)),
	} {
		_, ceremony, err := w.factors.BeginPasskey(t.Context(), u)
		must(t, err)
		if _, err := w.factors.FinishPasskey(t.Context(), actorOf(u), session, ceremony, "", response); !errors.Is(err, accounts.ErrPasskey) {
			t.Errorf("creation, %s: %v", name, err)
		}
		if _, err := w.signIn("", func([]byte) []byte { return response }); !errors.Is(err, accounts.ErrPasskey) {
			t.Errorf("sign-in, %s: %v", name, err)
		}
	}
	if _, err := w.signIn("", func(options []byte) []byte {
		return d.forge(t, d.answer(t, options), nil, func(data []byte) []byte { return append(data, 0) })
	}); !errors.Is(err, accounts.ErrPasskey) {
		t.Errorf("authenticator data with a rest: %v", err)
	}
}

// Attack 213: of a deleted account no passkey, pending sign-in or question is left,
// and who takes its name gets none of it.
func TestAttack_213_Deleted(t *testing.T) {
	w := newWorld(t)
	u, d, _ := w.enrolled("alice")
	pending := w.password(u).Pending
	asked, second, err := w.signIns.PasskeyOptions(t.Context(), pending)
	must(t, err)
	options, alone, err := w.signIns.PasskeyOptions(t.Context(), "")
	must(t, err)
	must(t, w.users.Delete(t.Context(), audit.Actor{Kind: audit.CommandLine, ID: "root"}, u.Subject))
	heir := w.person("alice")
	var unknown *accounts.UnknownPasskey
	if _, err := w.signIns.Passkey(t.Context(), "", alone, d.answer(t, options), accounts.Meta{}, false); !errors.As(err, &unknown) {
		t.Errorf("alone: %v", err)
	}
	if _, err := w.signIns.Passkey(t.Context(), pending, second, d.answer(t, asked), accounts.Meta{}, false); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("second factor: %v", err)
	}
	if list, err := w.factors.List(t.Context(), heir); err != nil || list.Count() != 0 || list.RecoveryCodes != 0 || heir.ID == u.ID {
		t.Errorf("the heir has %+v, %v", list, err)
	}
}
