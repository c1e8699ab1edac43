package secret_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/secret"
)

func TestTextNeverShows(t *testing.T) {
	const clear = "hunter2hunter2"
	s := secret.Text(clear)
	if s.Reveal() != clear {
		t.Fatal("Reveal does not return the secret")
	}
	type config struct {
		Password secret.Text
		Old      []secret.Text
		Pointer  *secret.Text
	}
	c := config{s, []secret.Text{s}, &s}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%10.3s", "%U"} {
		fmt.Fprintf(&out, verb+" "+verb+"\n", s, c)
	}
	fmt.Fprintln(&out, s, c, &c)
	fmt.Fprintln(&out, fmt.Errorf("bad password %w", fmt.Errorf("%v", s)))
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("start", "secret", s, "config", c, slog.Group("g", "s", s))
	}
	j, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	x, err := xml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	all := out.String() + string(j) + string(x)
	hex := fmt.Sprintf("%x", clear)
	for _, bad := range []string{clear, hex, strings.ToUpper(hex), "hunter"} {
		if strings.Contains(all, bad) {
			t.Errorf("%q shows in\n%s", bad, all)
		}
	}
	if !strings.Contains(string(j), `"Password":"***"`) {
		t.Errorf("JSON %s", j)
	}
}

func TestTextIsReadFromJSON(t *testing.T) {
	var c struct{ Password secret.Text }
	if err := json.Unmarshal([]byte(`{"Password":"x y"}`), &c); err != nil || c.Password.Reveal() != "x y" {
		t.Fatalf("%q, %v", c.Password.Reveal(), err)
	}
}

func TestRandom(t *testing.T) {
	a, b := secret.Random(32), secret.Random(32)
	if len(a) != 32 || bytes.Equal(a, b) || bytes.Equal(a, make([]byte, 32)) {
		t.Fatalf("%x %x", a, b)
	}
}
