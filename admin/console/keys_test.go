package console_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/provider/keys"
)

// TestKeysTellTheirTimes: keys stand in the order in which they sign, with when they
// may, do and did, and a rotation that would be refused is off and says until when.
func TestKeysTellTheirTimes(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	now, day := time.Now().UnixMilli(), int64(24*3600_000)
	insert := func(kid, algorithm string, state keys.State, published, activated, retired int64) {
		o.must(o.db.InsertKey(t.Context(), keys.Record{
			KID: kid, Algorithm: algorithm, State: state, CreatedAt: published, PublishedAt: published, ActivatedAt: activated, RetiredAt: retired,
		}))
	}
	insert("aretires", keys.RS256, keys.Retiring, now-99*day, now-90*day, now-2*day)
	insert("byoung00", keys.RS256, keys.Next, now, 0, 0)
	insert("csigns00", keys.RS256, keys.Active, now-50*day, now-2*day, 0)
	insert("dsigns00", keys.ES256, keys.Active, now-day, now-day, 0)
	insert("eripe000", keys.ES256, keys.Next, now-day, 0, 0)

	root := o.clerk(o.person(accounts.NewUser{Username: "root", Superuser: true, Staff: true}))
	at := func(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05Z") }
	page := root.get("keys").sees(http.StatusOK, "may sign from", "signs since", "needed until", "if nobody rotates before", "Rotate RS256", "Rotate ES256",
		"RS256 can be rotated from", "!ES256 can be rotated from")
	got := regexp.MustCompile(`<code><bdi>(\w+)</bdi>`).FindAllStringSubmatch(page.raw, -1)
	want := []string{"byoung00", "csigns00", "aretires", "eripe000", "dsigns00"}
	if !slices.EqualFunc(got, want, func(g []string, w string) bool { return g[1] == w }) {
		t.Errorf("in the order %v, want %v", got, want)
	}
	for _, moment := range []int64{now + keys.DefaultJWKSMaxAge.Milliseconds(), now - 2*day, now + 28*day} {
		if !strings.Contains(page.raw, at(moment)) {
			t.Errorf("%s is not on the page", at(moment))
		}
	}
	for algorithm, off := range map[string]bool{keys.RS256: true, keys.ES256: false} {
		button := regexp.MustCompile(fmt.Sprintf(`<button[^>]*value="%s"[^>]*>`, algorithm)).FindString(page.raw)
		if button == "" || strings.Contains(button, " disabled") != off {
			t.Errorf("%s: %s", algorithm, button)
		}
	}
	for state, tone := range map[string]string{"comes next": "second", "signs now": "good", "still verified": ""} {
		if !strings.Contains(page.raw, `<span class="badge `+tone+`">`+state) {
			t.Errorf("%s has another tone", state)
		}
	}
	o.clerk(o.person(accounts.NewUser{Username: "reader", Staff: true}, accounts.AdminKeysRead)).get("keys").sees(http.StatusOK, "needed until", "!Rotate RS256")
}
