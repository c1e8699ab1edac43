package guesses

import (
	"math"
	"slices"
	"strings"
)

const (
	// fewest is what makes a run a sequence, a walk or a repetition.
	fewest = 3
	// fewestBackwards is what makes a word worth reading backwards: any two letters
	// are the end of something.
	fewestBackwards = 4
	// widest is the largest step of a sequence.
	widest = 5
	// Telephone numbers, the longer ones with a country's code.
	fewestNumber  = 9
	longestNumber = 13
)

// words finds words of the lists and names of the account, whatever their case, and
// backwards.
func (s *search) words(names []string) {
	own := newLexicon(slices.Values(names))
	known := all()
	backwards := []byte(s.lower)
	slices.Reverse(backwards)
	turned := string(backwards)
	n := len(s.text)
	longest := max(len(own), len(known)) - 1
	for from := range n {
		for to := from + 1; to <= min(n, from+longest); to++ {
			capitals := -1.0 // not known
			for _, in := range []lexicon{own, known} {
				bits, ok := in.bits(s.lower[from:to])
				if back, yes := in.bits(turned[n-to : n-from]); yes && to-from >= fewestBackwards && (!ok || back+1 < bits) {
					bits, ok = back+1, true
				}
				if !ok {
					continue
				}
				if capitals < 0 {
					capitals = capitalization(s.text[from:to])
				}
				s.offer(from, to, bits+capitals, Word)
			}
		}
	}
}

// capitalization is how many bits it takes to guess which letters of a word are
// capitals: one for the first, the last or all of them, which people like; else all
// ways are tried that have as many of the rarer case, or fewer.
func capitalization(word string) float64 {
	upper, lower := 0, 0
	for _, c := range []byte(word) {
		switch {
		case isUpper(c):
			upper++
		case isLower(c):
			lower++
		}
	}
	switch {
	case upper == 0:
		return 0
	case lower == 0, upper == 1 && (isUpper(word[0]) || isUpper(word[len(word)-1])):
		return 1
	}
	return variations(upper, lower)
}

// variations is the binary logarithm of the ways to choose among a+b things as many
// as the smaller of the two, or fewer, but at least one.
func variations(a, b int) float64 {
	ways, choices := 0.0, 1.0
	for k := 1; k <= min(a, b); k++ {
		choices *= float64(a+b-k+1) / float64(k) // a+b over k
		ways += choices
	}
	return math.Log2(ways)
}

// sequences finds characters of one class in even steps, upwards or downwards.
func (s *search) sequences() {
	n := len(s.text)
	for from := range n - 1 {
		step := int(s.text[from+1]) - int(s.text[from])
		if step == 0 || step > widest || step < -widest {
			continue
		}
		for to := from + 2; to <= n && int(s.text[to-1])-int(s.text[to-2]) == step && sameClass(s.text[from], s.text[to-1]); to++ {
			if to-from < fewest {
				continue
			}
			bits := beginning(s.text[from]) + math.Log2(float64(to-from)) + math.Log2(math.Abs(float64(step)))
			if step < 0 {
				bits++
			}
			s.offer(from, to, bits, Sequence)
		}
	}
}

func sameClass(a, b byte) bool {
	return isLower(a) && isLower(b) || isUpper(a) && isUpper(b) || isDigit(a) && isDigit(b)
}

// beginning is how many bits it takes to guess where a sequence begins.
func beginning(c byte) float64 {
	switch {
	case strings.IndexByte("aAzZ019", c) >= 0:
		return 2
	case isDigit(c):
		return math.Log2(10)
	}
	return math.Log2(26)
}

// numbers finds runs of digits that could be telephone numbers: some beginnings of
// countries and networks, and eight digits of the person's own.
func (s *search) numbers() {
	bits := math.Log2(16 * 1e8)
	for from := range s.text {
		for to := from + 1; to <= len(s.text) && to-from <= longestNumber && isDigit(s.text[to-1]); to++ {
			if to-from >= fewestNumber {
				s.offer(from, to, bits, Number)
			}
		}
	}
}

// repeats finds how often the block that is given follows itself. The cheapest cover
// of the block must be known.
func (s *search) repeats(from, to int) {
	size := to - from
	block := s.text[from:to]
	for times, end := 2, to+size; end <= len(s.text) && s.text[end-size:end] == block; times, end = times+1, end+size {
		if times*size >= fewest {
			s.offer(from, end, s.cheapest[s.at(from, to)]+math.Log2(float64(times)), Repeat)
		}
	}
}
