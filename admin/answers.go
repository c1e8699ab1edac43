package admin

import "context"

// Claim is the first use of an idempotency key.
type Claim struct {
	ID        []byte // hash of the caller and the key
	Request   []byte // hash of what was asked
	At        int64  // Unix milliseconds
	ExpiresAt int64  // Unix milliseconds
}

// Kept is what is known of a key that was used before.
type Kept struct {
	Request []byte
	At      int64  // of the claim, Unix milliseconds
	Answer  []byte // sealed; nil while there is none
}

// AnswerStore keeps the answers to requests that carry an idempotency key.
type AnswerStore interface {
	// ClaimKey takes a key in one statement, also one whose time has passed. For all
	// but one who do so at once it returns what is kept instead.
	ClaimKey(ctx context.Context, c Claim) (*Kept, error)
	// KeepAnswer puts the answer to a claim.
	KeepAnswer(ctx context.Context, c Claim, sealed []byte) error
	// FreeKey gives a claim back, so that the request can be tried again.
	FreeKey(ctx context.Context, c Claim) error
}
