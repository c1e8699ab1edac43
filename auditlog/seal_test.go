package auditlog

import (
	"testing"
	"time"
)

// TestSealEvery: with a step twice a second, each of which takes all that waits, what
// was committed is sealed within the second that docs/audit.md promises. (That one look
// takes everything is shown with the databases, TestAuditCutTold.)
func TestSealEvery(t *testing.T) {
	if sealEvery > time.Second/2 {
		t.Errorf("a look every %v", sealEvery)
	}
}
