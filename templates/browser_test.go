package templates_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/templates"
)

// policy is as strict as the one that the server sends.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'"

// serve shows the fixture /name, with ?theme= and ?lang=.
func serve(t *testing.T) *httptest.Server {
	t.Helper()
	return serveWith(t, templates.Options{})
}

func serveWith(t *testing.T, opts templates.Options) *httptest.Server {
	t.Helper()
	r := newRenderer(t, opts)
	mux := http.NewServeMux()
	mux.Handle("/static/", r.Static())
	for _, f := range append(append(fixtures(), longNames()...), moreForms()...) {
		mux.HandleFunc("/"+f.name, func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Content-Security-Policy", policy)
			theme := templates.Theme(req.URL.Query().Get("theme"))
			if err := f.render(r, w, r.Language(req.URL.Query().Get("lang")), framePage(theme)); err != nil {
				t.Errorf("render %s: %v", f.name, err)
			}
		})
	}
	mux.HandleFunc("/pictures/", portrait)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func sized(width int64) chromedp.Action {
	return emulation.SetDeviceMetricsOverride(width, 800, 1, width < 600)
}

// A look is a way in which pictures of the gallery are taken. None is wider than a
// page of documentation.
type look struct {
	name  string
	theme templates.Theme
	width int64
}

func looks() []look {
	return []look{
		{"light", templates.ThemeLight, 760}, {"dark", templates.ThemeDark, 760}, {"phone", templates.ThemeLight, 360},
	}
}

// TestScreenshots writes the pictures of docs/pages.md into the folder that
// GATEHOUSE_SCREENSHOTS names: each page in light, in dark, and on a phone. Without
// it, one page is drawn, which proves that pages can be.
func TestScreenshots(t *testing.T) {
	server := serve(t)
	dir := os.Getenv("GATEHOUSE_SCREENSHOTS")
	for _, f := range gallery() {
		if dir == "" && f.name != "consent" {
			continue
		}
		ctx := testenv.Browser(t)
		for _, l := range looks() {
			drawn := picture(t, ctx, server.URL+"/"+f.name+"?theme="+string(l.theme), l.width)
			if len(drawn) < 3000 {
				t.Errorf("%s in %s: the picture has only %d bytes", f.name, l.name, len(drawn))
			}
			if dir == "" {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, f.name+"-"+l.name+".png"), drawn, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func picture(t *testing.T, ctx context.Context, url string, width int64) []byte {
	t.Helper()
	var drawn []byte
	err := chromedp.Run(ctx, sized(width), chromedp.Navigate(url), chromedp.FullScreenshot(&drawn, 100))
	if err != nil {
		t.Fatalf("draw %s: %v", url, err)
	}
	small, err := testenv.SmallPNG(drawn)
	if err != nil {
		t.Fatalf("draw %s: %v", url, err)
	}
	return small
}
