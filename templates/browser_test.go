package templates_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
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
	for _, f := range append(fixtures(), longNames()...) {
		mux.HandleFunc("/"+f.name, func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Content-Security-Policy", policy)
			theme := templates.Theme(req.URL.Query().Get("theme"))
			if err := f.render(r, w, r.Language(req.URL.Query().Get("lang")), framePage(theme)); err != nil {
				t.Errorf("render %s: %v", f.name, err)
			}
		})
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func sized(width int64) chromedp.Action {
	return emulation.SetDeviceMetricsOverride(width, 800, 1, width < 600)
}

// TestScreenshots writes a picture of each page in both themes and two widths
// into the folder that GATEHOUSE_SCREENSHOTS names. Without it, one page is drawn,
// which proves that pages can be.
func TestScreenshots(t *testing.T) {
	server := serve(t)
	dir := os.Getenv("GATEHOUSE_SCREENSHOTS")
	for _, f := range fixtures() {
		if dir == "" && f.name != "consent" {
			continue
		}
		ctx := testenv.Browser(t)
		for _, theme := range []string{"light", "dark"} {
			for _, width := range []int64{1280, 360} {
				picture := picture(t, ctx, server.URL+"/"+f.name+"?theme="+theme, width)
				if len(picture) < 5000 {
					t.Errorf("%s in %s at %d px: the picture has only %d bytes", f.name, theme, width, len(picture))
				}
				if dir == "" {
					continue
				}
				name := f.name + "-" + theme + "-" + strconv.FormatInt(width, 10) + ".png"
				if err := os.WriteFile(filepath.Join(dir, name), picture, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func picture(t *testing.T, ctx context.Context, url string, width int64) []byte {
	t.Helper()
	var picture []byte
	err := chromedp.Run(ctx, sized(width), chromedp.Navigate(url), chromedp.FullScreenshot(&picture, 100))
	if err != nil {
		t.Fatalf("draw %s: %v", url, err)
	}
	return picture
}
