package testenv

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"testing"
)

// What has few colours stays as it is; of many, those stay that are most frequent.
func TestSmallPNG(t *testing.T) {
	const side = 64
	for name, many := range map[string]bool{"few colours": false, "many colours": true} {
		source := image.NewRGBA(image.Rect(0, 0, side, side))
		for y := range side {
			for x := range side {
				c := color.RGBA{R: uint8(x / 16 * 60), G: 90, B: 90, A: 255}
				if many && y < 16 { // 1024 shades, each once
					c = color.RGBA{R: uint8(4 * x), G: uint8(16 * y), B: 10, A: 255}
				}
				source.SetRGBA(x, y, c)
			}
		}
		var drawn bytes.Buffer
		if err := png.Encode(&drawn, source); err != nil {
			t.Fatal(err)
		}
		small, err := SmallPNG(drawn.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		got, err := png.Decode(bytes.NewReader(small))
		if err != nil {
			t.Fatal(err)
		}
		if _, paletted := got.(*image.Paletted); !paletted {
			t.Errorf("%s: a %T", name, got)
		}
		for y := range side {
			for x := range side {
				want, have := source.RGBAAt(x, y), opaque(got.At(x, y))
				if want != have && !(many && y < 16) {
					t.Fatalf("%s: at %d,%d %v became %v", name, x, y, want, have)
				}
			}
		}
	}
	if _, err := SmallPNG([]byte("no picture")); err == nil {
		t.Error("what is no picture was read")
	}
}
