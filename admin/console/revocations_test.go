package console_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// reader takes one token apart, the one with two dots.
type reader struct {
	admin.Protocol
	token admin.ReadToken
	spent bool
}

func (r *reader) Read(_ context.Context, raw string) (*admin.ReadToken, error) {
	if raw != "the.whole.token" {
		return &admin.ReadToken{}, nil
	}
	return &r.token, nil
}

func (r *reader) SpendRevocation(context.Context, audit.Actor) error {
	if r.spent {
		return &accounts.Throttled{Wait: 1500 * time.Millisecond}
	}
	return nil
}

// TestRevokeToken: one access token is taken back, by itself or by its jti.
func TestRevokeToken(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	o.admin.Tokens = &accounts.Tokens{Journal: o.admin.Users.Journal, Revocations: o.db}
	root := o.clerk(o.person(accounts.NewUser{Username: "root", Superuser: true, Staff: true}))
	ada := o.person(accounts.NewUser{Username: "ada"})
	whole, known := id.New().String(), id.New().String()
	protocol := &reader{token: admin.ReadToken{
		Signed: true, Access: true, Audience: officeAPI, ExpiresAt: time.Now().Add(time.Minute).Unix(),
		Keys: revocation.Keys{ID: whole, Subject: ada.Subject, GrantID: id.New().String(), ClientID: "app", Scopes: []string{"openid"}},
	}}
	o.admin.Protocol = protocol
	page := root.get("revocations").sees(http.StatusOK, "Revoke one access token", "Where you know only its id")
	root.post(page, "action=token", url.Values{"token": {" the.whole.token\n"}}).sees(http.StatusOK, "Revoked", whole)
	root.post(page, "action=token", url.Values{"token": {known}}).sees(http.StatusOK, "Revoked", known)
	root.post(page, "action=token", url.Values{"token": {"another.whole.token"}}).sees(http.StatusOK, "no access token of this deployment")
	root.post(page, "action=token", url.Values{"token": {"nonsense"}}).sees(http.StatusOK, "jti")
	protocol.spent = true
	root.post(page, "action=token", url.Values{"token": {id.New().String()}}).sees(http.StatusOK, "Wait 2 s")
	protocol.spent = false
	if diff := cmp.Diff([]string{whole, known}, o.rows(revocation.Token)); diff != "" {
		t.Error(diff)
	}

	warden := o.clerk(o.person(accounts.NewUser{Username: "warden", Staff: true}, accounts.AdminRevocationsRead, accounts.AdminRevocationsWrite))
	page = warden.get("revocations").sees(http.StatusOK, "Revoke one access token", "!Where you know only its id", "!Revoke every token")
	warden.post(page, "action=token", url.Values{"token": {id.New().String()}}).sees(http.StatusOK, "superuser")
	watcher := o.clerk(o.person(accounts.NewUser{Username: "watcher", Staff: true}, accounts.AdminRevocationsRead))
	watcher.get("revocations").sees(http.StatusOK, whole, "!Revoke one access token")
}

// TestAuditThrough: whoever acted by the token of an app is told with it.
func TestAuditThrough(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	boss := o.person(accounts.NewUser{Username: "boss", Superuser: true, Staff: true})
	ctx := audit.WithOrigin(t.Context(), audit.Origin{Address: "192.0.2.1"})
	audit.Through(ctx, "robot-client", "")
	_, err := o.admin.Groups.Create(ctx, audit.Actor{Kind: audit.Person, ID: boss.Subject, Name: "boss"}, "Made by token", "")
	o.must(err)
	o.clerk(boss).get("audit?q=Made+by+token").sees(http.StatusOK, "person 192.0.2.1 via robot-client")
}
