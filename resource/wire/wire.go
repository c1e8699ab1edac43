// Package wire is the format in which resource servers follow the ledger,
// version 1. Both ends use it; docs/wire.md describes it for those who
// write a follower in another language.
//
// A follower holds a cursor: an opaque text that says up to where it knows the
// ledger. GET /revocations answers what comes after a cursor as one [Snapshot].
// GET /revocations/stream sends server-sent events whose data is a [Frame] and
// whose id is the next cursor. Every frame continues the one before it on the
// same connection: its Prev is that one's Position. A frame without rows is the
// connection's heartbeat.
//
// What identifies people never crosses the wire: rows carry [Key], a keyed hash
// under a secret that belongs to one audience.
package wire

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
)

// Version is what Frame.Version says. A follower that meets another one must
// count as stale: it cannot know what it does not understand.
const Version = 1

// Paths of the feed, relative to the issuer.
const (
	PathSnapshot = "/revocations"
	PathStream   = "/revocations/stream"
	PathPosition = "/revocations/position"
)

// Scope is what the follower's access token must carry; its audience is the issuer.
const Scope = "revocations:read"

// ParamAfter is the query parameter of PathSnapshot and PathStream that carries
// the cursor; the header Last-Event-ID is the same for PathStream and wins.
const ParamAfter = "after"

// ParamComplete is the query parameter of PathSnapshot that asks, with the value
// "true", for everything although ParamAfter is given: then that cursor is only
// evidence of what the follower knows.
const ParamComplete = "complete"

// Names of the server-sent events.
const (
	EventRows  = "rows"  // a Frame with rows
	EventHead  = "head"  // a Frame without rows: the heartbeat
	EventReset = "reset" // a Reset: the cursor cannot be continued, ask for a snapshot
)

// Bounds that both ends rely on, in milliseconds.
const (
	HeartbeatEvery = 2_000  // a stream without a frame for three of these is dead
	FreshFor       = 10_000 // a follower is fresh while what it knows was confirmed this recently
	ConfirmedFor   = 3_000  // a node sends no frame when its own head is older (L5)
	// KeySetFor is how long a follower may use a key set that it cannot replace: the
	// row about a key in wrong hands lives longer (L1).
	KeySetFor = 7_200_000
)

// Kinds of rows. Any other kind makes a follower stale.
const (
	KindToken      = "token"
	KindSession    = "session"
	KindGrant      = "grant"
	KindUser       = "user"
	KindMembership = "membership"
	KindPermission = "permission"
	KindClient     = "client"
	KindKey        = "key"
	KindAll        = "all"
)

// Claim returns the claim of a token that rows of the kind are matched with, and
// false for a kind that this version does not know. It is empty for KindAll.
func Claim(kind string) (string, bool) {
	switch kind {
	case KindToken:
		return "jti", true
	case KindSession:
		return "sid", true
	case KindGrant:
		return "gid", true
	case KindUser, KindMembership:
		return "sub", true
	case KindPermission:
		return "scope", true // each word of it; tokens with a gid alone
	case KindClient:
		return "client_id", true
	case KindKey:
		return "kid", true
	case KindAll:
		return "", true
	}
	return "", false
}

// Row is a row of the ledger as followers see it.
type Row struct {
	Position int64  `json:"position"`
	Kind     string `json:"kind"`
	Key      string `json:"key,omitempty"` // Digest.Text of the matched claim; empty for KindAll and for rows that match nothing
	Expires  int64  `json:"expires"`       // Unix seconds; no token needs the row any more
}

// Frame says what happened between two positions.
type Frame struct {
	Version  int    `json:"v"`
	Timeline string `json:"timeline"` // another one is another history
	// Prev is the position that the frame continues; Position the one up to which
	// the follower knows everything that concerns it, once it has applied Rows.
	Prev     int64 `json:"prev"`
	Position int64 `json:"position"`
	// Floor is the highest position whose row was dropped; a token with a lower
	// rev is refused (L12).
	Floor int64 `json:"floor"`
	// Time is the server's clock when the frame was made, in Unix milliseconds.
	Time int64 `json:"time"`
	// Age is how long before Time the database confirmed Position, in milliseconds.
	Age  int64 `json:"age"`
	Rows []Row `json:"rows,omitempty"`
}

// Snapshot answers GET /revocations.
type Snapshot struct {
	Frame
	// Complete means that Rows are all that live: the follower puts them in place
	// of what it had. Otherwise they are added to it.
	Complete bool `json:"complete"`
	// Cursor continues after this snapshot.
	Cursor string `json:"cursor"`
	// HashKey is the secret of Key, in base64url. It changes with the server's
	// secret; then the cursor cannot be continued and a complete snapshot brings
	// the new one.
	HashKey string `json:"hash_key"`
}

// Reset is the data of EventReset.
type Reset struct {
	Version int    `json:"v"`
	Reason  string `json:"reason"` // for logs: "timeline", "hash_key", "too_old", "malformed"
}

// Report is the body of POST /revocations/position.
type Report struct {
	// Instance tells replicas of one resource server apart: 1 to 64 characters of
	// letters, digits, dot, dash and underscore.
	Instance string `json:"instance"`
	// Cursor is the last one that was applied.
	Cursor string `json:"cursor"`
	// State is "fresh", "stale" or "syncing".
	State string `json:"state"`
	// Lag is how old what the follower knows is, in milliseconds.
	Lag int64 `json:"lag"`
}

// Reported answers a Report.
type Reported struct {
	// ReportAfter is when to report again at the earliest, in seconds.
	ReportAfter int64 `json:"report_after"`
}

// Digest is a keyed hash of one claim of a token.
type Digest [16]byte

// Sum returns the digest of a claim's value under the secret of an audience:
// the first 16 bytes of HMAC-SHA256 over the claim's name, a zero byte, and the
// value.
func Sum(hashKey []byte, claim, value string) Digest {
	mac := hmac.New(sha256.New, hashKey)
	mac.Write([]byte(claim))
	mac.Write([]byte{0})
	mac.Write([]byte(value))
	return Digest(mac.Sum(nil)[:16])
}

// Text returns d as rows carry it: base64url without padding, 22 characters.
func (d Digest) Text() string { return base64.RawURLEncoding.EncodeToString(d[:]) }

// Fingerprint is what a set in memory keeps of d.
func (d Digest) Fingerprint() uint64 { return binary.BigEndian.Uint64(d[:8]) }

// ParseDigest reads what Text wrote; false for anything else.
func ParseDigest(text string) (Digest, bool) {
	var d Digest
	if len(text) != 22 {
		return d, false
	}
	n, err := base64.RawURLEncoding.Strict().Decode(d[:], []byte(text))
	return d, err == nil && n == len(d)
}
