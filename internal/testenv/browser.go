package testenv

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// browserPatience bounds what one test does in its browser.
const browserPatience = 60 * time.Second

// Browser returns a chromedp context on a tab with a cookie jar of its own,
// as in a private window. It ends with the test, or after 60 seconds. One
// headless Chromium serves the whole test binary; it reaches nothing but
// this machine.
func Browser(tb testing.TB) context.Context {
	tb.Helper()
	root, err := sharedBrowser()
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	timed, stop := context.WithTimeout(root, browserPatience)
	tb.Cleanup(stop)
	executor := cdp.WithExecutor(root, chromedp.FromContext(root).Browser)
	jar, err := target.CreateBrowserContext().Do(executor)
	if err != nil {
		tb.Fatalf("testenv: make a cookie jar: %v", err)
	}
	tb.Cleanup(func() {
		soon, stop := context.WithTimeout(executor, 10*time.Second)
		defer stop()
		if err := target.DisposeBrowserContext(jar).Do(soon); err != nil {
			tb.Errorf("testenv: dispose of a cookie jar: %v", err)
		}
	})
	return newTab(tb, timed, jar)
}

// Tab returns a second tab beside ctx, a context from Browser: the same
// cookies, the same end.
func Tab(tb testing.TB, ctx context.Context) context.Context {
	tb.Helper()
	return newTab(tb, ctx, chromedp.FromContext(ctx).BrowserContextID)
}

// newTab opens each tab in a window of its own: chromedp by itself would open
// the first one in a window that a new cookie jar does not have, and the
// second one hidden behind the first, where timers and drawing stop.
func newTab(tb testing.TB, parent context.Context, jar cdp.BrowserContextID) context.Context {
	tb.Helper()
	executor := cdp.WithExecutor(parent, chromedp.FromContext(parent).Browser)
	id, err := target.CreateTarget("about:blank").WithBrowserContextID(jar).WithNewWindow(true).Do(executor)
	if err != nil {
		tb.Fatalf("testenv: open a tab: %v", err)
	}
	ctx, cancel := chromedp.NewContext(parent, chromedp.WithTargetID(id))
	tb.Cleanup(cancel)
	chromedp.FromContext(ctx).BrowserContextID = jar
	if err := chromedp.Run(ctx); err != nil {
		tb.Fatalf("testenv: open a tab: %v", err)
	}
	return ctx
}

// sharedBrowser is the Chromium of this test binary.
var sharedBrowser = sync.OnceValues(startBrowser)

func startBrowser() (context.Context, error) {
	path, err := program{
		names: []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "Google Chrome"},
		folders: []string{
			"/Applications/Google Chrome.app/Contents/MacOS",
		},
		debian: "chromium",
	}.find()
	if err != nil {
		return nil, err
	}
	dir, err := theKeeper.folder("chromium")
	if err != nil {
		return nil, err
	}
	p, err := start(command{
		path: path, args: browserFlags(dir), dir: dir, signal: "KILL",
		// Chromium and its libraries write below these; a home may be missing
		// where builds run.
		env: []string{"HOME=" + dir, "XDG_CONFIG_HOME=" + dir, "XDG_CACHE_HOME=" + dir},
	})
	if err != nil {
		return nil, err
	}
	var address string
	err = p.await(func() error {
		// Chromium writes its port and the path of its debugging socket here.
		text, err := os.ReadFile(filepath.Join(dir, "DevToolsActivePort"))
		if err != nil {
			return err
		}
		port, path, ok := strings.Cut(strings.TrimSpace(string(text)), "\n")
		if !ok {
			return fmt.Errorf("DevToolsActivePort holds %q", text)
		}
		address = "ws://127.0.0.1:" + port + path
		return nil
	})
	if err != nil {
		p.kill()
		return nil, err
	}
	// Neither context is ever cancelled: the keeper ends Chromium.
	allocator, _ := chromedp.NewRemoteAllocator(context.Background(), address, chromedp.NoModifyURL)
	// A Chromium newer than chromedp sends events that it does not know, and
	// it would print each; what fails is returned by chromedp.Run all the same.
	root, _ := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {}))
	if err := chromedp.Run(root); err != nil {
		p.kill()
		return nil, fmt.Errorf("connect to chromium: %w", err)
	}
	return root, nil
}

func browserFlags(dir string) []string {
	flags := []string{
		"--headless=new",
		"--remote-debugging-port=0",
		"--user-data-dir=" + dir,
		"--disable-gpu",
		"--disable-quic",
		"--disable-dev-shm-usage",
		"--no-first-run",
		"--no-default-browser-check",
		"--disable-background-networking",
		"--disable-component-update",
		"--disable-default-apps",
		"--disable-extensions",
		"--disable-sync",
		"--disable-breakpad",
		"--password-store=basic",
		"--use-mock-keychain",
		// Tests run in tabs that nobody looks at.
		"--disable-background-timer-throttling",
		"--disable-backgrounding-occluded-windows",
		"--disable-renderer-backgrounding",
		// Tests never go online, nor does Chromium itself.
		"--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1",
		// The same picture on every machine.
		"--force-color-profile=srgb",
		"--hide-scrollbars",
		"--window-size=1280,900",
	}
	if os.Geteuid() == 0 {
		flags = append(flags, "--no-sandbox")
	}
	return append(flags, "about:blank")
}
