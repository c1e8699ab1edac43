package accounts_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// changed is a text with another letter at a place.
func changed(s string, at int) string {
	b := []byte(s)
	if b[at] = 'B'; s[at] == 'B' {
		b[at] = 'C'
	}
	return string(b)
}

func TestSignIns_RememberedDevice(t *testing.T) {
	w := newFactorWorld(t)
	u, session, key, _ := w.enrolled("alice")
	remember := func() string {
		t.Helper()
		w.pass(30 * time.Second)
		p, err := w.signIns.Code(t.Context(), w.signIn(u, "").Pending, w.code(key), meta("192.0.2.1"), true)
		w.must(err)
		session = p.Session
		return p.Device
	}
	spared := func(device string) bool {
		t.Helper()
		p := w.signIn(u, device)
		if p.Session != nil && p.Session.ACR != accounts.ACRPassword {
			t.Errorf("a remembered browser reaches %s", p.Session.ACR)
		}
		return p.Session != nil
	}
	device := remember()
	if !spared(device) {
		t.Fatal("a remembered browser is asked")
	}
	bob, _, _, _ := w.enrolled("bob")
	if p := w.signIn(bob, device); p.Session != nil {
		t.Error("the browser of another spares the second factor")
	}
	for _, bad := range []string{device[:len(device)-1], device + "A", changed(device, 3), changed(device, 40), device[:63] + "!", strings.Repeat("\n", 64)} {
		if spared(bad) {
			t.Errorf("%q spares the second factor", bad)
		}
	}
	list, err := w.factors.List(t.Context(), u)
	w.must(err)
	if len(list.Devices) != 1 || list.Devices[0].UserAgent != "Mozilla/5.0" {
		t.Errorf("devices %+v", list.Devices)
	}
	// It does not lower what this browser has reached (attack 223).
	if p := w.signInOver(u, device, session.ID); p.Session != nil {
		t.Error("a session of two factors was replaced by one of one")
	}
	for _, tt := range []struct {
		name string
		end  func()
	}{
		{"forgotten", func() { w.must(w.factors.ForgetDevices(t.Context(), actorOf(u), u)) }},
		{"a password reset", func() { w.must(w.users.SetPassword(t.Context(), operator(), u.Subject, password)) }},
		{"signed out everywhere", func() { w.must(w.users.SignOutEverywhere(t.Context(), operator(), u.Subject)) }},
		{"30 days", func() { w.pass(30 * 24 * time.Hour) }},
		{"a factor change", func() { w.app(u, session, "another") }},
		{"a group's demand", func() {
			_, err := w.groups.Create(t.Context(), operator(), "Staff", "")
			w.must(err)
			w.must(w.groups.AddMember(t.Context(), operator(), "Staff", u.Subject, 0))
			w.must(w.groups.SetSecondFactor(t.Context(), operator(), "staff", true))
		}},
	} {
		device := remember()
		tt.end()
		if spared(device) {
			t.Errorf("%s: the browser is still remembered", tt.name)
		}
	}
	u, err = w.db.UserBySubject(t.Context(), u.Subject)
	w.must(err)
	if list, err = w.factors.List(t.Context(), u); err != nil || len(list.Devices) != 1 {
		t.Errorf("devices %+v, %v", list.Devices, err)
	}
}
