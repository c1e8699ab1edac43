package templates_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/templates"
)

// arabic is enough of a language that is written from right to left to see where
// things stand.
func arabic() fstest.MapFS {
	return fstest.MapFS{"locales/ar/all.toml": {Data: []byte(`
[language]
self = "العربية"
[signin]
title = "تسجيل الدخول"
username = "اسم المستخدم أو البريد الإلكتروني"
password = "كلمة المرور"
continue = "متابعة"
show = "إظهار"
[account.nav]
overview = "نظرة عامة"
profile = "الملف الشخصي"
security = "الأمان"
factors = "العوامل الثانية"
apps = "التطبيقات"
data = "بياناتي"
`)}}
}

// mirrored are the places of what must begin at the right: the navigation, the ways
// of a line, the ticks of a list, the button in a password field.
const mirrored = `(() => {
  const at = (selector) => [...document.querySelectorAll(selector)].filter((e) => e.checkVisibility()).map((e) => e.getBoundingClientRect());
  const wrong = [];
  const nav = at(".account-nav a");
  if (nav.length && !(nav[0].right > nav[1].right)) wrong.push("navigation");
  const middle = innerWidth / 2;
  for (const [what, boxes] of Object.entries({
    heading: at("h1").map((box) => box.right), ticks: at(".choice .tick, .choice input").map((box) => box.left),
  })) if (boxes.some((x) => x < middle)) wrong.push(what);
  if (at(".reveal button").some((box) => box.right > middle)) wrong.push("button in a field");
  return wrong;
})()`

// TestRightToLeftScreenshots: a language that an operator adds turns all pages around, and
// nothing is out of the window then. The pictures go to GATEHOUSE_SCREENSHOTS.
func TestRightToLeftScreenshots(t *testing.T) {
	server := serveWith(t, templates.Options{Override: arabic()})
	for _, f := range fixtures() {
		ctx := testenv.Browser(t)
		var found, wrong []string
		err := chromedp.Run(ctx, sized(320), emulation.SetScriptExecutionDisabled(f.name == "form_post"),
			chromedp.Navigate(server.URL+"/"+f.name+"?lang=ar"),
			chromedp.Evaluate(mirrored, &wrong), chromedp.Evaluate(illegible, &found))
		if err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
		for _, what := range append(wrong, found...) {
			t.Errorf("%s: %s", f.name, what)
		}
		if dir := os.Getenv("GATEHOUSE_SCREENSHOTS"); dir != "" && (f.name == "sign_in" || f.name == "account_security") {
			picture := picture(t, ctx, server.URL+"/"+f.name+"?lang=ar", 760)
			if err := os.WriteFile(filepath.Join(dir, f.name+"-rtl.png"), picture, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
