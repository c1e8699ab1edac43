package accounts

import (
	"encoding/base64"
	"strings"
	"testing"
)

// Each token has one text, and what people type as a code is 8 digits or none.
func FuzzProofTexts(f *testing.F) {
	for _, s := range []string{
		"", "gh_mail_", proofPrefix + strings.Repeat("A", 64), proofPrefix + strings.Repeat("_", 64), proofPrefix + strings.Repeat("A", 63) + "=",
		proofPrefix + strings.Repeat("A", 32) + "\n" + strings.Repeat("A", 32), "1234 5678", "1234-5678", "１２３４５６７８", "12345678\x00",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if proofID, raw, ok := parseToken(s); ok {
			if again := proofPrefix + base64.RawURLEncoding.EncodeToString(append(proofID[:], raw...)); again != s {
				t.Errorf("%q is another text of %q", s, again)
			}
		}
		if code, ok := plainCode(s); ok {
			if len(code) != codeDigits || strings.Trim(code, "0123456789") != "" {
				t.Errorf("%q became the code %q", s, code)
			}
		}
	})
}
