package accounts_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
)

func TestAssurance(t *testing.T) {
	for amr, want := range map[string]string{
		"":              "aal1",
		"pwd":           "aal1",
		"otp":           "aal1",
		"pop":           "aal1",
		"pop user":      "aal1",
		"pwd mfa":       "aal1",
		"otp mfa":       "aal1",
		"otp pop":       "aal1",
		"user mfa":      "aal1",
		"pwd otp":       "aal2",
		"pwd otp mfa":   "aal2",
		"pwd pop":       "aal2",
		"pop user mfa":  "aal2",
		"pwd otp pop":   "aal2",
		"PWD OTP":       "aal1",
		"pwd device":    "aal1",
		"pwd remember":  "aal1",
		"sms pwd":       "aal1",
		"pop user  mfa": "aal2",
	} {
		if got := accounts.Assurance(strings.Fields(amr)); got != want {
			t.Errorf("%q: %s", amr, got)
		}
	}
	for _, tt := range []struct {
		have, want string
		ok         bool
	}{
		{"aal1", "", true}, {"", "", true}, {"aal1", "aal1", true}, {"aal2", "aal1", true}, {"aal2", "aal2", true},
		{"aal1", "aal2", false}, {"", "aal1", false}, {"", "aal2", false}, {"aal2", "aal3", false}, {"aal3", "aal2", false},
		{"aal3", "aal3", false}, {"x", "x", false},
	} {
		if got := accounts.ACRAtLeast(tt.have, tt.want); got != tt.ok {
			t.Errorf("%q for %q: %t", tt.have, tt.want, got)
		}
	}
}
