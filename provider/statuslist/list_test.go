package statuslist

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/hex"
	"io"
	"strings"
	"testing"
)

// inflate reads a compressed list as a verifier does.
func inflate(t *testing.T, compressed []byte) []byte {
	t.Helper()
	r, err := zlib.NewReader(bytes.NewReader(compressed))
	if err != nil {
		t.Fatal(err)
	}
	list, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestVector_FirstExample is the 16-token example of section 4.1 of the draft: the
// order of the bits, and the compressed form.
func TestVector_FirstExample(t *testing.T) {
	list := make(bits, 2)
	for index, status := range []int{1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1} {
		if status == 1 {
			list.set(int64(index))
		}
	}
	if got := hex.EncodeToString(list); got != "b9a3" {
		t.Errorf("bits %s, want b9a3", got)
	}
	if got := inflate(t, mustHex(t, "78dadbb918000217015d")); !bytes.Equal(got, list) {
		t.Errorf("the draft's list is %x", got)
	}
	compressed, err := list.compress()
	if err != nil {
		t.Fatal(err)
	}
	// What DEFLATE makes is the compressor's choice; the header is zlib's for the
	// best compression.
	if got := inflate(t, compressed); !bytes.Equal(got, list) || !bytes.HasPrefix(compressed, []byte{0x78, 0xda}) {
		t.Errorf("compressed %x is %x", compressed, got)
	}
}

func mustHex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// vector is the 1-bit list of 2^20 entries in the draft's test vectors.
const vector = `eNrt3AENwCAMAEGogklACtKQPg9LugC9k_ACvreiogE
AAKkeCQAAAAAAAAAAAAAAAAAAAIBylgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
AAAAAAAAAAAAAAAAAAAXG9IAAAAAAAAAPwsJAAAAAAAAAAAAAAAvhsSAAAAAAAAAAA
A7KpLAAAAAAAAAAAAAAAAAAAAAJsLCQAAAAAAAAAAADjelAAAAAAAAAAAKjDMAQAAA
ACAZC8L2AEb`

func TestVector_AMillion(t *testing.T) {
	compressed, err := base64.RawURLEncoding.DecodeString(strings.ReplaceAll(vector, "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	list := newBits()
	for _, index := range []int64{
		0, 1993, 25460, 159495, 495669, 554353, 645645, 723232, 854545, 934534, 1000345,
	} {
		list.set(index)
	}
	if got := inflate(t, compressed); !bytes.Equal(got, list) {
		t.Error("the draft's list is another")
	}
	ours, err := list.compress()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(inflate(t, ours), list) || len(ours) > 2*len(compressed) {
		t.Errorf("%d bytes, the draft's %d", len(ours), len(compressed))
	}
}

func TestParseName(t *testing.T) {
	for _, number := range []int64{1, 35, 36, 1<<42 - 1} {
		if got, ok := parseName(name(number)); got != number || !ok {
			t.Errorf("%d is %q, read as %d, %t", number, name(number), got, ok)
		}
	}
	for _, text := range []string{"", "0", "-1", "+1", "01", "A", "a b", "zzzzzzzzzzzzzzzzzz", "1\n", "..", "1_0"} {
		if got, ok := parseName(text); ok {
			t.Errorf("%q is read as %d", text, got)
		}
	}
}
