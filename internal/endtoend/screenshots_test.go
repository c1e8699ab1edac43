package endtoend_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// TestScreenshots writes a picture of each page of the demo app in both themes and
// two widths into the folder that GATEHOUSE_SCREENSHOTS names. Without it, one page
// is drawn, which proves that pages can be.
func TestScreenshots(t *testing.T) {
	s := start(t, embedded)
	folder := os.Getenv("GATEHOUSE_SCREENSHOTS")
	v := s.visitor(t)
	v.open(s.app + "/")
	v.picture(folder, "start")
	if folder == "" {
		return
	}
	v.enter("regular_user")
	v.picture(folder, "home")
	for name, path := range map[string]string{"claims": "/claims", "posts": "/posts", "new-post": "/posts/new"} {
		v.open(s.app + path)
		v.picture(folder, name)
	}
	v.submit("/posts/1/delete", map[string]string{})
	v.picture(folder, "not-allowed")
}

// picture draws the page that is shown.
func (v *visitor) picture(folder, name string) {
	v.t.Helper()
	for _, theme := range []string{"light", "dark"} {
		for _, width := range []int64{1280, 360} {
			var drawn []byte
			scheme := &emulation.MediaFeature{Name: "prefers-color-scheme", Value: theme}
			v.do(
				"draw "+name, emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{scheme}),
				emulation.SetDeviceMetricsOverride(width, 800, 1, width < 600), chromedp.FullScreenshot(&drawn, 100),
			)
			if len(drawn) < 5000 {
				v.t.Errorf("%s in %s at %d px: the picture has only %d bytes", name, theme, width, len(drawn))
			}
			if folder == "" {
				continue
			}
			file := filepath.Join(folder, fmt.Sprintf("demo-%s-%s-%d.png", name, theme, width))
			if err := os.WriteFile(file, drawn, 0o644); err != nil {
				v.t.Fatal(err)
			}
		}
	}
}
