package templates_test

import (
	"os"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

// axePath is where .ci/install puts axe-core. It is no part of what we ship.
const axePath = "../internal/endtoend/node/node_modules/axe-core/axe.min.js"

// axeFindings are the serious and critical findings on the page that is open, with
// everything unfolded.
const axeFindings = `(async () => {
  document.querySelectorAll("details").forEach((d) => { d.open = true; });
  const run = await axe.run(document, { resultTypes: ["violations"] });
  if (run.passes.length < 5) return ["axe checked only " + run.passes.length + " rules"];
  return run.violations
    .filter((v) => v.impact === "serious" || v.impact === "critical")
    .flatMap((v) => v.nodes.map((n) => v.id + ": " + n.html + " " + n.failureSummary));
})()`

// TestAxe has axe-core look at every page in both themes, on a phone and on a desk:
// nothing serious or critical.
func TestAxe(t *testing.T) {
	axe, err := os.ReadFile(axePath)
	if err != nil {
		t.Fatalf("axe-core is missing, .ci/install installs it: %v", err)
	}
	server := serve(t)
	for _, f := range append(fixtures(), longNames()...) {
		ctx := testenv.Browser(t)
		for _, theme := range []string{"light", "dark"} {
			var narrow, wide []string
			err := chromedp.Run(ctx, sized(320),
				// The page with a form that sends itself away would be gone.
				emulation.SetScriptExecutionDisabled(f.name == "form_post"),
				chromedp.Navigate(server.URL+"/"+f.name+"?theme="+theme),
				emulation.SetScriptExecutionDisabled(false),
				chromedp.Evaluate(string(axe), nil), chromedp.Evaluate(axeFindings, &narrow, awaitPromise),
				sized(1280), chromedp.Evaluate(axeFindings, &wide, awaitPromise))
			if err != nil {
				t.Fatalf("%s in %s: %v", f.name, theme, err)
			}
			for _, what := range append(narrow, wide...) {
				t.Errorf("%s in %s: %s", f.name, theme, what)
			}
		}
	}
}
