package signals

import (
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// TestFactorSignals: who follows a person's credentials hears of second factors.
func TestFactorSignals(t *testing.T) {
	for _, tt := range []struct {
		kind                   accounts.SignalKind
		own                    bool
		credential, change, by string
	}{
		{accounts.SignalPasskeyAdded, true, "fido2-platform", "create", "user"},
		{accounts.SignalPasskeyRemoved, true, "fido2-platform", "delete", "user"},
		{accounts.SignalTOTPAdded, true, "app", "create", "user"},
		{accounts.SignalTOTPRemoved, false, "app", "delete", "admin"},
	} {
		o, ok := occurrenceOf(accounts.Signal{Kind: tt.kind, Subject: "sub", At: 5000, Own: tt.own}, "txn")
		body, isEvent := o.body.(caep)
		if !ok || !isEvent || o.typ != typeCredentialChange || o.subject.Sub != "sub" {
			t.Fatalf("%s: %+v %v", tt.kind, o, ok)
		}
		if body.CredentialType != tt.credential || body.ChangeType != tt.change || body.Initiator != tt.by || body.Timestamp != 5 {
			t.Errorf("%s: %+v", tt.kind, body)
		}
	}
	if _, ok := occurrenceOf(accounts.Signal{Kind: "something newer"}, "txn"); ok {
		t.Error("an unknown signal was told")
	}
}
