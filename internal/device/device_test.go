package device_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/device"
)

func TestOf(t *testing.T) {
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0":                                                                     "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36":                            "Chrome on Windows",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0":              "Edge on Windows",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15":                      "Safari on macOS",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1":    "Safari on iPhone",
		"Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1":             "Safari on iPad",
		"Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36":                      "Chrome on Android",
		"Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36": "Samsung Browser on Android",
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36":                             "Chrome on ChromeOS",
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/142.0.0.0 Safari/537.36":                              "Chrome on Linux",
		"curl/8.5.0":         "curl",
		"":                   "an unknown device",
		"Go-http-client/1.1": "an unknown device",
	} {
		if got := device.Of(agent).String(); got != want {
			t.Errorf("%s: %q, want %q", agent, got, want)
		}
	}
}

// The words are ours, whatever stands in the header: neither markup nor a sentence
// that pretends to be the page's reaches anybody (attack 182).
func TestAttack_182_HostileUserAgent(t *testing.T) {
	for _, agent := range []string{
		`<script>alert(1)</script>`, `<script>/1.0 (X11; Linux x86_64) Firefox/1`, "Your account is blocked, call 555/1.0",
		"\x00\r\nBcc: a@b/1", "Mozilla/5.0 (<img src=x onerror=alert(1)>; Android <b>) <i>/5", strings.Repeat("(", 1<<16), strings.Repeat("a/1 ", 1<<14),
		"\u202egro.live/1.0", "Mozilla/5.0 (Linux", "Googlebot/2.1 (+http://www.google.com/bot.html)",
	} {
		checkWords(t, agent)
	}
}

func checkWords(t *testing.T, agent string) {
	t.Helper()
	for _, word := range []string{device.Of(agent).Browser, device.Of(agent).System} {
		if strings.ContainsAny(word, "<>&\"'\r\n\x00\u202e") || len(word) > 20 {
			t.Errorf("%q became %q", agent, word)
		}
		for _, part := range []string{"alert", "blocked", "onerror"} {
			if strings.Contains(word, part) {
				t.Errorf("%q became %q", agent, word)
			}
		}
	}
}

func FuzzOf(f *testing.F) {
	f.Add("Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0")
	f.Add("Mozilla/5.0 (Linux; Android 15; <b>) <i>/5")
	f.Fuzz(func(t *testing.T, agent string) { checkWords(t, agent) })
}
