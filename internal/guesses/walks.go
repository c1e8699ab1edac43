package guesses

import (
	"math"
	"sync"
)

// board is a keyboard: what its rows write, alone and with shift. A space is no key.
// Where rows are slanted a key touches the one above it and that one's right
// neighbour, below it and the left neighbour; else all eight around.
type board struct {
	rows, shifted []string
	slanted       bool

	keys   map[byte]key
	places float64 // how many keys there are
	degree float64 // neighbours of a key on average
}

// key is where a character is written.
type key struct {
	row, column int
	shift       bool
}

// boards are the keyboards that passwords are walked on.
var boards = sync.OnceValue(func() []*board {
	all := []*board{
		{slanted: true, // US
			rows:    []string{"`1234567890-=", " qwertyuiop[]\\", " asdfghjkl;'", " zxcvbnm,./"},
			shifted: []string{"~!@#$%^&*()_+", " QWERTYUIOP{}|", " ASDFGHJKL:\"", " ZXCVBNM<>?"}},
		{slanted: true, // German; a letter beyond ASCII is no key
			rows:    []string{"^1234567890", " qwertzuiop +", " asdfghjkl  #", "<yxcvbnm,.-"},
			shifted: []string{" !\" $%&/()=?`", " QWERTZUIOP *", " ASDFGHJKL  '", ">YXCVBNM;:_"}},
		{slanted: true, // French
			rows:    []string{" & \"'(- _  )=", " azertyuiop^$", " qsdfghjklm *", "<wxcvbn,;:!"},
			shifted: []string{" 1234567890 +", " AZERTYUIOP", " QSDFGHJKLM %", ">WXCVBN?./"}},
		{slanted: true, // Dvorak
			rows:    []string{"`1234567890[]", " ',.pyfgcrl/=\\", " aoeuidhtns-", " ;qjkxbmwvz"},
			shifted: []string{"~!@#$%^&*(){}", " \"<>PYFGCRL?+|", " AOEUIDHTNS_", " :QJKXBMWVZ"}},
		{rows: []string{" /*-", "789+", "456", "123", "0."}}, // the block of digits
	}
	for _, b := range all {
		b.wire()
	}
	return all
})

// wire finds the keys and counts their neighbours.
func (b *board) wire() {
	b.keys = map[byte]key{}
	for level, rows := range [][]string{b.rows, b.shifted} {
		for r, row := range rows {
			for c := range len(row) {
				if row[c] != ' ' {
					b.keys[row[c]] = key{r, c, level == 1}
				}
			}
		}
	}
	places := map[key]bool{}
	for _, k := range b.keys {
		places[key{row: k.row, column: k.column}] = true
	}
	pairs := 0
	for p := range places {
		for q := range places {
			if b.touch(p, q) {
				pairs++
			}
		}
	}
	b.places, b.degree = float64(len(places)), float64(pairs)/float64(len(places))
}

// touch reports whether two keys lie beside one another.
func (b *board) touch(p, q key) bool {
	down, right := q.row-p.row, q.column-p.column
	switch {
	case down == 0:
		return right == 1 || right == -1
	case down != 1 && down != -1:
		return false
	case b.slanted:
		return right == 0 || right == -down
	}
	return -1 <= right && right <= 1
}

// walks finds what is typed with keys that lie beside one another.
func (s *search) walks() {
	for _, b := range boards() {
		for from := range s.text {
			s.walk(b, from)
		}
	}
}

// walk follows the keys from one character on.
func (s *search) walk(b *board, from int) {
	last, ok := b.keys[s.text[from]]
	if !ok {
		return
	}
	shifted, turns := 0, 0
	if last.shift {
		shifted++
	}
	var way [2]int
	for to := from + 1; to < len(s.text); to++ {
		next, ok := b.keys[s.text[to]]
		if !ok || !b.touch(last, next) {
			return
		}
		if w := [2]int{next.row - last.row, next.column - last.column}; w != way {
			way = w
			turns++
		}
		if next.shift {
			shifted++
		}
		last = next
		if size := to + 1 - from; size >= fewest {
			s.offer(from, to+1, b.bits(size, turns)+shifts(shifted, size-shifted), Walk)
		}
	}
}

// bits is how many it takes to guess a walk: all of at most so many keys and so many
// straight lines. Those of exactly i keys and j lines are keys * degree^j ways to
// begin and turn, times i-1 over j-1 places for the turns; summed over i that is
// size over j, but for the walks of one key.
func (b *board) bits(size, turns int) float64 {
	ways, directions, places := 0.0, 1.0, 1.0
	for j := 1; j <= turns; j++ {
		directions *= b.degree
		places *= float64(size-j+1) / float64(j) // size over j
		ways += places * directions
	}
	return math.Log2((ways - b.degree) * b.places)
}

// shifts is how many bits it takes to guess which keys were typed with shift.
func shifts(with, without int) float64 {
	switch {
	case with == 0:
		return 0
	case without == 0:
		return 1
	}
	return variations(with, without)
}
