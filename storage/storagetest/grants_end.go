package storagetest

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/revocation"
)

func codesEnd(t *testing.T, w *World) {
	for name, filter := range map[string]func(gid id.ID) accounts.GrantFilter{
		"grant":  func(gid id.ID) accounts.GrantFilter { return accounts.GrantFilter{GrantID: gid} },
		"user":   func(id.ID) accounts.GrantFilter { return accounts.GrantFilter{UserID: w.User.ID} },
		"client": func(id.ID) accounts.GrantFilter { return accounts.GrantFilter{ClientID: w.Client.ID} },
		"sessions": func(id.ID) accounts.GrantFilter {
			return accounts.GrantFilter{SessionIDs: []id.ID{w.Session.ID}, SessionBound: true}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := w.Code("openid offline_access")
			mustInsert(t, w, c)
			ended, err := w.EndGrants(t.Context(), filter(c.GrantID), w.At, "test")
			if err != nil || !cmp.Equal(ended, []id.ID{c.GrantID}) {
				t.Fatalf("ended %v, %v; want the code's grant", ended, err)
			}
			code, grant, _, err := w.CodeStanding(t.Context(), c.GrantID, w.At)
			if err != nil || code != nil {
				t.Errorf("code = %v, %v; want it thrown away", code, err)
			}
			if grant == nil || grant.EndedAt != w.At || grant.EndReason != "test" {
				t.Errorf("what remains under the code's id: %+v", grant)
			}
		})
	}
}

func endedGrantStays(t *testing.T, w *World) {
	c, g := w.Code("openid"), w.Grant("openid")
	g.ID, g.EndedAt, g.EndReason = c.GrantID, w.At-9, "first"
	mustInsert(t, w, c)
	mustRedeem(t, w, g)
	ended, err := w.EndGrants(t.Context(), accounts.GrantFilter{UserID: w.User.ID}, w.At, "second")
	if err != nil || len(ended) != 0 {
		t.Errorf("ended again: %v, %v", ended, err)
	}
	got, err := w.GrantByID(t.Context(), g.ID)
	if err != nil || got.EndedAt != w.At-9 || got.EndReason != "first" {
		t.Errorf("grant = %+v, %v", got, err)
	}
}

func endedCodeCannotBeRedeemed(t *testing.T, w *World) {
	c := w.Code("openid")
	mustInsert(t, w, c)
	if _, err := w.EndGrants(t.Context(), accounts.GrantFilter{UserID: w.User.ID}, w.At, "test"); err != nil {
		t.Fatal(err)
	}
	// The redemption read the code before it was thrown away.
	g := w.Grant("openid")
	g.ID = c.GrantID
	if ok, err := w.RedeemCode(t.Context(), g); ok || err != nil {
		t.Errorf("redemption after the end: %v, %v", ok, err)
	}
	mustRotate(t, w, rotationOf(g), false)
}

func offlineGrantsOutlive(t *testing.T, w *World) {
	bound, offline := w.Grant("openid"), w.Grant("openid offline_access")
	offline.Offline = true
	// The codes of both are still there.
	for _, g := range []id.ID{bound.ID, offline.ID} {
		c := w.Code("openid offline_access")
		c.GrantID = g
		mustInsert(t, w, c)
	}
	mustRedeem(t, w, bound)
	mustRedeem(t, w, offline)
	f := accounts.GrantFilter{SessionIDs: []id.ID{w.Session.ID}, SessionBound: true}
	ended, err := w.EndGrants(t.Context(), f, w.At, "sign-out")
	if err != nil || !cmp.Equal(ended, []id.ID{bound.ID}) {
		t.Fatalf("ended %v, %v; want %v", ended, err, bound.ID)
	}
	mustRotate(t, w, rotationOf(offline), true)
	f.SessionBound = false
	ended, err = w.EndGrants(t.Context(), f, w.At, "ban")
	if err != nil || !cmp.Equal(ended, []id.ID{offline.ID}) {
		t.Fatalf("ended %v, %v; want %v", ended, err, offline.ID)
	}
}

func rolledBackEnd(t *testing.T, w *World) {
	g := w.Grant("openid")
	mustRedeem(t, w, g)
	c := w.Code("openid")
	mustInsert(t, w, c)
	failure := errors.New("a later statement failed")
	err := w.InTx(t.Context(), func(ctx context.Context) error {
		ended, err := w.EndGrants(ctx, accounts.GrantFilter{UserID: w.User.ID}, w.At, "test")
		if err != nil || len(ended) != 2 {
			t.Errorf("ended %v, %v", ended, err)
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Fatal(err)
	}
	code, _, _, err := w.CodeStanding(t.Context(), c.GrantID, w.At)
	if err != nil || code == nil {
		t.Errorf("the code is gone: %v", err)
	}
	mustRotate(t, w, rotationOf(g), true)
}

func consentReplaced(t *testing.T, w *World) {
	if _, err := w.ConsentOf(t.Context(), w.User.ID, w.Client.ID); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("a consent that nobody gave: %v", err)
	}
	first := w.Consent("openid posts:add")
	first.Asked = append(first.Asked, "posts:delete")
	put := func(k *accounts.Consent) {
		t.Helper()
		if err := w.PutConsent(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	put(first)
	stamp := revocation.Stamp{Subject: revocation.ConsentValidFrom, ID: w.User.Subject + " " + w.Client.ClientID}
	if err := w.InTx(t.Context(), func(ctx context.Context) error { return w.Stamp(ctx, stamp) }); err != nil {
		t.Fatal(err)
	}
	stamped, err := w.ConsentOf(t.Context(), w.User.ID, w.Client.ID)
	if err != nil || stamped.ValidFrom == 0 {
		t.Fatalf("consent = %+v, %v; want a stamp", stamped, err)
	}
	second := w.Consent("openid")
	second.GrantedAt, second.UpdatedAt, second.RevokedAt, second.ExpiresAt = w.At+1, w.At+2, w.At+3, w.At+4
	put(second)
	got, err := w.ConsentOf(t.Context(), w.User.ID, w.Client.ID)
	if err != nil {
		t.Fatal(err)
	}
	second.ValidFrom = stamped.ValidFrom
	if diff := cmp.Diff(second, got); diff != "" {
		t.Errorf("consent (-want +got):\n%s", diff)
	}
	lost := w.Consent("openid")
	lost.UserID = id.New()
	if err := w.PutConsent(t.Context(), lost); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("consent of nobody: %v", err)
	}
}
