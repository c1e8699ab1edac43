package templates_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/templates"
)

// illegible returns what of a page a person could not read, hit or see whole: text
// below a contrast of 4.5, borders of controls below 3 (WCAG 2.2 1.4.3, 1.4.11),
// targets below 24 pixels (2.5.8), anything wider than the window (1.4.10).
const illegible = `(() => {
  const found = [];
  const rgb = (text) => (text.match(/[\d.]+/g) || []).map(Number);
  const light = (c) => {
    const [r, g, b] = c.slice(0, 3).map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const contrast = (a, b) => {
    const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
  };
  document.querySelectorAll("details").forEach((d) => { d.open = true; });
  let texts = 0;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !e.checkVisibility()) continue;
    texts++;
    const ratio = contrast(rgb(getComputedStyle(e).color), ground(e));
    if (ratio < 4.5) found.push("contrast " + ratio.toFixed(2) + ": " + walk.currentNode.data.trim());
  }
  if (texts < 4) found.push("only " + texts + " texts were seen");
  for (const e of document.querySelectorAll("a, button, input, select, summary")) {
    if (e.type === "hidden" || !e.checkVisibility()) continue;
    const box = e.getBoundingClientRect();
    const inText = e.tagName === "A" && getComputedStyle(e).display === "inline";
    const target = e.closest("label") || e;
    if (!inText && target.getBoundingClientRect().height < 24) found.push("target of " + box.height + " px: " + e.outerHTML);
    if (e.matches(".button, .account, select, input:not([type=checkbox]), summary") && box.height < 44) found.push("control of " + box.height + " px: " + e.outerHTML);
    if (e.matches("select, input:not([type=checkbox], [readonly])")) {
      const ratio = contrast(rgb(getComputedStyle(e).borderTopColor), ground(e.parentElement));
      if (ratio < 3) found.push("border " + ratio.toFixed(2) + ": " + e.outerHTML);
    }
  }
  if (document.documentElement.scrollWidth > innerWidth) found.push("page is " + document.documentElement.scrollWidth + " px wide");
  for (const e of document.querySelectorAll("main *, footer *")) {
    const box = e.getBoundingClientRect();
    if (box.width && (box.left < 0 || box.right > innerWidth)) found.push("out of the window: " + e.outerHTML);
  }
  return found;
})()`

func longNames() []fixture {
	long := strings.Repeat("Donaudampfschifffahrt", 12)
	p := fullConsent()
	p.Client.Name, p.Client.Host, p.UserName = long, long+".example", long+"@example.org"
	for g := range p.Groups {
		p.Groups[g].API = long
		for i := range p.Groups[g].Scopes {
			p.Groups[g].Scopes[i].Value = long
		}
	}
	return []fixture{
		consentPage("consent_long", p),
		signIn("sign_in_long", templates.SignIn{Client: &p.Client, Username: long, Action: "/signin", Reauthenticate: true, SwitchURL: "/switch"}),
	}
}

// TestSignInComforts: the summary has the focus, the password can be shown, and
// it is hidden again when it is sent. All of it below the strict policy.
func TestSignInComforts(t *testing.T) {
	server := serve(t)
	ctx := testenv.Browser(t)
	var focus, before, shown, pressed string
	var sent bool
	err := chromedp.Run(ctx, sized(1280),
		chromedp.Navigate(server.URL+"/sign_in_wrong"),
		chromedp.Evaluate(`document.activeElement.id`, &focus),
		chromedp.SendKeys("#current-password", "testpass123"),
		chromedp.Evaluate(`document.getElementById("current-password").type`, &before),
		chromedp.Click(".reveal button"),
		chromedp.Evaluate(`document.getElementById("current-password").type`, &shown),
		chromedp.Evaluate(`document.querySelector(".reveal button").getAttribute("aria-pressed")`, &pressed),
		chromedp.Evaluate(`new Promise((done) => {
			const form = document.getElementById("current-password").form;
			form.addEventListener("submit", (event) => {
				event.preventDefault();
				done(document.getElementById("current-password").type === "password" && event.submitter.value === "continue");
			});
			form.requestSubmit(form.querySelector("[value=continue]"));
		})`, &sent, awaitPromise),
	)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{focus, before, shown, pressed}
	if diff := cmp.Diff([]string{"problems", "password", "text", "true"}, got); diff != "" {
		t.Errorf("focus, type before, type after, pressed (-want +got):\n%s", diff)
	}
	if !sent {
		t.Error("the password must be hidden again before it is sent")
	}
}

// TestFormPostArrives: with scripts by itself, without them by the button.
func TestFormPostArrives(t *testing.T) {
	arrived := make(chan url.Values, 1)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path != "/callback" {
			http.NotFound(w, req)
			return
		}
		if err := req.ParseForm(); err != nil {
			t.Errorf("parse form: %v", err)
		}
		arrived <- req.PostForm
	}))
	defer app.Close()
	r := newRenderer(t, templates.Options{})
	mux := http.NewServeMux()
	mux.Handle("/static/", r.Static())
	mux.HandleFunc("/response", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		err := r.FormPost(w, http.StatusOK, r.Language(), templates.FormPost{
			ClientName: "Post Board", Action: app.URL + "/callback",
			// "submit" would hide the form's method of that name.
			Fields: []templates.Field{{Name: "state", Value: `a"b<c>&d`}, {Name: "submit", Value: "1"}},
		})
		if err != nil {
			t.Errorf("FormPost: %v", err)
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	want := url.Values{"state": {`a"b<c>&d`}, "submit": {"1"}}
	for name, steps := range map[string]chromedp.Tasks{
		"with scripts": {chromedp.Navigate(server.URL + "/response")},
		"without scripts": {
			emulation.SetScriptExecutionDisabled(true),
			chromedp.Navigate(server.URL + "/response"),
			chromedp.Click("form button"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := chromedp.Run(testenv.Browser(t), steps); err != nil {
				t.Fatal(err)
			}
			select {
			case got := <-arrived:
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("response (-want +got):\n%s", diff)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("nothing arrived at the app")
			}
		})
	}
}

func awaitPromise(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
