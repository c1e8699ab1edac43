package endtoend_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

// TestScreenshots writes the pictures of docs/pages.md that package templates does
// not take: of the demo app, the console and the mailbox of `gatehouse dev`, into the folder
// that GATEHOUSE_SCREENSHOTS names. Without it, one page is drawn, which proves that
// pages can be.
func TestScreenshots(t *testing.T) {
	s := start(t, embedded)
	folder := os.Getenv("GATEHOUSE_SCREENSHOTS")
	v := s.visitor(t)
	v.open(s.app + "/")
	v.picture(folder, "demo-start")
	if folder == "" {
		return
	}
	v.enter("regular_user")
	v.picture(folder, "demo-home")
	for name, path := range map[string]string{"claims": "/claims", "posts": "/posts", "new-post": "/posts/new"} {
		v.open(s.app + path)
		v.picture(folder, "demo-"+name)
	}
	v.submit("/posts/1/delete", map[string]string{})
	v.picture(folder, "demo-not-allowed")

	v = s.visitor(t)
	v.open(s.issuer + "/reset")
	v.fill("#email", "regular@test.com")
	v.press(submit)
	v.until("the mail is in the mailbox", func() bool {
		v.open(s.issuer + "/dev/mailbox")
		return v.has(`a[href*="/dev/mailbox/"]`)
	})
	v.picture(folder, "mailbox")
	v.press(`a[href*="/dev/mailbox/"]`)
	v.picture(folder, "mail")

	v = s.visitor(t)
	v.open(s.issuer + "/admin/")
	v.signIn("admin", password)
	for name, path := range map[string]string{
		"overview": "", "people": "users", "group": "groups/show?id=Editors", "matrix": "groups/matrix", "app": "clients/show?id=demo-app",
		"app-new": "clients/new?kind=web", "sets": "sets", "keys": "keys", "audit": "audit", "settings": "settings",
	} {
		v.open(s.issuer + "/admin/" + path)
		v.picture(folder, "console-"+name)
	}
	v.open(s.issuer + "/admin/users?q=regular")
	v.press(`a[href*="/admin/users/show"]`)
	v.picture(folder, "console-person")
	v.open(s.issuer + "/admin/clients/debug?id=demo-app")
	v.picture(folder, "console-try")
	v.press(`main form:has(input[value="begin"]) .actions button`)
	v.press(`#go a`)
	v.press(buttonAllow)
	v.picture(folder, "console-tried")
}

// picture draws the page that is shown: in light, in dark, and on a phone.
func (v *visitor) picture(folder, name string) {
	v.t.Helper()
	for _, look := range []struct {
		name, theme string
		width       int64
	}{{"light", "light", 760}, {"dark", "dark", 760}, {"phone", "light", 360}} {
		var drawn []byte
		scheme := &emulation.MediaFeature{Name: "prefers-color-scheme", Value: look.theme}
		v.do(
			"draw "+name, emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{scheme}),
			emulation.SetDeviceMetricsOverride(look.width, 800, 1, look.width < 600), chromedp.FullScreenshot(&drawn, 100),
		)
		small, err := testenv.SmallPNG(drawn)
		if err != nil {
			v.t.Fatal(err)
		}
		if len(small) < 3000 {
			v.t.Errorf("%s in %s: the picture has only %d bytes", name, look.name, len(small))
		}
		if folder == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(folder, name+"-"+look.name+".png"), small, 0o644); err != nil {
			v.t.Fatal(err)
		}
	}
}
