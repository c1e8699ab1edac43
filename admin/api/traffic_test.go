package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/counts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// TestTraffic: the status tells what was counted of real requests, by hours and by
// days, in the shape that the description says, and apps to those who may see them.
func TestTraffic(t *testing.T) {
	w := newWorld(t)
	c := &client{world: w, doc: w.description(), token: w.rootKey, used: map[string]bool{}}
	w.must(w.counter.Flush(t.Context())) // what made the world
	before := w.want(c.do("getStatus", nil, nil), http.StatusOK, "")
	w.machine("counting", accounts.AdminUsersRead)
	robot := w.register(accounts.Registration{Name: "Robot", Type: accounts.MachineClient, Permissions: []string{accounts.AdminUsersRead}})
	for range 2 {
		r := httptest.NewRequest(http.MethodPost, issuer+"/oauth2/token", strings.NewReader("grant_type=client_credentials"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth(robot.ClientID, "wrong")
		w.server.ServeHTTP(httptest.NewRecorder(), r)
	}
	w.counter.Count(counts.What{Kind: counts.Introspection, Name: counts.Active}, id.ID{})
	w.must(w.counter.Flush(t.Context()))
	// Two days later the hours are over, and the days are not.
	for _, tt := range []struct {
		name          string
		later         time.Duration
		hours, robots int
	}{{"now", 0, 1, 2}, {"two days later", 48 * time.Hour, 0, 0}} {
		w.advance(tt.later)
		c.token = w.bearer(w.root)
		after := w.want(c.do("getStatus", nil, nil), http.StatusOK, "")
		grew := func(span, of, name string) int {
			return counted(after.json, span, of, name) - counted(before.json, span, of, name)
		}
		got := []int{
			grew("by_hour", "tokens", "client_credentials"), grew("by_hour", "refusals", "invalid_client"), grew("by_hour", "introspections", "active"),
			grew("by_day", "tokens", "client_credentials"), grew("by_day", "refusals", "invalid_client"), grew("by_day", "introspections", "active"),
		}
		want := []int{tt.hours, 2 * tt.hours, tt.hours, 1, 2, 1}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%s: counted %v, want %v", tt.name, got, want)
				break
			}
		}
		if robots := counted(after.json, "", "most_refused", "Robot"); robots != tt.robots {
			t.Errorf("%s: Robot was refused %d times", tt.name, robots)
		}
		if at(after.json, "audit", "broken") != nil || at(after.json, "audit", "head") == nil {
			t.Errorf("%s: the audit log: %v", tt.name, after.json["audit"])
		}
	}
	c.token = w.operator("reader", accounts.AdminAuditRead)
	less := w.want(c.do("getStatus", nil, nil), http.StatusOK, "")
	if at(less.json, "traffic", "most_refused") != nil || counted(less.json, "by_day", "refusals", "invalid_client") < 2 {
		t.Errorf("somebody who may not see apps is shown %v", less.json["traffic"])
	}
}

// counted adds up what a status says of one name.
func counted(status any, span, of, name string) int {
	where := []any{"traffic", of}
	if span != "" {
		where = []any{"traffic", span, of}
	}
	list, _ := at(status, where...).([]any)
	sum := 0
	for _, one := range list {
		if at(one, "name") == name || at(one, "error") == name {
			n, _ := at(one, "count").(float64)
			sum += int(n)
		}
	}
	return sum
}
