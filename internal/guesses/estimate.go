package guesses

import (
	"math"
	"slices"
)

// Longest is how much of a text is looked at, in bytes.
const Longest = 64

// Kind says what a part of a password was taken for.
type Kind uint8

// The kinds of parts.
const (
	Random   Kind = iota // nothing that is known
	Word                 // a word of a list, or one of the account's names
	Repeat               // the same again, "aaa" or "hophop"
	Sequence             // "abcd", "9753"
	Walk                 // keys beside one another, "qwertz"
	Date                 // a day, or a year
	Number               // as many digits as a telephone number has
)

// Part is a piece of a text: the bytes from From up to To, without To.
type Part struct {
	From, To int
	Kind     Kind
}

// Estimate is how hard a password is to guess.
type Estimate struct {
	// Bits is the binary logarithm of the guesses that all of its like take.
	Bits float64
	// Parts cover the text, in its order.
	Parts []Part
}

// guessesPerSecond is what somebody who stole the hashes and has a hundred cores
// gets out of a slow hash.
const guessesPerSecond = 10_000

// Score is from 0 to 4: found by that somebody, on average, within 100 seconds, 10^4,
// 10^6, 10^8 (three years), or later.
func (e Estimate) Score() int {
	seconds := math.Exp2(e.Bits-1) / guessesPerSecond // half of all guesses on average
	for score, limit := range []float64{1e2, 1e4, 1e6, 1e8} {
		if seconds < limit {
			return score
		}
	}
	return 4
}

// Of estimates a text of ASCII for an account with these names, which guessers try
// first. What is beyond Longest is not looked at. The first call of a process takes
// the time of decoding the lists.
func Of(text string, names []string) Estimate {
	text = text[:min(len(text), Longest)]
	if text == "" {
		return Estimate{}
	}
	s := newSearch(text)
	s.words(names)
	s.sequences()
	s.walks()
	s.dates()
	s.numbers()
	return s.cover()
}

// piece is the cheapest explanation of a piece of the text.
type piece struct {
	bits float64
	kind Kind
}

// search is what is found in one text. Pieces are indexed by at.
type search struct {
	text, lower string
	random      float64   // bits of a character that nothing explains
	found       []piece   // infinitely many bits where there is no explanation
	cheapest    []float64 // bits of the cheapest cover of each piece
}

func newSearch(text string) *search {
	size := len(text) * (len(text) + 1)
	s := &search{
		text: text, lower: lowered(text), random: math.Log2(alphabet(text)),
		found: make([]piece, size), cheapest: make([]float64, size),
	}
	for i := range s.found {
		s.found[i].bits = math.Inf(1)
	}
	return s
}

// at is the index of the piece from one byte up to, without, another.
func (s *search) at(from, to int) int { return from*(len(s.text)+1) + to }

// offer explains a piece, unless a cheaper explanation is known. A sequence is called
// one also if a list makes it cheaper ("87654321"): that tells people more.
func (s *search) offer(from, to int, bits float64, kind Kind) {
	p := &s.found[s.at(from, to)]
	if bits < p.bits || kind == Sequence && p.kind == Word {
		p.kind = kind
	}
	p.bits = min(p.bits, bits)
}

// cover finds the cheapest covers of all pieces, the later beginnings first and the
// earlier ends first: what repeats is priced by the cover of its first block.
func (s *search) cover() Estimate {
	n := len(s.text)
	for from := range n { // a single character may be random
		s.offer(from, from+1, s.random, Random)
	}
	last := make([]int, n+1) // where the last part of a cover begins; of the whole text in the end
	for from := n - 1; from >= 0; from-- {
		for to := from + 1; to <= n; to++ {
			bits, begins := s.found[s.at(from, to)].bits, from
			for mid := from + 1; mid < to; mid++ {
				if b := s.cheapest[s.at(from, mid)] + s.found[s.at(mid, to)].bits; b < bits {
					bits, begins = b, mid
				}
			}
			s.cheapest[s.at(from, to)], last[to] = bits, begins
			s.repeats(from, to)
		}
	}
	e := Estimate{Bits: s.cheapest[s.at(0, n)]}
	for to := n; to > 0; to = last[to] {
		e.Parts = append(e.Parts, Part{From: last[to], To: to, Kind: s.found[s.at(last[to], to)].kind})
	}
	slices.Reverse(e.Parts)
	return e
}

// lowered is a text in lower case, byte for byte.
func lowered(text string) string {
	if !slices.ContainsFunc([]byte(text), isUpper) {
		return text
	}
	b := []byte(text)
	for i, c := range b {
		if isUpper(c) {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// alphabet is how many characters there are of the classes that a text uses.
func alphabet(text string) float64 {
	var lower, upper, digit, other float64
	for _, c := range []byte(text) {
		switch {
		case isLower(c):
			lower = 26
		case isUpper(c):
			upper = 26
		case isDigit(c):
			digit = 10
		default:
			other = 33
		}
	}
	return lower + upper + digit + other
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }
