package feed

import (
	"encoding/base64"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func someCursor(t testing.TB) cursor {
	c := cursor{line: lineOf("timeline"), position: 1 << 40, filter: NewAudience(ring(t), audienceA).filter}
	c.chain[0], c.chain[31] = 1, 2
	return c
}

func TestCursor(t *testing.T) {
	k, c := ring(t), someCursor(t)
	text := c.text(k)
	got, version, ok := readCursor(k, text)
	if !ok || version != k.Current() || !cmp.Equal(got, c, cmp.AllowUnexported(cursor{})) {
		t.Fatalf("%+v, %v", got, ok)
	}
	if len(text) != cursorText {
		t.Errorf("%d characters", len(text))
	}
	// After a change of the secret it is still ours, and says which one made it.
	changed := ring(t, "another secret for tests, long enough too")
	if got, version, ok := readCursor(changed, text); !ok || version == changed.Current() || got.position != c.position {
		t.Errorf("after a change of the secret: %+v, %v", got, ok)
	}
	alone := k
	if _, _, ok := readCursor(alone, c.text(changed)); ok {
		t.Error("a cursor under a secret that is not ours was read")
	}
}

// A cursor is evidence (L8), so nobody but us may make one.
func TestL8_ForgedCursorsAreRefused(t *testing.T) {
	k := ring(t)
	raw, err := base64.RawURLEncoding.DecodeString(someCursor(t).text(k))
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		for bit := range 8 {
			forged := append([]byte(nil), raw...)
			forged[i] ^= 1 << bit
			if _, _, ok := readCursor(k, base64.RawURLEncoding.EncodeToString(forged)); ok {
				t.Fatalf("byte %d, bit %d changed and it was read", i, bit)
			}
		}
	}
	text := base64.RawURLEncoding.EncodeToString(raw)
	for _, bad := range []string{"", "x", text[1:], text + "=", text[:95] + "\n", text + text, "\n" + text[1:]} {
		if _, _, ok := readCursor(k, bad); ok {
			t.Errorf("%q was read", bad)
		}
	}
}

func FuzzCursor(f *testing.F) {
	k := ring(f)
	c := someCursor(f)
	f.Add(c.text(k))
	f.Add("")
	f.Add(c.text(k)[:95] + "A")
	f.Fuzz(func(t *testing.T, text string) {
		got, _, ok := readCursor(k, text)
		if ok && got.text(k) != text {
			t.Errorf("%q was read as %+v, which is written differently", text, got)
		}
		if ok && got != c {
			t.Errorf("%q was forged", text)
		}
	})
}
