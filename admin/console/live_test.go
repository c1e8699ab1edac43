package console_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// openedOffice is an office that a browser can reach.
func openedOffice(t *testing.T) *office {
	t.Helper()
	var o *office
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { o.server.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	o = newOffice(t, server.URL)
	return o
}

// seat puts somebody in front of a browser.
func (c *clerk) seat() []chromedp.Action {
	var list []chromedp.Action
	for _, k := range c.cookies {
		list = append(list, network.SetCookie(k.Name, k.Value).WithURL(c.issuer+"/"))
	}
	return list
}

// TestScript: all people of a page can be ticked at once; while somebody types, the page
// says what stands against an address, and takes it back.
func TestScript(t *testing.T) {
	o := openedOffice(t)
	root := o.clerk(o.person(accounts.NewUser{Username: "root", Superuser: true, Staff: true}))
	ctx := testenv.Browser(t)
	const field, said = "#redirect_uris", "#redirect_uris-findings li"
	clear := chromedp.Evaluate(`document.querySelector("`+field+`").value = ""`, nil)
	o.person(accounts.NewUser{Username: "ada"})
	var first, second, invalid string
	var ticked []int
	tick := chromedp.Tasks{
		chromedp.Click("[data-tick]", chromedp.ByQuery),
		chromedp.Evaluate(`[document.querySelectorAll("[name=person]:checked").length, document.querySelectorAll("[name=person]").length]`, &ticked),
	}
	err := chromedp.Run(ctx, append(root.seat(),
		chromedp.Navigate(o.issuer+"/admin/users"), tick,
		chromedp.Navigate(o.issuer+"/admin/clients/new?kind=web"),
		chromedp.SendKeys(field, "http://app.example.com/", chromedp.ByQuery),
		chromedp.WaitVisible(said+".bad", chromedp.ByQuery),
		chromedp.Text(said, &first, chromedp.ByQuery),
		chromedp.AttributeValue(field, "aria-invalid", &invalid, nil, chromedp.ByQuery),
		clear,
		chromedp.SendKeys(field, "http://localhost/", chromedp.ByQuery),
		chromedp.WaitVisible(said+".warn", chromedp.ByQuery),
		chromedp.Text(said, &second, chromedp.ByQuery),
		clear,
		chromedp.SendKeys(field, "https://app.example.com/", chromedp.ByQuery),
		chromedp.WaitNotPresent(said, chromedp.ByQuery),
	)...)
	if err != nil {
		t.Fatal(err)
	}
	if first != "http://app.example.com/ cannot be used: http is for loopback only (localhost, 127.0.0.1, [::1]); use https" || invalid != "true" {
		t.Errorf("said %q, invalid %s", first, invalid)
	}
	if len(ticked) != 2 || ticked[0] != 2 || ticked[1] != 2 {
		t.Errorf("ticked %v", ticked)
	}
	if second != "http://localhost/ leads to the browser’s own computer: good for development only." {
		t.Errorf("said %q", second)
	}
}
