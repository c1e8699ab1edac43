package api_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// jtiOf reads the id of an access token.
func (w *world) jtiOf(raw string) string {
	w.Helper()
	claims, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	w.must(err)
	var t struct{ Jti string }
	w.must(json.Unmarshal(claims, &t))
	return t.Jti
}

// singleTokens takes back one access token, by itself or by its jti.
func singleTokens(_ *testing.T, w *world) {
	w.Helper()
	warden := w.operator("warden", accounts.AdminRevocationsWrite)
	ada := w.operator("groupie", accounts.AdminGroupsRead)
	plain := w.bearer(w.person("plain"), "openid")
	machine := w.machine("cron", accounts.AdminUsersRead)
	chosen := w.bearer(w.person("picked"), "openid")
	ask := func(by string, body map[string]any) answer {
		body["kind"] = "token"
		return w.call(by, http.MethodPost, "/revocations", body)
	}
	old := id.New()
	old[1]-- // some years ago
	before := w.newestRow().Position
	for name, tt := range map[string]struct {
		got     answer
		status  int
		problem string
	}{
		"of a superuser":            {ask(warden, map[string]any{"token": w.rootKey}), http.StatusForbidden, "superior"},
		"of who holds more":         {ask(warden, map[string]any{"token": ada}), http.StatusForbidden, "superior"},
		"of a machine with more":    {ask(warden, map[string]any{"token": machine}), http.StatusForbidden, "superior"},
		"a jti, no superuser":       {ask(warden, map[string]any{"key": w.jtiOf(plain)}), http.StatusForbidden, "superuser-only"},
		"neither":                   {ask(w.rootKey, map[string]any{}), http.StatusUnprocessableEntity, "invalid"},
		"no jti":                    {ask(w.rootKey, map[string]any{"key": "x"}), http.StatusUnprocessableEntity, "invalid"},
		"no token":                  {ask(w.rootKey, map[string]any{"token": "a.b.c"}), http.StatusUnprocessableEntity, "invalid"},
		"signed by somebody else":   {ask(w.rootKey, map[string]any{"token": plain[:len(plain)-8] + "AAAAAAAA"}), http.StatusUnprocessableEntity, "invalid"},
		"a jti that is long past":   {ask(w.rootKey, map[string]any{"key": old.String()}), http.StatusNoContent, ""},
		"without the permission":    {ask(ada, map[string]any{"token": plain}), http.StatusForbidden, "forbidden"},
		"both, the token is looked": {ask(warden, map[string]any{"token": w.rootKey, "key": w.jtiOf(plain)}), http.StatusForbidden, "superior"},
	} {
		if tt.got.status != tt.status || tt.got.problem() != tt.problem {
			w.Errorf("%s: %d %s %s", name, tt.got.status, tt.got.problem(), tt.got.raw)
		}
	}
	if row := w.newestRow(); row.Position != before {
		w.Errorf("what was refused left a row: %+v", row)
	}
	for name, tt := range map[string]struct {
		by, token string
		body      map[string]any
		audience  string
	}{
		"a token": {warden, plain, map[string]any{"token": plain}, issuer},
		"a jti":   {w.rootKey, chosen, map[string]any{"key": w.jtiOf(chosen)}, ""},
	} {
		w.want(ask(tt.by, tt.body), http.StatusNoContent, "")
		row := w.newestRow()
		left := time.Duration(row.ExpiresAt-w.now().UnixMilli()) * time.Millisecond
		if row.Kind != revocation.Token || row.Key != w.jtiOf(tt.token) || row.Audience != tt.audience || left < 10*time.Minute ||
			tt.audience == "" && left < accounts.LongestAccessToken {
			w.Errorf("%s: row %+v, for %s", name, row, left)
		}
		if a := w.call(tt.token, http.MethodGet, "/users", nil); a.status != http.StatusUnauthorized {
			w.Errorf("%s lives: %d", name, a.status)
		}
		w.want(ask(tt.by, tt.body), http.StatusNoContent, "")
		if again := w.newestRow(); again.Position != row.Position {
			w.Errorf("%s: a second row: %s", name, fmt.Sprint(again))
		}
	}
}

// revocationBudget: who revokes token after token is stopped after a hundred; what each
// of them writes is a row that every resource server reads (L26).
func revocationBudget(t *testing.T, w *world) {
	loop := w.register(accounts.Registration{Name: "loop", Type: accounts.MachineClient, Permissions: []string{accounts.AdminRevocationsWrite}})
	mint := func() string { return w.machineToken(loop, accounts.AdminRevocationsWrite) }
	own, spare := mint(), mint()
	by := audit.Actor{Kind: audit.Client, ID: loop.ClientID}
	for range 99 {
		w.must(w.admin.Protocol.SpendRevocation(t.Context(), by))
	}
	w.want(w.call(own, http.MethodPost, "/revocations", map[string]any{"kind": "token", "token": spare}), http.StatusNoContent, "")
	before := w.newestRow().Position
	a := w.want(w.call(own, http.MethodPost, "/revocations", map[string]any{"kind": "token", "token": mint()}), http.StatusTooManyRequests, "too-many-requests")
	if wait := a.header.Get("Retry-After"); wait != "1" {
		t.Errorf("Retry-After %q", wait)
	}
	if row := w.newestRow(); row.Position != before {
		t.Errorf("what was refused left a row: %+v", row)
	}
}
