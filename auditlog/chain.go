package auditlog

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// Purposes of MACs under the secret. They never change. Each place has its own: a
// head that was noted, or an anchor, is worth nothing as the head of the chain.
const (
	macHead   = "audit chain head"
	macNoted  = "audit noted head"
	macAnchor = "audit chain anchor"
)

// Point is a place in the chain: the number and hash of a row. Zero with an empty
// hash is before the first row.
type Point struct {
	Seq  int64
	Hash []byte
}

// Ends are the two ends of the chain, as they are stored.
type Ends struct {
	Head      Point
	HeadMAC   []byte
	At        int64 // when the head was moved last; Unix milliseconds
	Anchor    Point // the last row that was cut off
	AnchorMAC []byte
	// Last is the last row that there is in truth.
	Last Point
}

// ErrHead says that the stored end of the chain is not what Gatehouse wrote there.
var ErrHead = errors.New("the end of the audit chain was changed from outside")

func (p Point) is(other Point) bool {
	return p.Seq == other.Seq && subtle.ConstantTimeCompare(p.Hash, other.Hash) == 1
}

func (p Point) mac(k *secret.Keyring, purpose string) []byte {
	return k.MAC(purpose, binary.BigEndian.AppendUint64(nil, uint64(p.Seq)), p.Hash)
}

// proven reports whether a MAC is of this point; before the first row there is none.
func (p Point) proven(k *secret.Keyring, purpose string, mac []byte) bool {
	if p.Seq == 0 {
		return len(p.Hash) == 0 && len(mac) == 0
	}
	return k.Verify(purpose, mac, binary.BigEndian.AppendUint64(nil, uint64(p.Seq)), p.Hash)
}

// check returns ErrHead, with what is wrong, unless both ends are authentic and the
// head is the last row.
func (e *Ends) check(k *secret.Keyring) error {
	last := e.Last
	if last.Seq == 0 { // all that there was has been cut off, or nothing was
		last = e.Anchor
	}
	switch {
	case !e.Head.proven(k, macHead, e.HeadMAC):
		return fmt.Errorf("%w: its authentication does not hold under the secrets that are given (an earlier secret may be missing)", ErrHead)
	case !e.Anchor.proven(k, macAnchor, e.AnchorMAC):
		return fmt.Errorf("%w: where it begins is not authentic", ErrHead)
	case !e.Head.is(last):
		return fmt.Errorf("%w: it should be row %d and is row %d", ErrHead, e.Head.Seq, e.Last.Seq)
	}
	return nil
}

// Head returns the end of the chain, which is authentic. Errors: ErrHead.
func Head(ctx context.Context, store interface {
	AuditEnds(ctx context.Context) (*Ends, error)
}, k *secret.Keyring,
) (Point, error) {
	ends, err := store.AuditEnds(ctx)
	if err == nil {
		err = ends.check(k)
	}
	if err != nil {
		return Point{}, err
	}
	return ends.Head, nil
}

// notedPrefix begins the text of a noted head.
const notedPrefix = "gatehouse-audit-head-1"

// Note returns a head as a line of text, to be kept where whoever can write to the
// database cannot.
func Note(k *secret.Keyring, p Point) string {
	b64 := base64.RawURLEncoding
	return fmt.Sprintf("%s %d %s %s", notedPrefix, p.Seq, b64.EncodeToString(p.Hash), b64.EncodeToString(p.mac(k, macNoted)))
}

// ErrNote is returned for a text that is no noted head, or one that was changed.
var ErrNote = errors.New("not a head that gatehouse audit head wrote under this secret")

// ParseNote reads what Note wrote.
func ParseNote(k *secret.Keyring, text string) (Point, error) {
	fields := strings.Fields(text)
	if len(fields) != 4 || fields[0] != notedPrefix {
		return Point{}, ErrNote
	}
	seq, errSeq := strconv.ParseInt(fields[1], 10, 64)
	hash, errHash := base64.RawURLEncoding.DecodeString(fields[2])
	mac, errMAC := base64.RawURLEncoding.DecodeString(fields[3])
	p := Point{Seq: seq, Hash: hash}
	if errors.Join(errSeq, errHash, errMAC) != nil || seq < 0 ||
		!k.Verify(macNoted, mac, binary.BigEndian.AppendUint64(nil, uint64(seq)), hash) {
		return Point{}, ErrNote
	}
	return p, nil
}
