package testenv

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestBrowser counts visits in a cookie: a second tab goes on counting, a
// second browser starts again.
func TestBrowser(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		visits := 1
		if c, err := r.Cookie("visits"); err == nil {
			if _, err := fmt.Sscan(c.Value, &visits); err != nil {
				t.Error(err)
			}
			visits++
		}
		if r.URL.Path == "/" { // not for /favicon.ico
			http.SetCookie(w, &http.Cookie{Name: "visits", Value: fmt.Sprint(visits)})
		}
		fmt.Fprintf(w, "<p id=visits>%d</p>", visits)
	}))
	t.Cleanup(site.Close)

	mine := Browser(t)
	beside := Tab(t, mine)
	other := Browser(t)
	for _, visit := range []struct {
		name string
		tab  context.Context
		want string
	}{
		{"first tab", mine, "1"},
		{"second tab", beside, "2"},
		{"other browser", other, "1"},
		{"first tab again", mine, "3"},
	} {
		var got string
		if err := chromedp.Run(visit.tab, chromedp.Navigate(site.URL), chromedp.Text("#visits", &got)); err != nil {
			t.Fatalf("%s: %v", visit.name, err)
		}
		if got != visit.want {
			t.Errorf("%s: visit %s, want %s", visit.name, got, visit.want)
		}
	}
}

func TestBrowserStaysOffline(t *testing.T) {
	ctx := Browser(t)
	if err := chromedp.Run(ctx, chromedp.Navigate("http://www.example.com/")); err == nil {
		t.Error("the browser went online")
	}
}
