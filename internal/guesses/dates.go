package guesses

import (
	"math"
	"strconv"
	"strings"
)

// The years that people put into passwords.
const (
	firstYear = 1900
	lastYear  = 2039
)

const (
	shortestDate  = 4 // 1999, 1199
	longestDate   = 10
	separators    = " -/\\_."
	separatorBits = 2 // the likely ones
)

// dates finds years and days, such as 2026, 311299 and 31.12.1999.
func (s *search) dates() {
	n := len(s.text)
	for from := range n {
		for to := from + shortestDate; to <= min(n, from+longestDate); to++ {
			if bits, ok := date(s.text[from:to]); ok {
				s.offer(from, to, bits, Date)
			}
		}
	}
}

// date returns the bits of a text that is a year or a day.
func date(text string) (bits float64, ok bool) {
	if at := strings.IndexAny(text, separators); at >= 0 {
		parts := strings.Split(text, text[at:at+1])
		if len(parts) != 3 {
			return 0, false
		}
		bits, ok = day(parts[0], parts[1], parts[2])
		return bits + separatorBits, ok
	}
	if _, ok := year(text); ok && len(text) == 4 {
		return math.Log2(lastYear - firstYear + 1), true
	}
	bits = math.Inf(1)
	for first := 1; first <= 4; first++ {
		for second := 1; second <= 2 && first+second < len(text); second++ {
			if b, found := day(text[:first], text[first:first+second], text[first+second:]); found {
				bits, ok = min(bits, b), true
			}
		}
	}
	return bits, ok
}

// day returns the bits of three numbers if they are a day, its month and its year,
// in either order, with the year behind or in front.
func day(a, b, c string) (bits float64, ok bool) {
	for _, order := range [][3]string{{a, b, c}, {b, c, a}} {
		years, known := year(order[2])
		if known && (within(order[0], 31) && within(order[1], 12) || within(order[0], 12) && within(order[1], 31)) {
			return math.Log2(365 * years), true
		}
	}
	return 0, false
}

// year returns how many years are written like a text of two or four digits.
func year(text string) (years float64, ok bool) {
	n, ok := number(text)
	switch {
	case ok && len(text) == 2:
		return 100, true
	case ok && len(text) == 4 && firstYear <= n && n <= lastYear:
		return lastYear - firstYear + 1, true
	}
	return 0, false
}

// within reports whether a text of one or two digits is from 1 to most.
func within(text string, most int) bool {
	n, ok := number(text)
	return ok && len(text) <= 2 && 1 <= n && n <= most
}

func number(text string) (int, bool) {
	for _, c := range []byte(text) {
		if !isDigit(c) {
			return 0, false
		}
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}
