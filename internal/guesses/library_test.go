package guesses

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	zxcvbn "github.com/ccojocar/zxcvbn-go"
	"github.com/ccojocar/zxcvbn-go/data"
	"github.com/ccojocar/zxcvbn-go/matching"
)

// Another program of the same method agrees: its scores are within one of ours for
// nearly all passwords, and what it thinks guessable does not pass here. It misses
// many dates, years and telephone numbers, which makes up most of the rest.
func TestOf_AgreesWithZxcvbn(t *testing.T) {
	names := []string{"ada", "lovelace"}
	total, near, same := 0, 0, 0
	for kind, passwords := range corpus(t) {
		for _, password := range passwords {
			ours, theirs := Of(password, names), zxcvbn.PasswordStrength(password, names, matching.FilterL33tMatcher)
			apart := ours.Score() - theirs.Score
			total++
			if apart == 0 {
				same++
			}
			if -1 <= apart && apart <= 1 {
				near++
			} else {
				t.Logf("%s, %q: %d (%.1f bits), zxcvbn %d (%.1f)", kind, password, ours.Score(), ours.Bits, theirs.Score, theirs.Entropy)
			}
			if ours.Score() >= 3 && theirs.Score <= 1 {
				t.Errorf("%s, %q: %d, zxcvbn %d", kind, password, ours.Score(), theirs.Score)
			}
		}
	}
	t.Logf("%d passwords: %d within one, %d the same", total, near, same)
	if total < 400 || near*100 < total*95 || same*100 < total*70 {
		t.Errorf("%d passwords: %d within one, %d the same", total, near, same)
	}
}

// corpus makes passwords of the kinds that people and their managers make, the same
// ones in each run.
func corpus(t *testing.T) map[string][]string {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(from []string) string { return from[random.IntN(len(from))] }
	words, used, family := listOf(t, english)[:5000], listOf(t, usedPasswords), listOf(t, surnames)
	word := func() string { return pick(words) }
	title := func(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
	signs := strings.Split("! . # ? - _ 1", " ")
	runs := []string{"qwertyuiop", "asdfghjkl", "zxcvbnm", "1qaz2wsx", "abcdefgh", "12345678", "87654321", "zyxwvut", "qazwsxedc", "aaaa", "0000"}
	kinds := map[string]func() string{
		"common":          func() string { return pick(used) },
		"common, sign":    func() string { return title(pick(used)) + pick(signs) },
		"word and number": func() string { return word() + fmt.Sprint(random.IntN(1000)) },
		"word and year":   func() string { return title(word()) + fmt.Sprint(1950+random.IntN(75)) + pick(signs) },
		"name and number": func() string { return pick(family) + fmt.Sprint(random.IntN(100)) },
		"own name": func() string {
			return pick([]string{"ada", "Lovelace", "lovelaceada"}) + fmt.Sprint(random.IntN(10000))
		},
		"two words":    func() string { return word() + pick(signs) + word() },
		"three words":  func() string { return word() + " " + word() + " " + word() },
		"four words":   func() string { return word() + word() + word() + word() },
		"run":          func() string { return pick(runs) + pick(runs) },
		"run and word": func() string { return pick(runs) + title(word()) },
		"date": func() string {
			return fmt.Sprintf("%02d%02d%d", 1+random.IntN(28), 1+random.IntN(12), 1950+random.IntN(70))
		},
		"date with points": func() string {
			return fmt.Sprintf("%d.%d.%d", 1+random.IntN(28), 1+random.IntN(12), 1950+random.IntN(70))
		},
		"word and date": func() string {
			return fmt.Sprintf("%s%d/%d/%d", word(), 1+random.IntN(12), 1+random.IntN(28), 1950+random.IntN(70))
		},
	}
	for _, alphabet := range []string{"abcdefghijklmnopqrstuvwxyz", "0123456789", "abcdefghkmnpqrstuvwxyzABCDEFGHKLMNPQRSTUVWXYZ23456789", "abcdefGHIJKL2345!#$%&*+-"} {
		for _, size := range []int{6, 8, 12, 16} {
			kinds[fmt.Sprintf("%d of %.4s", size, alphabet)] = func() string {
				var b strings.Builder
				for range size {
					b.WriteByte(alphabet[random.IntN(len(alphabet))])
				}
				return b.String()
			}
		}
	}
	made := map[string][]string{}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) { // each draws the same numbers in each run
		for range 20 {
			made[kind] = append(made[kind], kinds[kind]())
		}
	}
	return made
}

func listOf(t *testing.T, name string) []string {
	text, err := data.Asset(name)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Collect(listed(string(text)))
}
