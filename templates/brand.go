package templates

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Brand is whose pages these are.
type Brand struct {
	Name string // "Gatehouse" when empty
	// Logo is an image that replaces ours; nil for ours.
	Logo *BrandLogo
	// Accent is the colour of buttons and links as #rrggbb; empty for ours. It is
	// made darker or lighter as far as text in it needs to be legible in each theme.
	Accent string
	// Links stand at the foot of every page, in this order.
	Links []BrandLink
}

// BrandLogo is the logo as a file.
type BrandLogo struct {
	Ext  string // ".svg", ".png", ".jpg" or ".webp"
	Data []byte
}

// BrandLink is a link at the foot of the pages.
type BrandLink struct {
	Kind string // one of BrandLinks
	URL  string // https, http, mailto or a rooted path
}

// BrandLinks are the kinds of links at the foot of the pages.
func BrandLinks() []string { return []string{"imprint", "privacy", "help"} }

// maxLogo bounds the logo, in bytes: every page shows it.
const maxLogo = 256 << 10

var errBrand = errors.New("brand")

// The names under which what follows from the brand is served.
const (
	accentSheet = "accent.css"
	logoName    = "brand-logo"
)

// apply adds to the static files what the brand asks for.
func (b Brand) apply(a *assets) error {
	for _, l := range b.Links {
		if !slices.Contains(BrandLinks(), l.Kind) {
			return fmt.Errorf("%w: no link is called %q", errBrand, l.Kind)
		}
		if _, err := link(l.URL); err != nil {
			return fmt.Errorf("%w: link to %s: %w", errBrand, l.Kind, err)
		}
	}
	if b.Accent != "" {
		sheet, err := accentOf(b.Accent)
		if err != nil {
			return err
		}
		if err := a.add(accentSheet, []byte(sheet)); err != nil {
			return err
		}
	}
	if b.Logo == nil {
		return nil
	}
	if !slices.Contains([]string{".svg", ".png", ".jpg", ".webp"}, b.Logo.Ext) {
		return fmt.Errorf("%w: a logo is an .svg, .png, .jpg or .webp file, not %q", errBrand, b.Logo.Ext)
	}
	if n := len(b.Logo.Data); n == 0 || n > maxLogo {
		return fmt.Errorf("%w: the logo has %d bytes, which is none or more than %d", errBrand, n, maxLogo)
	}
	return a.add(logoName+b.Logo.Ext, b.Logo.Data)
}

// logo is the name of the static file that is the logo.
func (b Brand) logo() string {
	if b.Logo == nil {
		return "logo.svg"
	}
	return logoName + b.Logo.Ext
}

// colour is sRGB, each part from 0 to 255.
type colour [3]float64

// The grounds on which text in the accent stands that are nearest to it: what can be
// read on them can be read on all others of static/style.css.
func lightGround() colour { return colour{0xdf, 0xf0, 0xec} }
func darkGround() colour  { return colour{0x1d, 0x3c, 0x37} }

// legible is the least contrast of text (WCAG 2.2, 1.4.3).
const legible = 4.5

func parseColour(text string) (colour, error) {
	var c colour
	if len(text) != 7 || text[0] != '#' {
		return c, fmt.Errorf("%w: the accent %q is not a colour such as #0e6b60", errBrand, text)
	}
	for i := range c {
		n, err := strconv.ParseUint(text[1+2*i:3+2*i], 16, 8)
		if err != nil {
			return c, fmt.Errorf("%w: the accent %q is not a colour such as #0e6b60", errBrand, text)
		}
		c[i] = float64(n)
	}
	return c, nil
}

func (c colour) String() string {
	return fmt.Sprintf("#%02x%02x%02x", int(c[0]), int(c[1]), int(c[2]))
}

// towards mixes a colour with another.
func (c colour) towards(other colour, share float64) colour {
	for i := range c {
		c[i] = math.Round(c[i] + (other[i]-c[i])*share)
	}
	return c
}

// luminance is the relative luminance of WCAG 2.2.
func (c colour) luminance() float64 {
	var parts [3]float64
	for i, v := range c {
		v /= 255
		if v <= 0.04045 {
			parts[i] = v / 12.92
		} else {
			parts[i] = math.Pow((v+0.055)/1.055, 2.4)
		}
	}
	return 0.2126*parts[0] + 0.7152*parts[1] + 0.0722*parts[2]
}

func contrast(a, b colour) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// readable moves a colour towards another until it can be read on a ground.
func (c colour) readable(ground, towards colour) colour {
	for share := 0.0; share < 1; share += 0.02 {
		if moved := c.towards(towards, share); contrast(moved, ground) >= legible {
			return moved
		}
	}
	return towards
}

// accents are the colours of one theme.
type accents struct{ accent, strong, on colour }

func accentsOf(c colour) (light, dark accents) {
	black, white := colour{}, colour{255, 255, 255}
	light.accent = c.readable(lightGround(), black)
	light.strong = light.accent.towards(black, 0.25)
	light.on = white
	dark.accent = c.readable(darkGround(), white)
	dark.strong = dark.accent.towards(white, 0.25)
	dark.on = dark.accent.towards(black, 0.88)
	return light, dark
}

// accentOf is the style sheet that sets the accent.
func accentOf(text string) (string, error) {
	c, err := parseColour(text)
	if err != nil {
		return "", err
	}
	light, dark := accentsOf(c)
	return fmt.Sprintf(":root {\n  --accent: light-dark(%s, %s);\n  --accent-strong: light-dark(%s, %s);\n  --on-accent: light-dark(%s, %s);\n}\n",
		light.accent, dark.accent, light.strong, dark.strong, light.on, dark.on), nil
}
