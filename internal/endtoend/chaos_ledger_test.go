package endtoend_test

import (
	"encoding/json"
	"time"

	"github.com/gatehouse-id/gatehouse/revocation"
)

// causes says by which row each way of taking a token back kills it.
func causes() map[string]revocation.Kind {
	return map[string]revocation.Kind{
		"token": revocation.Token, "grant": revocation.Grant, "code replay": revocation.Grant, "session": revocation.Session,
		"membership": revocation.Membership, "user": revocation.User, "ban": revocation.User,
		"permission": revocation.Permission, "all": revocation.All, "key": revocation.Key,
	}
}

// rowOf is what the ledger must know of a death: the cause's own row, whatever else
// may have killed the token since.
func rowOf(d death) (kind revocation.Kind, key string) {
	switch kind = causes()[d.cause]; kind {
	case revocation.Token:
		key = partOf(d.token, 1, "jti")
	case revocation.Session:
		key = sessionOf(d.token)
	case revocation.Grant:
		key = partOf(d.token, 1, "gid")
	case revocation.User, revocation.Membership:
		key = partOf(d.token, 1, "sub")
	case revocation.Permission:
		key = "posts:add"
	case revocation.Key:
		key = keyOf(d.token)
	}
	return kind, key
}

// revOf is the position up to which a token's decision knew everything.
func revOf(token string) int64 {
	var claims struct {
		Rev int64 `json:"rev"`
	}
	if err := json.Unmarshal(bodyOf(token, 1), &claims); err != nil {
		return 0
	}
	return claims.Rev
}

// register is what the test has read of the ledger.
type register struct {
	position int64
	newest   map[[2]string]int64 // position by kind and key
	deaths   int                 // how many were found
}

// ends reports whether there is a row that kills the token.
func (k *register) ends(d death, kind revocation.Kind, key string) bool {
	position, known := k.newest[[2]string{string(kind), key}]
	return known && (kind.Absolute() || position > revOf(d.token))
}

// audit looks for the row of each death since it looked last: one that was answered
// with success and is not there was lost, even if the tokens have died by something
// else since.
func (s *chaosStage) audit() {
	s.t.Helper()
	s.judges.mu.Lock()
	deaths := s.judges.deaths[s.known.deaths:]
	s.judges.mu.Unlock()
	for {
		rows, err := s.load.db.After(s.t.Context(), s.known.position, 1000)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, r := range rows {
			s.known.newest[[2]string{string(r.Kind), r.Key}] = r.Position
			s.known.position = r.Position
		}
		if len(rows) == 0 {
			break
		}
	}
	for _, d := range deaths {
		kind, key := rowOf(d)
		// Who gives back a token that is dead already is told so, and no row is written.
		if !s.known.ends(d, kind, key) && !s.known.ends(d, revocation.Key, keyOf(d.token)) && !s.known.ends(d, revocation.All, "") {
			s.judges.fault("the ledger has no row of kind %s that ends a token (%s)", kind, d)
		}
	}
	s.known.deaths += len(deaths)
}

// expiryOf is when a token ends by itself.
func expiryOf(token string) time.Time {
	var claims struct {
		Exp int64 `json:"exp"`
	}
	if err := json.Unmarshal(bodyOf(token, 1), &claims); err != nil {
		return time.Time{}
	}
	return time.Unix(claims.Exp, 0)
}
