package accounts

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/secret"
)

func TestPasswordPolicy(t *testing.T) {
	strict := PasswordPolicy{MinScore: DefaultMinScore, Brand: "Acme Portal"}
	for _, tt := range []struct {
		policy   PasswordPolicy
		password secret.Text
		want     string
	}{
		// The zero value looks at the length and the list.
		{PasswordPolicy{}, "testpass123", ""},
		{PasswordPolicy{}, "пароль12", ""},
		{PasswordPolicy{}, "with a \x00 nul", ""},
		{PasswordPolicy{}, "", PasswordTooShort},
		{PasswordPolicy{}, "1234567", PasswordTooShort},
		{PasswordPolicy{}, "éééé", PasswordTooShort},
		{PasswordPolicy{}, "        ", PasswordBlank}, // attack 205
		{PasswordPolicy{}, "aaaaaaaaaa", PasswordBlank},
		{PasswordPolicy{}, "Alice.Smith", PasswordIsName},
		{PasswordPolicy{}, "ALICE@example.org", PasswordIsName},
		{PasswordPolicy{}, secret.Text(strings.Repeat("ab", 513)), PasswordTooLong},
		{PasswordPolicy{}, "12345678", PasswordCommon},
		{PasswordPolicy{}, "PassWord", PasswordCommon},
		{PasswordPolicy{}, "p4ssw0rd", PasswordCommon},
		{PasswordPolicy{MinLength: 15}, "testpass123", PasswordTooShort},
		{PasswordPolicy{MinLength: 15}, "testpass1234567", ""},

		{strict, "testpass123", PasswordGuessable},
		{strict, "Summer2026!", PasswordGuessable},
		{strict, "alice.smith1", PasswordIsName},
		{strict, "ASmith-Alice9", PasswordIsName},
		{strict, "Lovelace-1815", PasswordIsName},
		{strict, "acme.portal.1", PasswordIsName},
		{strict, "example.org!!", PasswordIsName},
		{strict, "abcdefghijkl", PasswordSequence},
		{strict, "987654321000", PasswordSequence},
		{strict, "qwertyuiop[]", PasswordKeyboard},
		{strict, "poiuytrewqasd", PasswordKeyboard},
		{strict, "kX9#kX9#kX9#kX9#", PasswordRepeats},
		{strict, "пароль12", PasswordGuessable},
		{strict, "correct horse battery", ""},
		{strict, "kX9#mQ2$vL7p", ""},
		{strict, "гроза над морем вчера", ""},
		{strict, "密码学家在黄昏散步去了", ""},
		{strict, secret.Text("trombone-galaxy-" + strings.Repeat("x", 900)), ""},
	} {
		err := tt.policy.Check(tt.password, "alice.smith", "alice@example.org", "", "Alice Lovelace")
		var weak *WeakPassword
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%.20q: %v", tt.password.Reveal(), err)
		case tt.want != "" && (!errors.As(err, &weak) || weak.Reason != tt.want):
			t.Errorf("%.20q: %v, want %s", tt.password.Reveal(), err, tt.want)
		}
	}
}

func TestWeakPassword_SaysWhy(t *testing.T) {
	seen := map[string]string{}
	for _, reason := range PasswordReasons() {
		e := &WeakPassword{Reason: reason, MinLength: 8}
		if before, ok := seen[e.Error()]; ok || e.Key() != "password_"+reason {
			t.Errorf("%s reads as %s", reason, before)
		}
		seen[e.Error()] = reason
	}
}

// rangeOf is a service that knows nothing, or does not answer.
type rangeOf struct {
	answer string
	err    error
	asked  int
}

func (r *rangeOf) Range(context.Context, string) (io.ReadCloser, error) {
	r.asked++
	return io.NopCloser(strings.NewReader(r.answer)), r.err
}

func TestPasswordPolicy_Accept(t *testing.T) {
	const password = secret.Text("trombone galaxy 12")
	source := &rangeOf{}
	policy := PasswordPolicy{Breaches: &Breaches{Source: source, Log: slog.New(slog.DiscardHandler)}}
	if err := policy.Accept(t.Context(), password); err != nil || source.asked != 1 {
		t.Errorf("unknown to the service: %v, asked %d times", err, source.asked)
	}
	source.answer = sha1Rest(password) + ":1\r\n"
	var weak *WeakPassword
	if err := policy.Accept(t.Context(), password); !errors.As(err, &weak) || weak.Reason != PasswordBreached {
		t.Errorf("known to the service: %v", err)
	}
	source.err = errors.New("down")
	if err := policy.Accept(t.Context(), password); err != nil {
		t.Errorf("the service is down: %v", err)
	}
	// What is refused here is not asked about there.
	source.asked = 0
	if err := policy.Accept(t.Context(), "short"); err == nil || source.asked != 0 {
		t.Errorf("a short one: %v, asked %d times", err, source.asked)
	}
	if err := (PasswordPolicy{}).Accept(t.Context(), password); err != nil {
		t.Errorf("without a service: %v", err)
	}
}

// A password that is made to be hard to measure, not to guess: the measure takes a
// bounded number of runs over at most 64 characters of ASCII.
func TestStrength_Bounded(t *testing.T) {
	for _, password := range []string{
		strings.Repeat("4@8({[<369!1|70$5+%2", 50), strings.Repeat("1234567890", 100), strings.Repeat("ﷺ", 300),
		strings.Repeat("\xff", 1024), strings.Repeat("e\u0301", 300),
	} {
		text := plainLetters(password)
		if len(text) > measured || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%.10q is measured as %q", password, text)
		}
		if forms := unleeted(text); len(forms) > 3 {
			t.Errorf("%d forms", len(forms))
		}
		strength(password, []string{password, password})
	}
	var many []string
	for i := range 1000 {
		many = append(many, strings.Repeat("n", 3+i%50)+string(rune('a'+i%26)))
	}
	if words := nameWords(many); len(words) > mostNames {
		t.Errorf("%d words", len(words))
	}
}

func TestPeriod(t *testing.T) {
	for text, want := range map[string]int{"": 0, "a": 1, "aa": 1, "ab": 2, "abab": 2, "ababa": 2, "abcab": 5, "abcabcabca": 3, "abcdabce": 8} {
		if got := period(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

func TestNameWords(t *testing.T) {
	got := nameWords([]string{"Ada.Lovelace", "", "Zoë", "x@y.z"})
	want := []string{"ada", "lovelace", "ada.lovelace", "adalovelace", "zoe", "x@y.z", "xyz"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzPasswordPolicy(f *testing.F) {
	f.Add("testpass123", "ada")
	f.Add(strings.Repeat("4@8({[<369!1|", 5), "4@8")
	f.Add("\xff\xfe\x00", "é")
	f.Fuzz(func(_ *testing.T, password, name string) {
		_ = PasswordPolicy{MinScore: 4}.Check(secret.Text(password), name) // must end, and not panic
	})
}
