package feed

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// Purposes of the keyring. They are parts of the wire format: to change one makes
// every follower take a complete snapshot.
const (
	cursorPurpose  = "revocation feed cursor"
	hashKeyPurpose = "revocation feed keys"
)

// Chain is the ledger's hash at a position (L8); zero means that it is not known.
type Chain [sha256.Size]byte

// chainOf takes what the ledger says; anything but a hash counts as unknown.
func chainOf(b []byte) Chain {
	var c Chain
	if len(b) == len(c) {
		copy(c[:], b)
	}
	return c
}

// known returns the hash, or nil for an unknown one.
func (c Chain) known() []byte {
	if c == (Chain{}) {
		return nil
	}
	return c[:]
}

// line is a timeline as cursors carry it.
type line [8]byte

func lineOf(timeline string) line {
	sum := sha256.Sum256([]byte(timeline))
	return line(sum[:8])
}

// filter tells which rows a follower is sent, and under which key.
type filter [6]byte

func filterOf(audience string, hashKey []byte) filter {
	mac := hmac.New(sha256.New, hashKey)
	mac.Write([]byte("filter\x00" + audience))
	return filter(mac.Sum(nil)[:6])
}

// cursor is what an opaque cursor says. It binds timeline, filter and position
// (L6), and is evidence of what we have told (L8).
type cursor struct {
	line     line
	position int64
	chain    Chain
	filter   filter
}

// The bytes of a cursor: format, version of the secret, timeline, position, chain,
// filter, MAC. Together a multiple of three, so that base64 has no bits to spare
// and each cursor has one text.
const (
	cursorFormat = 1
	macSize      = 16
	signedSize   = 2 + 8 + 8 + sha256.Size + 6
	cursorSize   = signedSize + macSize
	cursorText   = cursorSize / 3 * 4
)

func (c cursor) text(k *secret.Keyring) string {
	b := make([]byte, 0, cursorSize)
	b = append(b, cursorFormat, k.Current())
	b = append(b, c.line[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(c.position))
	b = append(b, c.chain[:]...)
	b = append(b, c.filter[:]...)
	b = append(b, k.Derive(cursorPurpose, b)[:macSize]...)
	return base64.RawURLEncoding.EncodeToString(b)
}

// readCursor returns what a cursor says, and the version of the secret that made
// it; false for everything that this deployment did not write.
func readCursor(k *secret.Keyring, text string) (c cursor, version byte, ok bool) {
	if len(text) != cursorText {
		return cursor{}, 0, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != cursorSize || b[0] != cursorFormat {
		return cursor{}, 0, false
	}
	signed, mac := b[:signedSize], b[signedSize:]
	want, err := k.DeriveWith(b[1], cursorPurpose, signed)
	if err != nil || !hmac.Equal(mac, want[:macSize]) {
		return cursor{}, 0, false
	}
	rest := signed[2:]
	c.line, rest = line(rest[:8]), rest[8:]
	c.position, rest = int64(binary.BigEndian.Uint64(rest)), rest[8:]
	c.chain, rest = Chain(rest[:sha256.Size]), rest[sha256.Size:]
	c.filter = filter(rest)
	return c, b[1], c.position >= 0
}
