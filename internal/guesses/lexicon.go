package guesses

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/ccojocar/zxcvbn-go/data"
)

// lists are the names of the embedded lists, each from the most frequent word down.
const (
	usedPasswords = "data/Passwords.json"
	english       = "data/English.json"
	surnames      = "data/Surnames.json"
	femaleNames   = "data/FemaleNames.json"
	maleNames     = "data/MaleNames.json"
)

// The lists of this process, decoded when they are first needed: they are the same
// for everybody, never change, and most processes need none.
var (
	passwords = sync.OnceValue(func() lexicon { return decode(usedPasswords) })
	all       = sync.OnceValue(func() lexicon {
		return decode(usedPasswords, english, surnames, femaleNames, maleNames)
	})
)

// Common reports whether a text, in lower case, is among the some 7000 passwords
// that are used most.
func Common(text string) bool {
	_, ok := passwords().bits(text)
	return ok
}

// lexicon holds words and how many guesses each takes, in little more memory than
// their letters: the words of one length stand in one string, in their order.
type lexicon []shelf

// shelf holds the words of one length.
type shelf struct {
	words string
	costs []uint8 // by word, in steps
}

// steps is how many parts a bit is counted in. A cost is rounded down to one.
const steps = 8

// bits returns the binary logarithm of a word's rank in the list where it stands
// highest.
func (l lexicon) bits(word string) (float64, bool) {
	size := len(word)
	if size == 0 || size >= len(l) {
		return 0, false
	}
	s := l[size]
	low, high := 0, len(s.costs)
	for low < high {
		mid := (low + high) / 2
		switch strings.Compare(s.words[mid*size:(mid+1)*size], word) {
		case 0:
			return float64(s.costs[mid]) / steps, true
		case -1:
			low = mid + 1
		default:
			high = mid
		}
	}
	return 0, false
}

// decode reads lists that are embedded. They are part of the program, so it panics
// if they cannot be read.
func decode(names ...string) lexicon {
	lists := make([]iter.Seq[string], len(names))
	for i, name := range names {
		text, err := data.Asset(name)
		if err != nil {
			panic(fmt.Errorf("words of the program: %w", err))
		}
		lists[i] = listed(string(text))
	}
	return newLexicon(lists...)
}

// listed yields the words of {"List":["a","b"]}. The words hold no escapes, so they
// can be taken where they stand; encoding/json makes six times as much garbage, which
// the process would keep for minutes.
func listed(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		_, rest, _ := strings.Cut(text, "[")
		for {
			_, after, _ := strings.Cut(rest, `"`)
			word, left, ok := strings.Cut(after, `"`)
			if !ok || !yield(word) {
				return
			}
			rest = left
		}
	}
}

// newLexicon makes a lexicon of lists of words, each from the most frequent down.
// Words that are longer than what is measured are left out.
func newLexicon(lists ...iter.Seq[string]) lexicon {
	type entry struct {
		word string
		cost uint8
	}
	var sizes [Longest + 1][]entry
	var counts [Longest + 1]int
	for _, list := range lists {
		for word := range list {
			if len(word) <= Longest {
				counts[len(word)]++
			}
		}
	}
	for _, list := range lists {
		rank := 0
		for word := range list {
			rank++
			size := len(word)
			if size == 0 || size > Longest {
				continue
			}
			if sizes[size] == nil {
				sizes[size] = make([]entry, 0, counts[size])
			}
			sizes[size] = append(sizes[size], entry{lowered(word), uint8(steps * math.Log2(float64(rank)))})
		}
	}
	var l lexicon
	for size, entries := range sizes {
		if len(entries) == 0 {
			continue
		}
		slices.SortFunc(entries, func(a, b entry) int { return cmp.Or(strings.Compare(a.word, b.word), cmp.Compare(a.cost, b.cost)) })
		entries = slices.CompactFunc(entries, func(a, b entry) bool { return a.word == b.word })
		s := shelf{costs: make([]uint8, len(entries))}
		var words strings.Builder
		words.Grow(size * len(entries))
		for i, e := range entries {
			words.WriteString(e.word)
			s.costs[i] = e.cost
		}
		s.words = words.String()
		l = append(l, make([]shelf, size+1-len(l))...)
		l[size] = s
	}
	return l
}
