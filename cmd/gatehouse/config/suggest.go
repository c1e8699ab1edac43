package config

import (
	"fmt"
	"slices"
	"strings"
)

// unknown is the error about a name that means nothing, with the known one that
// was probably meant.
func unknown(what string, spell func(string) string, name string, known []string) error {
	if near, ok := Nearest(strings.ToLower(name), known); ok {
		return fmt.Errorf("unknown %s: did you mean %s?", what, spell(near))
	}
	spelled := make([]string, len(known))
	for i, k := range known {
		spelled[i] = spell(k)
	}
	slices.Sort(spelled)
	return fmt.Errorf("unknown %s: the names are %s", what, strings.Join(spelled, ", "))
}

// Nearest returns the known name that is so near to what somebody wrote that they
// probably meant it.
func Nearest(name string, known []string) (string, bool) {
	best, least := "", 1+max(2, len(name)/3)
	for _, k := range known {
		if d := distance(name, k); d < least {
			best, least = k, d
		}
	}
	return best, best != ""
}

// distance counts the insertions, deletions and replacements of bytes that make a
// into b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
