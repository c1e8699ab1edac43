package accounts

import (
	"errors"
	"strings"
	"testing"
)

// Attack 180: look-alike names by case, width and ligature are one name.
func TestUsernameKey(t *testing.T) {
	same := map[string]string{
		"alice":                 "alice",
		"ALICE":                 "alice",
		"Ａｌｉｃｅ":                 "alice", // full width
		"oﬀice":                 "office",
		"Straße":                "strasse",
		"STRASSE":               "strasse",
		"İstanbul":              "i̇stanbul", // keeps its dot: not "istanbul"
		"ΣΊΣΥΦΟΣ":               "σίσυφοσ",
		"a b":                   "a b",
		"a\u00a0b":              "a b",
		"e\u0301ric":            "éric",
		"名前":                    "名前",
		"x.y-z_1":               "x.y-z_1",
		strings.Repeat("a", 64): strings.Repeat("a", 64),
	}
	for in, want := range same {
		got, err := UsernameKey(in)
		if err != nil || got != want {
			t.Errorf("UsernameKey(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", " ", " a", "a ", "\u00a0a", "a  b", "a@b", "a＠b", "a﹫b",
		"a\x00", "a\nb", "a\u200bb", "a\u202eb", "a\u2066b", "\ufeffa", "a\u00adb", "a\u115fb", "a\u3164b",
		"a\ufe0f", "a\U000e0101", "a\u2028b", "a\u1680b", "\u0301a", "a\ue000", "a\xff", "\ufffd",
		strings.Repeat("a", 65), strings.Repeat("ﷺ", 10), strings.Repeat("x", 1<<20),
	} {
		if got, err := UsernameKey(in); !errors.Is(err, ErrInvalid) {
			t.Errorf("UsernameKey(%.40q) = %q, %v; want ErrInvalid", in, got, err)
		}
	}
}

func TestGroupKey_MayHoldAt(t *testing.T) {
	if got, err := GroupKey("Ops@Berlin"); err != nil || got != "ops@berlin" {
		t.Errorf("GroupKey = %q, %v", got, err)
	}
}

// A key must be its own key, or a name could be taken that folds to another.
func FuzzUsernameKey(f *testing.F) {
	for _, s := range []string{"alice", "İ", "ﬀ", "ǅ", "ẞ", "ᾳ", "Å", "ſ", "㎏", "a\u0345\u0301"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		key, err := UsernameKey(s)
		if err != nil {
			return
		}
		again, err := UsernameKey(key)
		if err != nil || again != key {
			t.Fatalf("%q -> %q -> %q, %v", s, key, again, err)
		}
		upper, err := UsernameKey(strings.ToLower(key))
		if err == nil && upper != key {
			t.Fatalf("case splits %q and %q", key, upper)
		}
	})
}

// Attack 181: one plain address, nothing that could become a header.
func TestEmailKey(t *testing.T) {
	good := map[string]string{
		"Staff@Test.com":                         "staff@test.com",
		"a+b@example.org":                        "a+b@example.org",
		"a@BÜCHER.example":                       "a@xn--bcher-kva.example",
		"a@xn--bcher-kva.example":                "a@xn--bcher-kva.example",
		"admin@localhost":                        "admin@localhost",
		"o'neil@example.org":                     "o'neil@example.org",
		"ａ@example.org":                          "a@example.org",
		strings.Repeat("a", 64) + "@example.org": strings.Repeat("a", 64) + "@example.org",
	}
	for in, want := range good {
		got, err := EmailKey(in)
		if err != nil || got != want {
			t.Errorf("EmailKey(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "@", "a@", "@b", "a", "a@b@c", "a b@example.org", "a@example.org ", "a@example.org\r\nBcc: x@y",
		"a@example.org,b@example.org", "<a@example.org>", "A <a@example.org>", `"a b"@example.org`, `"a"@example.org`,
		"a(x)@example.org", "a@[127.0.0.1]", "a@example.org.", "a..b@example.org", ".a@example.org", "a@-x.org", "a@x..org",
		"a\x00@example.org", "a\u200b@example.org", "a\u202e@example.org", "a＠b@example.org", "a；b@example.org",
		strings.Repeat("a", 65) + "@example.org", "a@" + strings.Repeat("b.", 130) + "org",
	} {
		if got, err := EmailKey(in); !errors.Is(err, ErrInvalid) {
			t.Errorf("EmailKey(%.40q) = %q, %v; want ErrInvalid", in, got, err)
		}
	}
}

func TestValidatePermissionName(t *testing.T) {
	for _, name := range []string{"posts:add", "a", "0", "a.b-c_d:e", strings.Repeat("a", 64)} {
		if err := ValidatePermissionName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{
		"", "openid", "profile", "email", "address", "phone", "offline_access", "groups",
		":a", "-a", "A", "a b", "a\"", "a\\", "ä", "a%", "a*", strings.Repeat("a", 65),
	} {
		if err := ValidatePermissionName(name); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v, want ErrInvalid", name, err)
		}
	}
}
