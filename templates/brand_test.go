package templates

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestAccentIsLegible: whatever the operator likes, people can read it.
func TestAccentIsLegible(t *testing.T) {
	steps := []int{0x00, 0x33, 0x66, 0x99, 0xcc, 0xff}
	for _, r := range steps {
		for _, g := range steps {
			for _, b := range steps {
				text := fmt.Sprintf("#%02x%02x%02x", r, g, b)
				c, err := parseColour(text)
				if err != nil {
					t.Fatal(err)
				}
				light, dark := accentsOf(c)
				for what, ratio := range map[string]float64{
					"light text": contrast(light.accent, lightGround()), "light button": contrast(light.on, light.accent),
					"light hover": contrast(light.on, light.strong), "light strong": contrast(light.strong, lightGround()),
					"dark text": contrast(dark.accent, darkGround()), "dark button": contrast(dark.on, dark.accent),
					"dark hover": contrast(dark.on, dark.strong), "dark strong": contrast(dark.strong, darkGround()),
				} {
					if ratio < legible {
						t.Errorf("%s: %s has a contrast of %.2f", text, what, ratio)
					}
				}
			}
		}
	}
	if ratio := contrast(colour{}, colour{255, 255, 255}); ratio < 20.9 || ratio > 21.1 {
		t.Errorf("contrast of black and white is %.2f, want 21", ratio)
	}
}

func TestAccentStaysWhereItCan(t *testing.T) {
	sheet, err := accentOf("#00308f")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(sheet, "--accent: light-dark(#00308f, #") {
		t.Errorf("a colour that can be read was changed:\n%s", sheet)
	}
}

func TestBrand(t *testing.T) {
	r, err := New(Options{Brand: Brand{
		Name: "Acme", Accent: "#7a1fa2", Logo: &BrandLogo{Ext: ".png", Data: []byte("picture")},
		Links: []BrandLink{{"imprint", "https://acme.example/imprint"}, {"help", "mailto:help@acme.example"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		language string
		want     []string
	}{
		{"en", []string{
			`<img src="/static/brand-logo.`, `<link rel="icon" href="/static/brand-logo.`, `<link rel="stylesheet" href="/static/accent.`,
			`<a href="https://acme.example/imprint">Legal notice</a>`, `<a href="mailto:help@acme.example">Help</a>`,
		}},
		{"de", []string{`>Impressum</a>`, `>Hilfe</a>`}},
	} {
		w := httptest.NewRecorder()
		if err := r.Home(w, 200, r.Language(test.language), Home{}); err != nil {
			t.Fatal(err)
		}
		for _, want := range test.want {
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s: page lacks %s:\n%s", test.language, want, w.Body)
			}
		}
		if strings.Contains(w.Body.String(), "Privacy") {
			t.Error("a link that was not set is there")
		}
	}
}

func TestBadBrandIsAnErrorAtStart(t *testing.T) {
	for name, b := range map[string]Brand{
		"no colour":      {Accent: "red"},
		"short colour":   {Accent: "#fff"},
		"foreign colour": {Accent: "#12345z"},
		"sheet in it":    {Accent: "#;}*{x:"},
		"logo's kind":    {Logo: &BrandLogo{Ext: ".html", Data: []byte("x")}},
		"empty logo":     {Logo: &BrandLogo{Ext: ".png"}},
		"large logo":     {Logo: &BrandLogo{Ext: ".png", Data: make([]byte, maxLogo+1)}},
		"unknown link":   {Links: []BrandLink{{"career", "https://acme.example/"}}},
		"script":         {Links: []BrandLink{{"help", "javascript:alert(1)"}}},
	} {
		if _, err := New(Options{Brand: b}); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
