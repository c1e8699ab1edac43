package endtoend_test

import (
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// walkPassword: another password signs out every other browser, at once, and is told.
func (w *town) walkPassword(t *testing.T) {
	here, there := w.visitor(t), w.visitor(t)
	there.arrive("reader", password)
	here.visit("reader", password)
	here.change("/account/password", "#new_password", password)
	here.sees(w.issuer+"/account/password", 422, "easy to guess")
	here.fill("#new_password", nextPass)
	here.press(submit)
	here.sees(w.issuer+"/account/password", 200, "Your password is changed")
	w.mail(t, "reader@test.com", "password")

	there.shut()
	there.comeBack()
	there.sees(w.issuer+"/signin", 200, "Password")
	there.signIn("reader", password)
	there.sees(w.issuer+"/signin", 422, wrongCredentials)
	there.signIn("reader", nextPass)
	there.sees(w.app+"/", 200, "Hello, Rob Reader")
	here.open(w.issuer + "/account/security")
	here.sees(w.issuer+"/account/security", 200, "This browser", "The password was changed")
}

// walkProfile: what somebody writes of themselves and the picture that they choose are
// what an app is told, and the account's page says so beforehand.
func (w *town) walkProfile(t *testing.T) {
	w.person(t, "petra", "Petra Profile")
	v := w.visitor(t)
	v.visit("petra", firstPass)
	v.open(w.issuer + "/account/profile")
	v.fill("#nickname", "Pet")
	v.fill("#birthdate", "1990-12-31")
	v.fill("#website", "ftp://petra.example.org/")
	v.press(submit)
	v.sees(w.issuer+"/account/profile", 422, "begins with https://")
	v.fill("#website", "https://petra.example.org/")
	v.press(submit)
	v.sees(w.issuer+"/account/profile", 200, "Saved")

	v.open(w.issuer + "/account/picture")
	v.do("choose a picture", chromedp.SetUploadFiles("#picture", []string{portrait(t)}, chromedp.ByQuery))
	v.press(submit)
	v.sees(w.issuer+"/account/picture", 200, "Your picture is changed")
	v.open(w.issuer + "/account/")
	var drawn bool
	v.do("look at the picture", chromedp.Evaluate(`document.querySelector("img.portrait").naturalWidth > 0`, &drawn))
	if !drawn {
		t.Error("the picture is not shown")
	}
	v.open(w.issuer + "/account/seen")
	v.sees(w.issuer+"/account/seen", 200, "Pet", "1990-12-31", "https://petra.example.org/", "petra@example.org", w.issuer+"/pictures/")

	v.comeBack()
	v.press(buttonAllow)
	v.open(w.app + "/claims")
	v.sees(w.app+"/claims", 200, "Pet", "1990-12-31", "https://petra.example.org/", "petra@example.org", w.issuer+"/pictures/")
}

// portrait is a file with a picture.
func portrait(t *testing.T) string {
	t.Helper()
	const side = 96
	img := image.NewNRGBA(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			img.Set(x, y, color.NRGBA{R: uint8(2 * x), G: 120, B: uint8(2 * y), A: 255})
		}
	}
	name := filepath.Join(t.TempDir(), "portrait.png")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(file, img); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return name
}

// walkSecurity: another browser is named, and signed out; an app loses its access; and
// who saw what they did not do has to choose another password before anything else.
func (w *town) walkSecurity(t *testing.T) {
	const phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
	w.person(t, "sam", "Sam Secure")
	here, there := w.visitor(t), w.visitor(t)
	here.arrive("sam", firstPass)
	there.do("be a phone", emulation.SetUserAgentOverride(phone))
	there.visit("sam", firstPass)
	w.mail(t, "sam@example.org", "New sign-in")

	here.open(w.issuer + "/account/security")
	here.sees(w.issuer+"/account/security", 200, "This browser", "Safari on iPhone")
	here.press(`button[aria-label="Sign out Safari on iPhone"]`)
	here.sees(w.issuer+"/account/security", 200, "That browser is signed out.")
	there.shut()

	here.open(w.issuer + "/account/apps")
	here.sees(w.issuer+"/account/apps", 200, "Demo app")
	here.press(`button[aria-label="Disconnect Demo app"]`)
	here.sees(w.issuer+"/account/apps", 200, "Demo app no longer has access")
	here.open(w.app + "/claims")
	here.press(`form[action="/refresh"] button`)
	here.sees(w.issuer+"/consent", 200, "Demo app asks for access")

	there.signIn("sam", firstPass)
	here.open(w.issuer + "/account/security")
	here.press(`main a[href*="/account/report"]`)
	here.sees(w.issuer+"/account/report", 200, "Was this not you?")
	here.press(submit)
	here.sees(w.issuer+"/account/password", 200)
	w.mail(t, "sam@example.org", "needs you")
	there.shut()
	for _, around := range []string{"/account/profile", "/account/apps"} {
		here.open(w.issuer + around)
		here.sees(w.issuer+"/account/password", 200)
	}
	here.fill("#new_password", nextPass)
	here.press(submit)
	here.sees(w.issuer+"/account/password", 200, "Your password is changed")
	here.open(w.issuer + "/account/security")
	here.sees(w.issuer+"/account/security", 200, "Something was reported as not done by you")
}

// walkData: all that is kept of somebody in one file, and an account that its owner
// deletes and comes back to.
func (w *town) walkData(t *testing.T) {
	w.person(t, "dan", "Dan Departing")
	v := w.visitor(t)
	v.arrive("dan", firstPass)
	v.open(w.issuer + "/account/data")
	file := v.download(submit)
	var kept map[string]any
	if err := json.Unmarshal(file, &kept); err != nil {
		t.Fatalf("the data: %v in %.200s", err, file)
	}
	for _, part := range []string{"dan@example.org", "Dan Departing", "demo-app"} {
		if !strings.Contains(string(file), part) {
			t.Errorf("the data do not hold %q", part)
		}
	}
	if strings.Contains(string(file), "argon2id") {
		t.Error("the data hold the hash of the password")
	}

	v.change("/account/delete", "#confirmation", "dan")
	v.sees(w.issuer+"/account/delete", 200, "Your account will be deleted")
	w.mail(t, "dan@example.org", "will be deleted")
	v.shut()
	v.comeBack()
	v.signIn("dan", firstPass)
	v.sees(w.issuer+"/account/keep", 200, "Do you want to keep your account?")
	keep := v.where()
	v.open(w.issuer + "/account/profile")
	v.sees(w.issuer+"/account/keep", 200)
	v.comeBack()
	v.sees(w.issuer+"/account/keep", 200)
	v.open(keep)
	v.press(submit)
	v.allow()
	v.sees(w.app+"/", 200, "Hello, Dan Departing")
	w.mail(t, "dan@example.org", "stays")
}

// download presses a button that answers with a file, and reads that.
func (v *visitor) download(selector string) []byte {
	v.t.Helper()
	folder, arrived := v.t.TempDir(), make(chan string, 1)
	chromedp.ListenTarget(v.ctx, func(event any) {
		if progress, ok := event.(*browser.EventDownloadProgress); ok && progress.State == browser.DownloadProgressStateCompleted {
			arrived <- progress.GUID
		}
	})
	jar := chromedp.FromContext(v.ctx).BrowserContextID
	v.do("download",
		browser.SetDownloadBehavior(browser.SetDownloadBehaviorBehaviorAllowAndName).WithBrowserContextID(jar).WithDownloadPath(folder).WithEventsEnabled(true),
		chromedp.Click(selector, chromedp.ByQuery, chromedp.NodeVisible),
	)
	select {
	case name := <-arrived:
		file, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			v.t.Fatal(err)
		}
		return file
	case <-v.ctx.Done():
		v.t.Fatal("the file did not arrive")
	}
	return nil
}
