package statuslist

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"strconv"

	"github.com/gatehouse-id/gatehouse/revocation"
)

// Size is how many tokens a list has room for.
const Size = 1 << 20

// Place is where a token stands.
type Place struct {
	List  int64 // number of the list, positive and below 2^42
	Index int64 // below Size
}

// Entry is what a token is judged by.
type Entry struct {
	Place
	revocation.Keys
	ExpiresAt int64 // Unix milliseconds
}

// List is what is kept of a list.
type List struct {
	Number    int64
	Audience  string // its tokens are for
	Algorithm string // signs the list, as it signs the tokens in it
}

// name is the list's number as its URI shows it.
func name(number int64) string { return strconv.FormatInt(number, 36) }

// parseName reads what name wrote, and nothing else: one list has one URI.
func parseName(text string) (int64, bool) {
	number, err := strconv.ParseInt(text, 36, 64)
	return number, err == nil && number > 0 && name(number) == text
}

// bits is a list of one bit a token; the first is the lowest of the first byte
// (section 4.1 of the draft).
type bits []byte

func newBits() bits { return make(bits, Size/8) }

func (b bits) set(index int64) { b[index/8] |= 1 << (index % 8) }

// compress returns the list in the ZLIB format with DEFLATE (section 4.1).
func (b bits) compress() ([]byte, error) {
	var out bytes.Buffer
	w, err := zlib.NewWriterLevel(&out, zlib.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("compress a status list: %w", err)
	}
	if _, err := w.Write(b); err != nil {
		return nil, fmt.Errorf("compress a status list: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress a status list: %w", err)
	}
	return out.Bytes(), nil
}
