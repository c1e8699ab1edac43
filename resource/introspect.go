package resource

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/url"
	"sync"
	"time"
)

const (
	introspectTimeout = 3 * time.Second
	// introspectedFor is how long an answer serves, from when it was asked for.
	introspectedFor = 5 * time.Second
	// maxIntrospecting is how many questions are under way at once. An issuer that
	// has just come back must not be run over, and one that hangs must not hold
	// all requests.
	maxIntrospecting = 64
	maxIntrospected  = 8192
)

// Outcomes that [Events.Introspected] is called with.
const (
	OutcomeActive   = "active"
	OutcomeInactive = "inactive"
	OutcomeFailed   = "failed"
	OutcomeBusy     = "busy" // too many under way; not asked
)

var errBusy = errors.New("too many introspections are under way")

// introspector asks the issuer about tokens while the ledger is not fresh.
type introspector struct {
	account *account
	now     func() time.Time
	told    func(outcome string)

	mu       sync.Mutex
	answers  map[[sha256.Size]byte]*answer
	underWay int
}

// answer is what the issuer said about one token; done is closed when it has.
type answer struct {
	done    chan struct{}
	askedAt time.Time
	active  bool
	err     error
}

func newIntrospector(a *account, cfg Config) *introspector {
	told := cfg.Events.Introspected
	if told == nil {
		told = func(string) {}
	}
	return &introspector{account: a, now: cfg.Now, told: told, answers: map[[sha256.Size]byte]*answer{}}
}

// check returns nil if the issuer says that the token is active. Requests with the
// same token share one question.
func (i *introspector) check(ctx context.Context, digest [sha256.Size]byte, raw string) error {
	a := i.ask(digest, raw)
	if a == nil {
		i.told(OutcomeBusy)
		return unavailable(errBusy)
	}
	select {
	case <-a.done:
	case <-ctx.Done():
		return unavailable(context.Cause(ctx))
	}
	switch {
	case a.err != nil:
		return unavailable(a.err)
	case !a.active:
		return revokedToken(ReasonInactive, "the access token is no longer active")
	}
	return nil
}

// ask returns the answer to the question, or nil if it cannot be asked now.
func (i *introspector) ask(digest [sha256.Size]byte, raw string) *answer {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.now()
	if a := i.answers[digest]; a != nil && now.Sub(a.askedAt) <= introspectedFor {
		return a
	}
	if i.underWay >= maxIntrospecting {
		return nil
	}
	i.makeRoom(now)
	a := &answer{done: make(chan struct{}), askedAt: now}
	i.answers[digest] = a
	i.underWay++
	go i.run(digest, raw, a)
	return a
}

// makeRoom forgets old answers when there are many; the caller holds mu.
func (i *introspector) makeRoom(now time.Time) {
	if len(i.answers) < maxIntrospected {
		return
	}
	for digest, a := range i.answers {
		if now.Sub(a.askedAt) > introspectedFor {
			delete(i.answers, digest)
		}
	}
	for digest := range i.answers {
		if len(i.answers) < maxIntrospected {
			return
		}
		delete(i.answers, digest)
	}
}

// run asks. It has a context of its own: the request that caused it may end while
// others wait for the same answer.
func (i *introspector) run(digest [sha256.Size]byte, raw string, a *answer) {
	ctx, cancel := context.WithTimeout(context.Background(), introspectTimeout)
	defer cancel()
	a.active, a.err = i.request(ctx, raw)
	i.mu.Lock()
	i.underWay--
	if a.err != nil && i.answers[digest] == a {
		delete(i.answers, digest) // the next request tries again
	}
	i.mu.Unlock()
	close(a.done)
	switch {
	case a.err != nil:
		i.told(OutcomeFailed)
	case a.active:
		i.told(OutcomeActive)
	default:
		i.told(OutcomeInactive)
	}
}

func (i *introspector) request(ctx context.Context, raw string) (bool, error) {
	address, err := i.account.introspection(ctx)
	if err != nil {
		return false, err
	}
	var answer struct {
		Active bool `json:"active"`
	}
	form := url.Values{"token": {raw}, "token_type_hint": {"access_token"}}
	err = i.account.post(ctx, "introspection endpoint", address, form, &answer)
	return answer.Active, err
}
