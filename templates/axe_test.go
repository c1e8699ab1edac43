package templates_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

// axePath is where .ci/install puts axe-core. It is no part of what we ship.
const axePath = "../internal/endtoend/node/node_modules/axe-core/axe.min.js"

// axeFindings are the serious and critical findings on the page that is open, with
// everything unfolded; %s chooses the rules.
const axeFindings = `(async () => {
  document.querySelectorAll("details").forEach((d) => { d.open = true; });
  const run = await axe.run(document, { resultTypes: ["violations"]%s });
  if (!run.passes.length && !run.incomplete.length) return ["axe checked nothing"];
  return run.violations
    .filter((v) => v.impact === "serious" || v.impact === "critical")
    .flatMap((v) => v.nodes.map((n) => v.id + ": " + n.html + " " + n.failureSummary));
})()`

// dark turns the page that is open dark, as the person's choice does, at once.
const dark = `document.documentElement.dataset.theme = "dark";
  document.getAnimations().forEach((fade) => fade.finish())`

// TestPagesForEverybody looks at every page in both themes, on a phone and on a desk,
// once with names as long as names get and once with the long words of German: what
// is illegible or cut off, and what axe-core calls serious or critical. What
// the theme cannot change is asked in one of them, unless the test may take long.
func TestPagesForEverybody(t *testing.T) {
	axe, err := os.ReadFile(axePath)
	if err != nil {
		t.Fatalf("axe-core is missing, .ci/install installs it: %v", err)
	}
	every, colours := fmt.Sprintf(axeFindings, ""), fmt.Sprintf(axeFindings, `, runOnly: { type: "rule", values: ["color-contrast"] }`)
	if os.Getenv("GATEHOUSE_TEST_LONG") != "" {
		colours = every
	}
	server := serve(t)
	for _, f := range append(fixtures(), longNames()...) {
		t.Run(f.name, func(t *testing.T) {
			ctx := testenv.Browser(t)
			looks := make([][]string, 6)
			err := chromedp.Run(ctx, sized(320),
				// The page with a form that sends itself away would be gone.
				emulation.SetScriptExecutionDisabled(f.name == "form_post"),
				chromedp.Navigate(server.URL+"/"+f.name+"?theme=light&lang=de"), chromedp.Evaluate(illegible, &looks[0]),
				chromedp.Navigate(server.URL+"/"+f.name+"?theme=light"), chromedp.Evaluate(illegible, &looks[1]),
				emulation.SetScriptExecutionDisabled(false),
				chromedp.Evaluate(string(axe), nil), chromedp.Evaluate(every, &looks[2], awaitPromise),
				chromedp.Evaluate(dark, nil), chromedp.Evaluate(illegible, &looks[3]),
				chromedp.Evaluate(colours, &looks[4], awaitPromise),
				sized(1280), chromedp.Evaluate(colours, &looks[5], awaitPromise))
			if err != nil {
				t.Fatal(err)
			}
			for i, look := range []string{"German", "light", "axe", "dark", "axe in dark", "axe on a desk"} {
				for _, what := range looks[i] {
					t.Errorf("%s: %s", look, what)
				}
			}
		})
	}
}
