package endtoend_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/resource"
	"github.com/gatehouse-id/gatehouse/revocation"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
)

// lossStage is a deployment with a person whose token a resource server accepts.
type lossStage struct {
	*cluster
	t     *testing.T
	app   *app
	api   *resource.Verifier
	token *oauth2.Token
}

func newLossStage(t *testing.T, nodes int, database, redis string) *lossStage {
	t.Helper()
	c := clusterOf(t, nodes, database, redis)
	own := c.furnish(t)
	s := &lossStage{cluster: c, t: t, app: c.goApp(t), api: c.follower(t, own, newLink(t, c.any), resource.Events{})}
	s.token, _ = s.app.signIn(c.editor(t), editor)
	s.accepts(s.token.AccessToken)
	return s
}

// accepts waits until the resource server accepts a token.
func (s *lossStage) accepts(token string) {
	s.t.Helper()
	var last error
	for range 200 {
		if _, last = s.api.Verify(s.t.Context(), token); last == nil {
			return
		}
		pause()
	}
	s.t.Fatalf("the token is not accepted: %v", last)
}

// ban bans the person, and waits until the resource server knows. It returns the
// ledger's position.
func (s *lossStage) ban() int64 {
	s.t.Helper()
	s.command(s.t, "user", "ban", "--user", editor)
	soon(s.t, "the ban has reached the resource server", s.refused)
	head, err := s.ledger(s.t).Head(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return head.Position
}

// refused reports whether the resource server knows that the token was taken back.
func (s *lossStage) refused() bool {
	_, err := s.api.Verify(s.t.Context(), s.token.AccessToken)
	return errors.Is(err, resource.ErrRevoked)
}

// repaired waits until the ledger goes on above a position, with a row of kind all
// there, while the token stays dead.
func (s *lossStage) repaired(position int64) {
	s.t.Helper()
	db := s.ledger(s.t)
	soon(s.t, "the ledger goes on above what was lost", func() bool {
		if _, err := s.api.Verify(s.t.Context(), s.token.AccessToken); err == nil {
			s.t.Fatal("the token lives again")
		}
		return everyTokenRefreshes(s.t, db, position)
	})
}

// everyTokenRefreshes reports whether there is a row of kind all above a position.
func everyTokenRefreshes(t *testing.T, db *sqldb.DB, position int64) bool {
	t.Helper()
	rows, err := db.After(t.Context(), position, 100)
	return err == nil && slices.ContainsFunc(rows, func(r revocation.Row) bool { return r.Kind == revocation.All })
}

// TestL8_BackupRestoredWhileStopped: the database comes back as it was before a ban.
// What Redis remembers, or else the cursor of a resource server, gives it away:
// positions go on above, every token refreshes once, and none lives again.
func TestL8_BackupRestoredWhileStopped(t *testing.T) {
	for _, test := range []struct {
		name  string
		redis func(t *testing.T) string
		first func(s *lossStage, position int64) // what comes before the nodes
	}{
		{"Redis remembers, a command asks it", func(t *testing.T) string { return testenv.Redis(t) }, func(s *lossStage, position int64) {
			s.command(s.t, "client", "create", "--name", "Late", "--type", "machine")
			if !everyTokenRefreshes(s.t, s.ledger(s.t), position) {
				s.t.Fatal("the command has hidden that a backup was restored")
			}
		}},
		{"a follower remembers", func(*testing.T) string { return "" }, func(*lossStage, int64) {}},
	} {
		t.Run(test.name, func(t *testing.T) {
			database := testenv.Postgres(t)
			s := newLossStage(t, 2, database, test.redis(t))
			s.stop(t)
			backup := testenv.CopyPostgres(t, database)
			s.start(t)
			position := s.ban()
			s.stop(t)
			testenv.RestorePostgres(t, database, backup)
			test.first(s, position)
			s.start(t)
			s.repaired(position)
			if !s.refused() {
				t.Error("the resource server does not refuse the token of before the ban")
			}
			// One refresh heals whoever the database does not know to be banned.
			fresh, err := s.app.refresh(s.token)
			if err != nil {
				t.Fatalf("refresh: %v", err)
			}
			s.accepts(fresh.AccessToken)
			if !s.refused() {
				t.Error("the token of before lives again")
			}
		})
	}
}

// TestL8_BackupRestoredUnderRunningNodes: the nodes notice by themselves and do
// again what the database has forgotten, whether or not Redis tells of it.
func TestL8_BackupRestoredUnderRunningNodes(t *testing.T) {
	for _, test := range []struct {
		name  string
		redis func(t *testing.T) string
	}{
		{"with Redis", func(t *testing.T) string { return testenv.Redis(t) }},
		{"without Redis", func(*testing.T) string { return "" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			database := testenv.Postgres(t)
			s := newLossStage(t, 2, database, test.redis(t))
			backup := testenv.CopyPostgres(t, database)
			position := s.ban()
			testenv.RestorePostgres(t, database, backup)
			s.repaired(position)
			s.staysBanned()
		})
	}
}

// staysBanned checks that the person is banned by the database as it is now.
func (s *lossStage) staysBanned() {
	s.t.Helper()
	soon(s.t, "the ban is done again", func() bool {
		return s.ask(s.t, "user", "show", "--user", editor)["banned"] == true
	})
	if !s.refused() {
		s.t.Error("the token lives again")
	}
	if _, err := s.app.refresh(s.token); err == nil {
		s.t.Error("the refresh token lives again")
	}
	request := s.app.config.AuthCodeURL("s", oauth2.S256ChallengeOption(oauth2.GenerateVerifier()))
	if _, err := s.editor(s.t).authorize(request, editor); err == nil || !strings.Contains(err.Error(), "403") {
		s.t.Errorf("the banned person signs in: %v", err)
	}
}
