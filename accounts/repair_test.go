package accounts_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// restored returns the stage on a database as it was when the file was copied.
func (s *stage) restored(copied string) *stage {
	s.t.Helper()
	old := *s
	old.world = newWorldOn(s.t, "sqlite://"+copied)
	return &old
}

// copyFile copies a database that nobody writes to.
func (s *stage) copyFile() string {
	s.t.Helper()
	to := filepath.Join(s.t.TempDir(), "copy.db")
	for _, part := range []string{"", "-wal"} {
		content, err := os.ReadFile(s.path + part)
		s.must(err)
		s.must(os.WriteFile(to+part, content, 0o600))
	}
	return to
}

// allowed reports whether alice's consent for the client stands.
func (s *stage) allowed() bool {
	c, err := s.db.ConsentOf(s.t.Context(), s.alice.ID, s.app.ID)
	return err == nil && c.RevokedAt == 0
}

// serving reports whether the API gives something.
func (s *stage) serving() bool {
	a, err := s.db.APIByAudience(s.t.Context(), postsAPI)
	return err == nil && a.DisabledAt == 0
}

func (w *world) connections() *accounts.Connections {
	return &accounts.Connections{Journal: w.users.Journal, Clients: w.db, Grants: w.db, Consents: w.db}
}

func (w *world) repair() *accounts.Repair {
	return &accounts.Repair{
		Journal: w.users.Journal, Head: w.db, Users: w.users, Sessions: w.sessions, Consents: w.consents, Clients: w.clients,
		Connections: w.connections(), APIs: w.apis,
		Compromise: func(context.Context, audit.Actor, string, string) error { return nil },
		Log:        slog.New(slog.NewJSONHandler(&w.log, nil)),
	}
}

// TestL8_CausesAreDoneAgain: after a database came back as it was before a cause,
// the rows of the ledger are enough to end again what it had ended. What they do
// not tell is named to the operator.
func TestL8_CausesAreDoneAgain(t *testing.T) {
	for _, c := range slices.Concat(personCauses(), appCauses(), rightCauses()) {
		t.Run(c.name, func(t *testing.T) {
			ctx := t.Context()
			s := newStage(t)
			copied := s.copyFile()
			before := s.position()
			s.must(c.do(ctx, s))
			position := s.position()
			lost, err := s.db.After(ctx, before, 100)
			s.must(err)
			had, allowed, serving := s.leftAfter(before), s.allowed(), s.serving()

			s = s.restored(copied)
			if err := s.repair().Apply(ctx, position, lost); err != nil {
				t.Fatal(err)
			}
			got := s.leftAfter(before)
			for _, name := range had.Sessions {
				if !slices.Contains(got.Sessions, name) {
					t.Errorf("the session %s lives again", name)
				}
			}
			for _, name := range had.Grants {
				if !slices.Contains(got.Grants, name) {
					t.Errorf("the grant %s lives again", name)
				}
			}
			if slices.Contains(had.Stamps, "client") && !slices.Contains(got.Stamps, "client") {
				t.Error("a code that the client is being given lives")
			}
			if now := s.allowed(); slices.Contains(had.Stamps, "client") && now != allowed {
				t.Errorf("alice allows the client something: %t, it was %t", now, allowed)
			}
			if now := s.serving(); now != serving {
				t.Errorf("the API gives something: %t, it was %t", now, serving)
			}
			head, err := s.db.Head(ctx)
			s.must(err)
			if head.Position <= position {
				t.Errorf("the head is at %d, it was at %d", head.Position, position)
			}
			if !slices.Contains(got.Rows, "all ") {
				t.Errorf("no token has to refresh: %q", got.Rows)
			}
			// What the rows cannot bring back has to be said.
			unrepaired := strings.Contains(s.log.String(), "an operator must do it again")
			wants := c.name != "API disabled" && slices.ContainsFunc(had.Rows, func(row string) bool {
				return strings.HasPrefix(row, "membership ") || strings.HasPrefix(row, "permission ")
			})
			if wants && !unrepaired {
				t.Errorf("nobody is told what was not repaired:\n%s", s.log.String())
			}
		})
	}
}

// TestRepairOfWhatIsGone: rows about people, sessions and clients that the restored
// database never knew are no obstacle.
func TestRepairOfWhatIsGone(t *testing.T) {
	ctx := t.Context()
	s := newStage(t)
	copied := s.copyFile()
	before := s.position()
	u, c := s.user("late"), s.client("Late")
	_, session := s.session(u)
	gid := s.grant(u, c, session, true)
	s.must(s.consents.RevokeGrant(ctx, operator(), gid, accounts.ReasonRevoked))
	s.must(s.world.sessions.SignOut(ctx, operator(), u.Subject, session.ID))
	s.must(s.users.Ban(ctx, operator(), u.Subject))
	s.must(s.clients.Disable(ctx, operator(), c.ClientID))
	s.must(s.clients.Compromised(ctx, operator(), c.ClientID))
	lost, err := s.db.After(ctx, before, 100)
	s.must(err)
	if len(lost) != 5 {
		t.Fatalf("%d rows", len(lost))
	}
	s = s.restored(copied)
	if err := s.repair().Apply(ctx, before+5, lost); err != nil {
		t.Fatal(err)
	}
	if got := s.rows(before); !slices.Equal(got, []string{"all "}) {
		t.Errorf("rows %q", got)
	}
	if !bytes.Contains([]byte(strings.Join(s.events(1), " ")), []byte("ledger.repair")) {
		t.Errorf("events %q", s.events(3))
	}
}
