package testenv

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"slices"
)

// paletteSize is how many colours a PNG with one byte a pixel has.
const paletteSize = 256

// SmallPNG draws a picture of a page again with the colours that are most frequent in
// it, without dithering: a page has few, and the shades of its letters are not missed.
// What comes out is a third of what browsers write.
func SmallPNG(drawn []byte) ([]byte, error) {
	source, err := png.Decode(bytes.NewReader(drawn))
	if err != nil {
		return nil, fmt.Errorf("testenv: read a picture: %w", err)
	}
	bounds := source.Bounds()
	small := image.NewPaletted(bounds, frequent(source))
	index := map[color.RGBA]uint8{}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			c := opaque(source.At(x, y))
			nearest, known := index[c]
			if !known {
				nearest = uint8(small.Palette.Index(c))
				index[c] = nearest
			}
			small.SetColorIndex(x, y, nearest)
		}
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, small); err != nil {
		return nil, fmt.Errorf("testenv: write a picture: %w", err)
	}
	return out.Bytes(), nil
}

// frequent are the colours of which a picture has most.
func frequent(source image.Image) color.Palette {
	count := map[color.RGBA]int{}
	bounds := source.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			count[opaque(source.At(x, y))]++
		}
	}
	colours := make([]color.RGBA, 0, len(count))
	for c := range count {
		colours = append(colours, c)
	}
	slices.SortFunc(colours, func(a, b color.RGBA) int {
		order := func(c color.RGBA) int { return int(c.R)<<16 | int(c.G)<<8 | int(c.B) }
		return cmp.Or(count[b]-count[a], order(a)-order(b)) // the same picture each time
	})
	var palette color.Palette
	for _, c := range colours[:min(len(colours), paletteSize)] {
		palette = append(palette, c)
	}
	return palette
}

func opaque(c color.Color) color.RGBA {
	r, g, b, _ := c.RGBA()
	return color.RGBA{R: uint8(r >> 8), G: uint8(g >> 8), B: uint8(b >> 8), A: 255}
}
