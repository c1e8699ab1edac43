package guesses

import (
	"strings"
	"testing"
)

// What is slowest: a text where every piece is a word, a walk and a repetition.
func BenchmarkOf(b *testing.B) {
	for name, text := range map[string]string{
		"usual": "trombone galaxy 12", "random": "kX9#mQ2$vL7pR4!bTz8&wN6*", "hostile": strings.Repeat("as", Longest/2),
	} {
		b.Run(name, func(b *testing.B) {
			Of(text, nil) // decodes the lists
			b.ReportAllocs()
			for b.Loop() {
				Of(text, []string{"alice", "smith", "alicesmith"})
			}
		})
	}
}

// What the first password of a process takes in addition.
func BenchmarkDecode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		decode(usedPasswords, english, surnames, femaleNames, maleNames)
	}
}
