package accounts

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/gatehouse-id/gatehouse/internal/guesses"
)

const (
	// measured is how much of a password is looked at.
	measured = guesses.Longest
	// fewestLetters is what makes a part of a name worth looking for.
	fewestLetters = 3
	mostNames     = 32
)

// strength returns a score from 0 to 4 for a password, and why it is not higher.
//
// The measure is that of package guesses, on what guessers would make of the
// password: what is repeated counts once, and letters that were replaced by digits
// and signs are put back. Trying all combinations of the latter could take seconds on
// a password made to that end.
func strength(password string, names []string) (score int, reason string) {
	text := plainLetters(password)
	words := nameWords(names)
	score, reason = 5, ""
	try := func(candidate, because string) {
		e := guesses.Of(candidate, words)
		if e.Score() < score {
			score, reason = e.Score(), because
			if because == "" {
				reason = mainly(candidate, e.Parts, words)
			}
		}
	}
	for _, form := range unleeted(text) {
		try(form, "")
	}
	if block := period(text); block < len(text) {
		try(text[:block], PasswordRepeats)
	}
	return score, reason
}

// mainly says what most of a password was made of.
func mainly(text string, parts []guesses.Part, names []string) string {
	lengths := map[string]int{}
	for _, p := range parts {
		lengths[partReason(text[p.From:p.To], p.Kind, names)] += p.To - p.From
	}
	best := PasswordGuessable
	for _, reason := range []string{PasswordIsName, PasswordRepeats, PasswordSequence, PasswordKeyboard} {
		if 2*lengths[reason] >= len(text) && lengths[reason] > lengths[best] {
			best = reason
		}
	}
	return best
}

func partReason(part string, kind guesses.Kind, names []string) string {
	switch {
	case slices.Contains(names, strings.ToLower(part)): // from whichever list
		return PasswordIsName
	case kind == guesses.Repeat:
		return PasswordRepeats
	case kind == guesses.Sequence:
		return PasswordSequence
	case kind == guesses.Walk:
		return PasswordKeyboard
	}
	return ""
}

// plainLetters returns the beginning of a password in ASCII, one byte for each
// character, as package guesses takes it. Accents are taken off.
// A letter of another script stands for one of 26, which keeps what repeats and
// counts its strength rather too low.
func plainLetters(password string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(clipRunes(password, MaxPassword)) {
		switch {
		case b.Len() == measured:
			return b.String()
		case r < 0x20 || r == 0x7f:
			b.WriteByte(' ')
		case r < utf8.RuneSelf:
			b.WriteByte(byte(r))
		case !unicode.Is(unicode.M, r):
			b.WriteByte(byte('a' + r%26))
		}
	}
	return b.String()
}

func clipRunes(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// unleeted returns the text, and the texts in which signs have become the letters
// that they look like.
func unleeted(text string) []string {
	forms := []string{text}
	for _, one := range []string{"i", "l"} {
		form := strings.NewReplacer("4", "a", "@", "a", "8", "b", "(", "c", "3", "e", "6", "g", "9", "g",
			"1", one, "!", one, "|", one, "0", "o", "$", "s", "5", "s", "7", "t", "+", "t", "2", "z").Replace(text)
		if !slices.Contains(forms, form) {
			forms = append(forms, form)
		}
	}
	return forms
}

// period returns the length of the shortest beginning whose repetition the text
// is, at least twice (its end may be cut); the text's length if there is none.
func period(text string) int {
	n := len(text)
	border := make([]int, n+1) // of each beginning: the longest end that is a beginning too
	for i, j := 1, 0; i < n; i++ {
		for j > 0 && text[i] != text[j] {
			j = border[j]
		}
		if text[i] == text[j] {
			j++
		}
		border[i+1] = j
	}
	if p := n - border[n]; 2*p <= n {
		return p
	}
	return n
}

// nameWords are the parts of an account's names that somebody would guess first.
func nameWords(names []string) []string {
	var words []string
	for _, name := range names {
		folded := strings.ToLower(plainLetters(name))
		split := strings.FieldsFunc(folded, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		for _, w := range append(split, folded, strings.Join(split, "")) {
			if len(w) >= fewestLetters && len(words) < mostNames && !slices.Contains(words, w) {
				words = append(words, w)
			}
		}
	}
	return words
}

// isCommon reports whether a password is in the list of those that are used most,
// whatever its case and the signs for its letters.
func isCommon(password string) bool {
	return len(password) <= measured && slices.ContainsFunc(unleeted(strings.ToLower(plainLetters(password))), guesses.Common)
}
