package guesses

import (
	"encoding/json"
	"math"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/ccojocar/zxcvbn-go/data"
)

// The reading of lists by hand finds what encoding/json finds.
func TestListed(t *testing.T) {
	for _, name := range []string{usedPasswords, english, surnames, femaleNames, maleNames} {
		text, err := data.Asset(name)
		if err != nil {
			t.Fatal(err)
		}
		var want struct{ List []string }
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		if got := slices.Collect(listed(string(text))); len(got) < 1000 || !slices.Equal(got, want.List) {
			t.Errorf("%s: %d words, want %d", name, len(got), len(want.List))
		}
	}
	for text, want := range map[string]int{"": 0, "[]": 0, `{"List":["a`: 0, `["a","b"`: 2, `["a"]`: 1} {
		if got := slices.Collect(listed(text)); len(got) != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestLexicon(t *testing.T) {
	l := newLexicon(
		slices.Values([]string{"one", "two", "Three", "", "five", strings.Repeat("x", Longest+1)}),
		slices.Values([]string{"five", "two", strings.Repeat("y", Longest)}),
	)
	for word, rank := range map[string]float64{"one": 1, "two": 2, "three": 3, "five": 1, strings.Repeat("y", Longest): 3} {
		bits, ok := l.bits(word)
		if want := math.Floor(math.Log2(rank)*steps) / steps; !ok || bits != want {
			t.Errorf("%.10q: %v, %v, want %v", word, bits, ok, want)
		}
	}
	for _, word := range []string{"", "Three", "on", "onet", "zzz", "aaa", strings.Repeat("x", Longest+1), strings.Repeat("x", Longest), strings.Repeat("x", 1000)} {
		if bits, ok := l.bits(word); ok {
			t.Errorf("%.10q: %v", word, bits)
		}
	}
	if _, ok := newLexicon().bits("x"); ok {
		t.Error("a word of no list")
	}
}

// What stays in memory once a password was measured.
func TestLexicon_Small(t *testing.T) {
	size, words := 0, 0
	for _, s := range all() {
		size += len(s.words) + cap(s.costs)
		words += len(s.costs)
	}
	if words < 80_000 || size > 1<<20 {
		t.Errorf("%d words take %d bytes", words, size)
	}
}

func TestCommon(t *testing.T) {
	for text, want := range map[string]bool{
		"password": true, "123456": true, "trustno1": true, "": false, "trombone galaxy": false, "lovelace": false, strings.Repeat("a", 1000): false,
	} {
		if Common(text) != want {
			t.Errorf("%.20q: %v", text, !want)
		}
	}
}

// The program starts without building dictionaries: of the module of the lists it
// holds the lists alone.
func TestOnlyTheLists(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "../../cmd/gatehouse").Output()
	if err != nil {
		t.Fatal(err)
	}
	var linked []string
	for _, path := range strings.Fields(string(out)) {
		if strings.HasPrefix(path, "github.com/ccojocar/zxcvbn-go") {
			linked = append(linked, path)
		}
	}
	if want := []string{"github.com/ccojocar/zxcvbn-go/data"}; !slices.Equal(linked, want) {
		t.Errorf("the program holds %q, want %q", linked, want)
	}
}
