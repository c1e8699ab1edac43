package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestAttack_164_CookieFlags(t *testing.T) {
	for _, tc := range []struct{ issuer, want string }{
		{"https://id.example", "; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax"},
		{"http://localhost:8400", "; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"},
	} {
		c := Cookies{Issuer: mustURL(t, tc.issuer)}
		w := httptest.NewRecorder()
		c.Set(w, "sid", "abc", time.Minute)
		if got, want := w.Header().Get("Set-Cookie"), c.Name("sid")+"=abc"+tc.want; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if strings.HasPrefix(c.Name("sid"), "__Host-sid-") != strings.HasPrefix(tc.issuer, "https") {
			t.Errorf("%s: %s", tc.issuer, c.Name("sid"))
		}
		w = httptest.NewRecorder()
		c.Set(w, "sid", "abc", 0)
		if strings.Contains(w.Header().Get("Set-Cookie"), "Max-Age") {
			t.Errorf("browser-session cookie: %s", w.Header())
		}
		w = httptest.NewRecorder()
		c.Clear(w, "sid")
		if got, want := w.Header().Get("Set-Cookie"), c.Name("sid")+"="+strings.Replace(tc.want, "60", "0", 1); got != want {
			t.Errorf("cleared: %s, want %s", got, want)
		}
	}
	names := map[string]string{}
	for _, issuer := range []string{"https://id.example", "https://id.example/a", "https://id.example/b", "http://localhost:8400", "http://localhost:8401"} {
		name := Cookies{Issuer: mustURL(t, issuer)}.Name("sid")
		if other, taken := names[name]; taken {
			t.Errorf("%s and %s share %s", issuer, other, name)
		}
		names[name] = issuer
	}
}

func TestAttack_165_MalformedCookies(t *testing.T) {
	c := Cookies{Issuer: mustURL(t, "https://id.example")}
	n := c.Name("sid")
	var others strings.Builder
	for range 100 {
		others.WriteString("x=y; ")
	}
	for name, tc := range map[string]struct {
		lines []string
		want  string
	}{
		"none":            {nil, ""},
		"one":             {[]string{n + "=abc"}, "abc"},
		"among others":    {[]string{others.String() + n + "=abc; z=1"}, "abc"},
		"two lines":       {[]string{"a=b", n + "=abc"}, "abc"},
		"twice":           {[]string{n + "=abc; " + n + "=def"}, ""},
		"twice, equal":    {[]string{n + "=abc; " + n + "=abc"}, ""},
		"twice, 2 lines":  {[]string{n + "=abc", n + "=def"}, ""},
		"100 times":       {[]string{strings.Repeat(n+"=abc; ", 100)}, ""},
		"second empty":    {[]string{n + "=abc; " + n + "="}, ""},
		"second bare":     {[]string{n + "=abc; " + n}, ""},
		"second broken":   {[]string{n + "=abc; " + n + "=\x01"}, ""},
		"empty":           {[]string{n + "="}, ""},
		"no value":        {[]string{n}, ""},
		"quoted":          {[]string{n + `="abc"`}, ""},
		"space":           {[]string{n + "=a bc"}, ""},
		"non-ASCII":       {[]string{n + "=é"}, ""},
		"largest":         {[]string{n + "=" + strings.Repeat("a", maxCookie)}, strings.Repeat("a", maxCookie)},
		"oversized":       {[]string{n + "=" + strings.Repeat("a", maxCookie+1)}, ""},
		"without prefix":  {[]string{strings.TrimPrefix(n, "__Host-") + "=abc"}, ""},
		"lower prefix":    {[]string{strings.ToLower(n) + "=abc"}, ""},
		"other issuer":    {[]string{"__Host-sid-00000000=abc"}, ""},
		"name with space": {[]string{n + " =abc"}, ""},
		"nameless":        {[]string{"=" + n + "=abc"}, ""},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Cookie"] = tc.lines
		if got := c.Get(r, "sid"); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestCookieValueMustFit(t *testing.T) {
	c := Cookies{Issuer: mustURL(t, "https://id.example")}
	for _, value := range []string{"", "a;b", "a b", "a\nb", strings.Repeat("a", maxCookie+1)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%.10q was set", value)
				}
			}()
			c.Set(httptest.NewRecorder(), "sid", value, 0)
		}()
	}
}

func FuzzCookies(f *testing.F) {
	c := Cookies{Issuer: mustURL(&testing.T{}, "https://id.example")}
	n := c.Name("sid")
	for _, s := range []string{"", n + "=a", n + "=a; " + n + "=b", n + `="a"`, "a=b;" + n + "=", ";;=; " + n} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := &http.Request{Header: http.Header{"Cookie": {header}}}
		got := c.Get(r, "sid")
		if got == "" {
			return
		}
		if !isCookieValue(got) || strings.Count(header, n+"=") < 1 {
			t.Fatalf("%q from %q", got, header)
		}
		// The standard library, which is more lenient, must see this one and no other.
		std := r.CookiesNamed(n)
		if len(std) != 1 || std[0].Value != got {
			t.Fatalf("%q here, %v there, from %q", got, std, header)
		}
	})
}
