package accounts

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
)

// phc is an argon2id hash with its parameters, as a PHC string holds it.
type phc struct {
	memory  uint32 // KiB
	passes  uint32
	threads uint8
	salt    []byte
	key     []byte
}

// Bounds of what is read. A hash comes from our own table or from an import; were
// it forged, it must not be able to take the machine's memory or minutes of work.
const (
	maxMemory   = 128 * 1024 // KiB
	maxPasses   = 16
	maxThreads  = 16
	maxWork     = 512 * 1024 // KiB times passes
	minSalt     = 8
	minKey      = 16
	maxSaltKey  = 64
	maxPHCBytes = 256
)

// errPHC says nothing about the hash itself: it may be a secret that was put in
// the wrong place.
var errPHC = errors.New("not an argon2id hash in PHC form within bounds")

// parsePHC reads "$argon2id$v=19$m=19456,t=2,p=1$salt$key". Each hash has exactly
// one text; everything else is refused.
func parsePHC(s string) (phc, error) {
	var p phc
	if len(s) > maxPHCBytes {
		return p, errPHC
	}
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v=19" {
		return p, errPHC
	}
	params := strings.Split(parts[3], ",")
	if len(params) != 3 {
		return p, errPHC
	}
	m, okM := phcNumber(params[0], "m=", maxMemory)
	t, okT := phcNumber(params[1], "t=", maxPasses)
	n, okP := phcNumber(params[2], "p=", maxThreads)
	if !okM || !okT || !okP || m < 8*n || m*t > maxWork {
		return p, errPHC
	}
	salt, okS := phcBytes(parts[4], minSalt)
	key, okK := phcBytes(parts[5], minKey)
	if !okS || !okK {
		return p, errPHC
	}
	return phc{memory: m, passes: t, threads: uint8(n), salt: salt, key: key}, nil
}

// phcNumber reads a decimal from 1 to limit without leading zeros.
func phcNumber(s, name string, limit uint32) (uint32, bool) {
	digits, ok := strings.CutPrefix(s, name)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || n < 1 || n > uint64(limit) || strconv.FormatUint(n, 10) != digits {
		return 0, false
	}
	return uint32(n), true
}

func phcBytes(s string, least int) ([]byte, bool) {
	b, err := base64.RawStdEncoding.Strict().DecodeString(s)
	// The decoder skips line breaks; encoding again gives them away.
	if err != nil || len(b) < least || len(b) > maxSaltKey || base64.RawStdEncoding.EncodeToString(b) != s {
		return nil, false
	}
	return b, true
}

// String returns the PHC string.
func (p phc) String() string {
	var b strings.Builder
	b.WriteString("$argon2id$v=19$m=")
	b.WriteString(strconv.FormatUint(uint64(p.memory), 10))
	b.WriteString(",t=")
	b.WriteString(strconv.FormatUint(uint64(p.passes), 10))
	b.WriteString(",p=")
	b.WriteString(strconv.FormatUint(uint64(p.threads), 10))
	b.WriteString("$")
	b.WriteString(base64.RawStdEncoding.EncodeToString(p.salt))
	b.WriteString("$")
	b.WriteString(base64.RawStdEncoding.EncodeToString(p.key))
	return b.String()
}
