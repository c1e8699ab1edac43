package accounts

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"testing"
)

// halves is red on the left and blue on the right.
func halves(wide, high int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, wide, high))
	for y := range high {
		for x := range wide {
			c := color.RGBA{R: 255, A: 255}
			if x >= wide/2 {
				c = color.RGBA{B: 255, A: 255}
			}
			m.Set(x, y, c)
		}
	}
	return m
}

func encoded(t testing.TB, m image.Image, kind string) []byte {
	t.Helper()
	var b bytes.Buffer
	var err error
	switch kind {
	case "jpeg":
		err = jpeg.Encode(&b, m, &jpeg.Options{Quality: 95})
	case "png":
		err = png.Encode(&b, m)
	case "gif":
		err = gif.Encode(&b, m, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func portraitOf(t testing.TB, file []byte) (image.Image, string, []byte) {
	t.Helper()
	data, mediaType, err := NewPortraits().Make(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	m, kind, err := image.Decode(bytes.NewReader(data))
	if err != nil || "image/"+kind != mediaType || m.Bounds() != image.Rect(0, 0, PictureSize, PictureSize) {
		t.Fatalf("%s called %s, %v, %v", kind, mediaType, m.Bounds(), err)
	}
	return m, mediaType, data
}

// looks reports whether a pixel is about of a colour.
func looks(m image.Image, x, y int, want color.RGBA) bool {
	r, g, b, a := m.At(x, y).RGBA()
	near := func(got uint32, want uint8) bool {
		d := int(got>>8) - int(want)
		return d > -24 && d < 24
	}
	return near(r, want.R) && near(g, want.G) && near(b, want.B) && near(a, want.A)
}

var (
	red  = color.RGBA{R: 255, A: 255}
	blue = color.RGBA{B: 255, A: 255}
)

// tinyWebP is a lossy picture of one pixel.
const tinyWebP = "UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA"

func TestPortrait_Formats(t *testing.T) {
	for _, tc := range []struct {
		kind string
		size image.Point
	}{
		{"jpeg", image.Pt(1300, 900)}, {"png", image.Pt(500, 700)}, {"gif", image.Pt(600, 400)},
		{"png", image.Pt(8, 8)}, {"jpeg", image.Pt(1, 900)},
	} {
		m, mediaType, _ := portraitOf(t, encoded(t, halves(tc.size.X, tc.size.Y), tc.kind))
		if mediaType != "image/jpeg" {
			t.Errorf("%s became %s", tc.kind, mediaType)
		}
		if tc.size.X > 1 && (!looks(m, 40, 256, red) || !looks(m, 470, 256, blue)) {
			t.Errorf("%s of %v: %v and %v", tc.kind, tc.size, m.At(40, 256), m.At(470, 256))
		}
	}
	file, err := base64.StdEncoding.DecodeString(tinyWebP)
	if err != nil {
		t.Fatal(err)
	}
	portraitOf(t, file)
}

// What one can see through stays so; what is shrunk is the mean of what it was.
func TestPortrait_Pixels(t *testing.T) {
	half := image.NewNRGBA(image.Rect(0, 0, 700, 700))
	for i := range half.Pix {
		half.Pix[i] = 128
	}
	m, mediaType, _ := portraitOf(t, encoded(t, half, "png"))
	if mediaType != "image/png" || !looks(m, 256, 256, color.RGBA{R: 64, G: 64, B: 64, A: 128}) {
		t.Errorf("%s: %v", mediaType, m.At(256, 256))
	}
	board := image.NewGray(image.Rect(0, 0, 2048, 2048))
	for i := range board.Pix {
		if (i+i/2048)%2 == 0 {
			board.Pix[i] = 255
		}
	}
	m, _, _ = portraitOf(t, encoded(t, board, "png"))
	for _, at := range []image.Point{{0, 0}, {256, 256}, {511, 511}, {100, 400}} {
		if !looks(m, at.X, at.Y, color.RGBA{R: 128, G: 128, B: 128, A: 255}) {
			t.Errorf("%v is %v", at, m.At(at.X, at.Y))
		}
	}
	deep := image.NewNRGBA64(image.Rect(0, 0, 600, 600))
	for i := range deep.Pix {
		deep.Pix[i] = 0xff
	}
	portraitOf(t, encoded(t, deep, "png"))
}

// withExif puts an orientation, and a place that nobody should learn of, into a JPEG.
func withExif(file []byte, order binary.ByteOrder, turn uint16) []byte {
	mark := []byte("MM\x00*")
	if order == binary.LittleEndian {
		mark = []byte("II*\x00")
	}
	tiff := append([]byte{}, mark...)
	u16 := func(v uint16) { b := make([]byte, 2); order.PutUint16(b, v); tiff = append(tiff, b...) }
	u32 := func(v uint32) { b := make([]byte, 4); order.PutUint32(b, v); tiff = append(tiff, b...) }
	u32(8)
	u16(2)
	u16(0x010f) // the maker
	u16(2)
	u32(4)
	tiff = append(tiff, "GPS\x00"...)
	u16(tagOrientation)
	u16(3)
	u32(1)
	u16(turn)
	u16(0)
	u32(0)
	payload := append([]byte("Exif\x00\x00"), tiff...)
	payload = append(payload, "PLACE 52.5N 13.4E"...)
	out := append([]byte{}, file[:2]...)
	out = append(out, 0xff, 0xe1, byte((len(payload)+2)>>8), byte(len(payload)+2))
	out = append(out, payload...)
	return append(out, file[2:]...)
}

func TestPortrait_Upright(t *testing.T) {
	plain := encoded(t, halves(600, 600), "jpeg")
	left, right, top, bottom := image.Pt(60, 256), image.Pt(450, 256), image.Pt(256, 60), image.Pt(256, 450)
	for turn, isRed := range []image.Point{left, left, right, right, left, top, top, bottom, bottom, left} {
		orders := []binary.ByteOrder{binary.LittleEndian, binary.BigEndian}
		if turn != 6 { // one turn in both orders of bytes
			orders = orders[turn%2:][:1]
		}
		for _, order := range orders {
			m, _, data := portraitOf(t, withExif(plain, order, uint16(turn)))
			other := map[image.Point]image.Point{left: right, right: left, top: bottom, bottom: top}[isRed]
			if !looks(m, isRed.X, isRed.Y, red) || !looks(m, other.X, other.Y, blue) {
				t.Errorf("turn %d: %v at %v", turn, m.At(isRed.X, isRed.Y), isRed)
			}
			for _, trace := range []string{"Exif", "PLACE", "GPS"} {
				if bytes.Contains(data, []byte(trace)) {
					t.Errorf("%s is left", trace)
				}
			}
		}
	}
}

// What else is in the file is not in the picture: a page behind a picture, a
// comment, a second format.
func TestAttack_176_PictureIsOnlyPixels(t *testing.T) {
	const page = "<html><script>alert(document.domain)</script>"
	comment := append([]byte{0xff, 0xd8, 0xff, 0xfe, 0, byte(len(page) + 2)}, page...)
	file := encoded(t, halves(64, 64), "jpeg")
	for name, bad := range map[string][]byte{
		"behind a JPEG": append(bytes.Clone(file), page...),
		"in a comment":  append(comment, file[2:]...),
		"behind a PNG":  append(encoded(t, halves(64, 64), "png"), page...),
		"behind a GIF":  append(encoded(t, halves(64, 64), "gif"), page...),
	} {
		if _, _, data := portraitOf(t, bad); bytes.Contains(data, []byte("script")) {
			t.Errorf("%s: the page is in the picture", name)
		}
	}
}

// hugePNG is a PNG that says to be of a size, with the right checksum.
func hugePNG(t testing.TB, wide, high uint32, depth byte) []byte {
	b := encoded(t, halves(4, 4), "png")
	binary.BigEndian.PutUint32(b[16:], wide)
	binary.BigEndian.PutUint32(b[20:], high)
	b[24] = depth
	binary.BigEndian.PutUint32(b[29:], crc32.ChecksumIEEE(b[12:29]))
	return b
}

// hugeJPEG is a JPEG that says to be of a size, in one scan or in many.
func hugeJPEG(t testing.TB, side uint16, progressive bool) []byte {
	b := encoded(t, halves(64, 64), "jpeg")
	at := bytes.Index(b, []byte{0xff, 0xc0})
	if progressive {
		b[at+1] = 0xc2
	}
	binary.BigEndian.PutUint16(b[at+5:], side)
	binary.BigEndian.PutUint16(b[at+7:], side)
	return b
}

// A small file does not make the server hold gigabytes.
func TestPortrait_Bombs(t *testing.T) {
	wide := encoded(t, halves(4, 4), "gif")
	binary.LittleEndian.PutUint16(wide[6:], 65535)
	binary.LittleEndian.PutUint16(wide[8:], 65535)
	junk := hugeJPEG(t, 6000, true)
	first := 4 + int(junk[4])<<8 + int(junk[5])
	junk = append(append(bytes.Clone(junk[:first]), 0x00, 0x00, 0x00), junk[first:]...) // which the decoder skips
	for name, tc := range map[string]struct {
		file []byte
		want error
	}{
		"a wide PNG":            {hugePNG(t, 60000, 60000, 8), ErrPictureSize},
		"a long PNG":            {hugePNG(t, 1, 1<<30, 8), ErrPictureSize},
		"no PNG":                {hugePNG(t, 0, 5, 8), ErrPicture},
		"a deep PNG":            {hugePNG(t, 6000, 6000, 16), ErrPictureSize},
		"a GIF":                 {wide, ErrPictureSize},
		"a progressive JPEG":    {hugeJPEG(t, 6000, true), ErrPictureSize},
		"the same behind junk":  {junk, ErrPictureSize},
		"a JPEG":                {hugeJPEG(t, 65535, false), ErrPictureSize},
		"too many bytes":        {append(encoded(t, halves(4, 4), "png"), make([]byte, MaxPictureBytes)...), ErrPictureSize},
		"nothing":               {nil, ErrPicture},
		"a PNG that breaks off": {hugePNG(t, 100, 100, 8), ErrPicture},
		"text":                  {[]byte("RIFF1234WEBPVP8 "), ErrPicture},
		"SVG":                   {[]byte("<svg xmlns='http://www.w3.org/2000/svg'/>"), ErrPicture},
		"BMP":                   {append([]byte("BM"), make([]byte, 60)...), ErrPicture},
	} {
		if _, _, err := NewPortraits().Make(t.Context(), tc.file); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

// One at a time; who cannot wait is told so.
func TestPortrait_Busy(t *testing.T) {
	p := NewPortraits()
	p.one <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	file := encoded(t, halves(4, 4), "png")
	if _, _, err := p.Make(ctx, file); !errors.Is(err, ErrBusy) {
		t.Errorf("error %v", err)
	}
	<-p.one
	if _, _, err := p.Make(t.Context(), file); err != nil {
		t.Error(err)
	}
	if len(p.one) != 0 {
		t.Error("the slot is still taken")
	}
}

func TestPictureName(t *testing.T) {
	for name, want := range map[string]bool{
		"AAAAAAAAAAAAAAAAAAAAAA": true, "AAAAAAAAAAAAAAAAAAAAAB": false, "": false, "AAAAAAAAAAAAAAAAAAAAA": false, "AAAAAAAAAAAAAAAAAAAAAA==": false,
		"../../../../etc/passwd": false, "AAAAAAAAAA\nAAAAAAAAAAAA": false,
	} {
		if got := ValidPictureName(name); got != want {
			t.Errorf("%q: %t", name, got)
		}
	}
}

func FuzzPortrait(f *testing.F) {
	small := encoded(f, halves(16, 16), "jpeg")
	f.Add(small)
	f.Add(withExif(small, binary.BigEndian, 6))
	f.Add(encoded(f, halves(16, 16), "png"))
	f.Add(encoded(f, halves(16, 16), "gif"))
	file, _ := base64.StdEncoding.DecodeString(tinyWebP)
	f.Add(file)
	f.Add(hugeJPEG(f, 300, true))
	p := NewPortraits()
	f.Fuzz(func(t *testing.T, file []byte) {
		if turn := orientation(file); turn < 1 || turn > 8 {
			t.Fatalf("orientation %d", turn)
		}
		form, err := formatOf(file)
		if err != nil {
			return
		}
		if c, err := form.config(bytes.NewReader(file)); err != nil || c.Width*c.Height > 1<<20 {
			return // allowed, but slow to try
		}
		data, mediaType, err := p.Make(t.Context(), file)
		if err != nil {
			if !errors.Is(err, ErrPicture) && !errors.Is(err, ErrPictureSize) {
				t.Fatal(err)
			}
			return
		}
		if _, kind, err := image.DecodeConfig(bytes.NewReader(data)); err != nil || "image/"+kind != mediaType {
			t.Fatalf("made %s, %v", kind, err)
		}
	})
}
