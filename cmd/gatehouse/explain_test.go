package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/revocation/feed"
)

// TestPatience: --explain waits until the slowest of those who are there has reported.
func TestPatience(t *testing.T) {
	for followers, want := range map[int]time.Duration{
		0: 20 * time.Second, 500: 20 * time.Second, 1_600: 30 * time.Second, 10_000: 135 * time.Second, 100_000: 160 * time.Second,
	} {
		if got := patience(followers); got != want {
			t.Errorf("%d followers: %s, want %s", followers, got, want)
		}
	}
}

// TestExplain finds the row of a key, and of everything; and who has not reported yet is no reason to worry before the next
// reports are due, and the answer says when they are.
func TestExplain(t *testing.T) {
	environ := []string{"GATEHOUSE_ISSUER=http://localhost:1", "GATEHOUSE_DATA_DIR=" + filepath.Join(t.TempDir(), "data")}
	mustRun(t, environ, "migrate", "up")
	mustRun(t, environ, "keys", "rotate", "--alg", "ES256")
	list := decode[struct{ Keys []keyAnswer }](t, environ, "", "keys", "list")
	kid := list.Keys[0].KID
	mustRun(t, environ, "keys", "compromise", "--kid", kid)
	if e := decode[explanation](t, environ, "", "revoke", "explain", "--key", kid); e.Kind != "key" || e.Key != kid || len(e.Events) == 0 {
		t.Errorf("%+v", e)
	}
	all := decode[explanation](t, environ, "", "revoke", "all", "--explain")
	now := time.Now()
	const late = 2_000
	reports := make([]feed.Applied, 0, late)
	for i := range late {
		reports = append(reports, feed.Applied{
			ClientID: "c", Instance: fmt.Sprint(i), Audience: "https://a.example", Timeline: "t", State: "fresh",
			Position: all.Position - int64(i%2), ReportedAt: now.UnixMilli(),
		})
	}
	c := &call{ctx: t.Context(), environ: environ, stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, now: time.Now}
	err := c.with(false, func(ctx context.Context, d *domain, _ audit.Actor) error { return d.db.WriteReports(ctx, reports) })
	if err != nil {
		t.Fatal(err)
	}
	e := decode[explanation](t, environ, "", "revoke", "explain", "--all")
	if e.Position != all.Position || e.open() != late/2 || e.ReportsWithin != 35 {
		t.Errorf("position %d, %d open, reports within %d s", e.Position, e.open(), e.ReportsWithin)
	}
	wantLines(t, mustRun(t, environ, "revoke", "explain", "--all"),
		fmt.Sprintf(`(?m)^%d have not reported it yet\. Who is there and not cut off does so until 20\S+Z: gatehouse revoke explain --position %d$`, late/2, all.Position))
}
