package signals_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/signals"
)

const aSID = "AZrX5l0bcbO0s5m9yJ1XQg"

func TestParseSubject(t *testing.T) {
	person := `{"format":"iss_sub","iss":"` + issuer + `","sub":"s"}`
	complete := `{"format":"complex","user":` + person + `,"session":{"format":"opaque","id":"` + aSID + `"}}`
	for text, want := range map[string]signals.Subject{
		person: {Sub: "s"},
		`{"format":"complex","user":` + person + `}`: {Sub: "s"},
		complete: {Sub: "s", Session: aSID},
	} {
		got, err := signals.ParseSubject([]byte(text), issuer)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", text, err, diff)
		}
	}
	for _, text := range []string{
		``, `null`, `[]`, `{}`, `{"format":"email","email":"a@b.c"}`, `{"format":"opaque","id":"x"}`, `{"format":"iss_sub"}`,
		`{"format":"iss_sub","iss":"https://evil.example","sub":"s"}`, `{"format":"iss_sub","iss":"` + issuer + `"}`,
		`{"format":"iss_sub","iss":"` + issuer + `","sub":""}`, `{"format":"iss_sub","iss":"` + issuer + `","sub":1}`,
		`{"format":"iss_sub","iss":"` + issuer + `","sub":"s","email":"a@b.c"}`, `{"Format":"iss_sub","iss":"` + issuer + `","sub":"s"}`,
		`{"format":"iss_sub","iss":"` + issuer + `","sub":"s","sub":"t"}`,
		`{"format":"iss_sub","iss":"` + issuer + `","sub":"` + strings.Repeat("s", 256) + `"}`,
		`{"format":"iss_sub","iss":"` + issuer + `","sub":"a\u0000"}`,
		`{"format":"complex"}`, `{"format":"complex","session":{"format":"opaque","id":"` + aSID + `"}}`,
		`{"format":"complex","user":` + complete + `}`, `{"format":"complex","user":` + person + `,"tenant":{"format":"opaque","id":"x"}}`,
		`{"format":"complex","user":` + person + `,"session":{"format":"opaque","id":"x"}}`,
		`{"format":"complex","user":` + person + `,"session":{"format":"uri","id":"` + aSID + `"}}`,
		`{"format":"complex","user":` + person + `,"session":null}`, `{"format":"complex","user":{"format":"email","email":"a@b.c"}}`,
	} {
		if got, err := signals.ParseSubject([]byte(text), issuer); err == nil {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

// FuzzSubject: whatever a receiver sends is refused, or names one of our people.
func FuzzSubject(f *testing.F) {
	f.Add([]byte(`{"format":"iss_sub","iss":"` + issuer + `","sub":"s"}`))
	f.Add([]byte(`{"format":"complex","user":{"format":"iss_sub","iss":"` + issuer + `","sub":"s"},"session":{"format":"opaque","id":"` + aSID + `"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := signals.ParseSubject(text, issuer)
		if err != nil {
			return
		}
		if s.Sub == "" || len(s.Sub) > 255 || strings.ContainsRune(s.Sub, 0) || s.Session != "" && len(s.Session) != 22 {
			t.Errorf("%q: %+v", text, s)
		}
	})
}

// FuzzPoll: no body of a poll breaks its parser.
func FuzzPoll(f *testing.F) {
	f.Add([]byte(`{"maxEvents":2,"returnImmediately":true,"ack":["a"],"setErrs":{"b":{"err":"c","description":"d"}}}`))
	f.Add([]byte(`{"maxEvents":-1}`))
	f.Fuzz(func(_ *testing.T, text []byte) {
		if o, err := signals.ParseObject(text); err == nil {
			_ = signals.ParsePoll(o)
		}
	})
}
