package guesses

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOf(t *testing.T) {
	for _, tt := range []struct {
		text  string
		score int
		parts string // each the text and the kind
	}{
		{"password", 0, "password:word"},
		{"PassWord", 0, "PassWord:word"},
		{"drowssap", 0, "drowssap:word"},
		{"adalovelace", 0, "ada:word lovelace:word"},
		{"ecalevolada", 0, "ecalevol:word ada:word"},
		{"Lovelace1815!", 1, "Lovelace:word 1815:date !:random"},
		{"Summer2026!", 0, "Summer:word 2026:date !:random"},
		{"aaaaaaaaaaaa", 0, "aaaaaaaaaaaa:repeat"},
		{"kX9kX9kX9kX9kX9", 0, "kX9kX9kX9kX9kX9:repeat"},
		{"hophophopkX9", 2, "hophophop:repeat k:random X:random 9:random"},
		{"kX9987654321", 1, "k:random X:random 9:random 987654321:sequence"},
		{"acegikmoq", 0, "acegikmoq:sequence"},
		{"97531", 0, "97531:sequence"},
		{"yxcvbnm,.-", 0, "yxcvbnm,.-:walk"},
		{"azertyuiop^$", 0, "azertyuiop^$:walk"},
		{"aoeuidhtns", 0, "aoeuidhtns:walk"},
		{"7894561230", 0, "789456:word 123:sequence 0:random"},
		{"QWERTYUIOP", 0, "QWERTYUIOP:word"},
		{"!@#$%^&*()", 0, "!@#$%^&*():walk"},
		{"31.12.1999", 0, "31.12.1999:date"},
		{"kX9#31121999", 4, "k:random X:random 9:random #:random 31121999:date"},
		{"491765048207", 2, "491765048207:number"},
		{"correct horse battery", 4, "correct:word  :random horse:word  :random battery:word"},
		{"kX9#mQ2$", 4, "k:random X:random 9:random #:random m:random Q:random 2:random $:random"},
	} {
		e := Of(tt.text, []string{"ada", "lovelace"})
		if got := describe(tt.text, e.Parts); e.Score() != tt.score || got != tt.parts {
			t.Errorf("%q: score %d (%.1f bits), want %d\n got %s\nwant %s", tt.text, e.Score(), e.Bits, tt.score, got, tt.parts)
		}
	}
}

func describe(text string, parts []Part) string {
	names := map[Kind]string{Random: "random", Word: "word", Repeat: "repeat", Sequence: "sequence", Walk: "walk", Date: "date", Number: "number"}
	var said []string
	for _, p := range parts {
		said = append(said, text[p.From:p.To]+":"+names[p.Kind])
	}
	return strings.Join(said, " ")
}

func TestOf_Edges(t *testing.T) {
	if e := Of("", []string{"", "ada"}); e.Bits != 0 || e.Parts != nil || e.Score() != 0 {
		t.Errorf("nothing: %+v", e)
	}
	if e := Of("7", nil); len(e.Parts) != 1 || e.Bits > math.Log2(10) {
		t.Errorf("one character: %+v", e)
	}
	long := "trombone galaxy kX9#mQ2$vL7p trombone galaxy kX9#mQ2$vL7p trombone"
	if diff := cmp.Diff(Of(long[:Longest], nil), Of(long+strings.Repeat("x", 1<<20), nil)); diff != "" {
		t.Errorf("what is beyond the longest was looked at:\n%s", diff)
	}
	// Not for texts like this; it must not fall over them.
	for _, text := range []string{"\xff\xfe\xfd", "é", strings.Repeat("İ", Longest), "a\x00b"} {
		if e := Of(text, []string{text, "\xff"}); math.IsNaN(e.Bits) || math.IsInf(e.Bits, 0) {
			t.Errorf("%q: %+v", text, e)
		}
	}
}

func TestScore(t *testing.T) {
	for _, tt := range []struct {
		seconds float64
		want    int
	}{{0, 0}, {99, 0}, {101, 1}, {9.9e3, 1}, {1.01e4, 2}, {9.9e5, 2}, {1.01e6, 3}, {9.9e7, 3}, {1.01e8, 4}, {1e300, 4}} {
		if got := (Estimate{Bits: math.Log2(tt.seconds*guessesPerSecond) + 1}).Score(); got != tt.want {
			t.Errorf("%g seconds: %d, want %d", tt.seconds, got, tt.want)
		}
	}
}

// What must hold of every text: the parts cover it once and in order, no cover is
// dearer than random characters, and knowing the account's names helps guessers.
func FuzzOf(f *testing.F) {
	f.Add("testpass123", "ada")
	f.Add("Lovelace-31.12.1999", "lovelace")
	f.Add(strings.Repeat("as", Longest), "as")
	f.Add("qwertz\xff\x00é", "\xff")
	f.Fuzz(func(t *testing.T, text, name string) {
		e := Of(text, []string{name})
		at := 0
		for _, p := range e.Parts {
			if p.From != at || p.To <= p.From {
				t.Fatalf("%q: parts %v", text, e.Parts)
			}
			at = p.To
		}
		measured := text[:min(len(text), Longest)]
		if at != len(measured) {
			t.Fatalf("%q: covered up to %d", text, at)
		}
		most := 0.0
		if measured != "" {
			most = float64(len(measured)) * math.Log2(alphabet(measured))
		}
		if e.Bits < 0 || e.Bits > most+1e-9 || math.IsNaN(e.Bits) {
			t.Fatalf("%q: %v bits, at most %v", text, e.Bits, most)
		}
		if without := Of(text, nil); e.Bits > without.Bits {
			t.Fatalf("%q: %v bits, without the name %q %v", text, e.Bits, name, without.Bits)
		}
	})
}
