package accounts_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// oneOfEach is somebody's list of factors, with all that is secret of them.
type oneOfEach struct{}

func (oneOfEach) List(context.Context, *accounts.User) (*accounts.FactorList, error) {
	return &accounts.FactorList{
		Passkeys:      []accounts.Passkey{{Name: "My key", CredentialID: []byte("credential-secret"), Credential: `{"k":"credential-secret"}`, CreatedAt: 1}},
		TOTPs:         []accounts.TOTP{{Name: "My app", Sealed: []byte("sealed-secret"), CreatedAt: 1, LastUsedAt: 2}},
		Devices:       []accounts.RememberedDevice{{UserAgent: "A browser", Address: "192.0.2.1", TokenHash: []byte("token-secret"), Binding: []byte("binding-secret"), CreatedAt: 1, ExpiresAt: 3}},
		RecoveryCodes: 7,
	}, nil
}

func (w *world) export() *accounts.Export {
	return &accounts.Export{Journal: w.users.Journal, Store: w.db, Events: w.db, Factors: oneOfEach{}, Pictures: w.db}
}

func TestExport(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	u := w.user("ada")
	_, s := w.session(u)
	w.grant(u, w.client("app"), s, true)
	w.must(w.db.PutPicture(ctx, &accounts.Picture{UserID: u.ID, Name: "n", Type: "image/png", Data: []byte("pixels")}))
	_, err := w.groups.Create(ctx, operator(), "Editors", "")
	w.must(err)
	w.must(w.groups.AddMember(ctx, operator(), "Editors", u.Subject, 0))
	origin := audit.WithOrigin(ctx, audit.Origin{Address: "203.0.113.1"})
	for range 1234 {
		w.must(w.db.WriteAudit(origin, audit.Event{
			Actor: audit.Actor{Kind: audit.System, ID: "sign-in"}, Action: "user.sign_in.refuse", TargetKind: "user", TargetID: u.Subject,
		}))
	}
	w.must(w.db.WriteAudit(origin, audit.Event{
		Actor: audit.Actor{Kind: audit.Person, ID: "the-admin", Name: "the-admin"}, Action: "user.staff.grant", TargetKind: "user", TargetID: u.Subject,
	}))
	var out bytes.Buffer
	w.must(w.export().Write(ctx, operator(), u, &out))
	var got struct {
		Events  []struct{ At, Action, By, Address string }
		Groups  []string
		Picture struct{ Data []byte }
		Factors struct {
			Factors []struct{ Kind, Name string }
			Left    int `json:"recovery_codes_left"`
		}
	}
	w.must(json.Unmarshal(out.Bytes(), &got))
	refused := 0
	for _, e := range got.Events {
		switch e.Action {
		case "user.sign_in.refuse":
			refused++
			if e.Address != "203.0.113.1" {
				t.Fatalf("where a stranger came from: %+v", e)
			}
		case "user.staff.grant":
			if e.By != "person" || e.Address != "" {
				t.Errorf("of an administrator: %+v", e)
			}
		}
	}
	if refused != 1234 || got.Events[0].Action != "user.export" || len(got.Groups) != 1 || string(got.Picture.Data) != "pixels" || got.Factors.Left != 7 || len(got.Factors.Factors) != 2 {
		t.Errorf("%d refused, first %+v, groups %v, factors %+v", refused, got.Events[0], got.Groups, got.Factors)
	}
	for _, hidden := range []string{"-secret", "the-admin", "Y3JlZGVudGlhbC1zZWNyZXQ", "c2VhbGVk"} {
		if strings.Contains(out.String(), hidden) {
			t.Errorf("%q is in the file", hidden)
		}
	}
}

// full is a writer that takes only so much.
type full struct{ left int }

func (f *full) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errors.New("gone")
	}
	return len(p), nil
}

// A reader that goes away ends the work, wherever it has come to.
func TestExport_ReaderGone(t *testing.T) {
	w := newWorld(t)
	u := w.user("ada")
	for left := range 60 {
		if err := w.export().Write(t.Context(), operator(), u, &full{left: left * 20}); err == nil && left < 30 {
			t.Errorf("%d bytes were enough", left*20)
		}
	}
}
