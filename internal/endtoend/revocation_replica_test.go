package endtoend_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

// TestAttack_241_PromotedReplicaLacksTheBan: the primary dies, and the asynchronous
// replica that takes its place has never heard of a ban which was answered. The
// nodes, which are told both addresses, do it again.
func TestAttack_241_PromotedReplicaLacksTheBan(t *testing.T) {
	primary := testenv.OwnPostgres(t)
	replica := primary.Replica()
	both := parsed(t, primary.URL)
	both.Host += "," + parsed(t, replica.URL).Host
	s := newLossStage(t, 2, both.String(), "")
	// It has all that was before, and nothing that comes.
	replica.CatchUp(primary)
	replica.Stop()
	position := s.ban()
	primary.Stop()
	replica.Start()
	replica.Promote()
	s.repaired(position)
	s.staysBanned()
	// What is new is written there.
	if head, err := s.ledger(t).Head(t.Context()); err != nil || head.Position <= position {
		t.Errorf("the ledger is at %+v, %v", head, err)
	}
	if !strings.Contains(s.nodes[0].logged.String()+s.nodes[1].logged.String(), "ended again") {
		t.Error("no node has said that a part of the ledger was lost")
	}
}
