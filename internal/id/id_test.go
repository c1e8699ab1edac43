package id_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

func TestNewIsUUIDv7AndRises(t *testing.T) {
	last := id.ID{}
	for range 1000 {
		i := id.New()
		if version, variant := i[6]>>4, i[8]>>6; version != 7 || variant != 2 {
			t.Fatalf("version %d, variant %b: not a UUIDv7", version, variant)
		}
		if string(i[:]) <= string(last[:]) {
			t.Fatalf("%x follows %x", i, last)
		}
		last = i
	}
}

func TestTextRoundTrip(t *testing.T) {
	for range 100 {
		i := id.New()
		s := i.String()
		if len(s) != id.Length {
			t.Fatalf("%q has %d characters", s, len(s))
		}
		got, err := id.Parse(s)
		if err != nil || got != i {
			t.Fatalf("Parse(%q) = %v, %v; want %v", s, got, err, i)
		}
		j, err := json.Marshal(map[string]id.ID{"id": i})
		if err != nil || string(j) != `{"id":"`+s+`"}` {
			t.Fatalf("JSON %s, %v", j, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const good = "AZqEJxHgc5-_AAECAwQFBg"
	if _, err := id.Parse(good); err != nil {
		t.Fatalf("the sample itself: %v", err)
	}
	tests := map[string]string{
		"empty":             "",
		"short":             good[:21],
		"long":              good + "A",
		"padding":           good + "==",
		"padding inside":    good[:20] + "==",
		"standard alphabet": strings.ReplaceAll(strings.ReplaceAll(good, "-", "+"), "_", "/"),
		"unused bits set":   good[:21] + "h",
		"line break inside": good[:10] + "\n" + good[11:],
		"return inside":     good[:10] + "\r" + good[11:],
		"trailing break":    good[:21] + "\n",
		"space":             good[:21] + " ",
		"hexadecimal uuid":  "019a8427-11e0-739f-bf00-010203040506",
		"NUL":               good[:21] + "\x00",
		"two-byte letter":   good[:20] + "é",
		"zero id":           strings.Repeat("A", 22),
	}
	for name, s := range tests {
		t.Run(name, func(t *testing.T) {
			if got, err := id.Parse(s); !errors.Is(err, id.ErrInvalid) || !got.IsZero() {
				t.Fatalf("Parse(%q) = %v, %v", s, got, err)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("AZqEJxHgc5-_AAECAwQFBg")
	f.Add("AZqEJxHgc5-_AAECAwQFBh")
	f.Add("AZqEJxHgc5\n_AAECAwQFBg")
	f.Fuzz(func(t *testing.T, s string) {
		i, err := id.Parse(s)
		if err == nil && i.String() != s {
			t.Fatalf("%q and %q name the same thing", s, i)
		}
	})
}

func TestTime(t *testing.T) {
	before := time.Now().UnixMilli()
	made := id.New().Time()
	if after := time.Now().UnixMilli(); made < before || made > after {
		t.Errorf("made at %d, between %d and %d", made, before, after)
	}
	if got := (id.ID{0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0xff}).Time(); got != 0x010203040506 {
		t.Errorf("%x", got)
	}
}
