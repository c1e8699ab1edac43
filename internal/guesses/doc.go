// Package guesses estimates how many guesses a password takes from somebody who
// knows what people choose.
//
// The way is that of Wheeler, "zxcvbn: Low-Budget Password Strength Estimation",
// USENIX Security 2016: find everything in the password that guessers try early
// (words of ranked lists, also backwards and in capitals, names of the account,
// what repeats, sequences, walks over the keyboard, dates), say of each how many
// guesses it takes, and count the cheapest way to cover the password with them.
// What nothing covers counts as random characters.
//
// Three things differ from the paper. The guesses of the parts are multiplied and no
// more: an attacker is not charged for finding out the number and the order of the
// parts, so that an estimate is rather too low. Random characters count by the
// classes that the password uses, not ten for each. And a run of digits is hardly
// better than a telephone number, which people like as passwords.
//
// What holds:
//
//   - Nothing happens before the first password: the lists are decoded then, once
//     (about 50 ms), and keep less than a megabyte. A process that measures none
//     pays nothing.
//   - The work is bounded by the length alone, whatever the password is made of:
//     each of the at most 64*65/2 pieces of a text keeps its cheapest explanation,
//     and the covers of all pieces are found in one pass over them.
//   - A text is ASCII, one byte a character. Callers bring others to it.
//
// The lists (words of films, names of the US census, used passwords) are those that
// github.com/ccojocar/zxcvbn-go/data embeds. Of that module only the data are used:
// its other packages build dictionaries of 18 MB whenever a process starts.
package guesses
