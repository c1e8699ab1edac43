package accounts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"time"

	xdraw "golang.org/x/image/draw"
	"golang.org/x/image/webp"
)

// What a picture may be.
const (
	PictureSize      = 512        // pixels, wide and high, of what is kept
	MaxPictureBytes  = 5 << 20    // of what is sent
	maxPicturePixels = 40_000_000 // of what is sent
	maxPictureSide   = 1 << 15
	maxPictureMemory = 320_000_000 // bytes that decoding may take
	portraitQuality  = 88
	portraitWait     = 5 * time.Second
)

var (
	// ErrPicture refuses what is no JPEG, PNG, GIF or WebP picture that can be read.
	ErrPicture = errors.New("not a picture that can be read")
	// ErrPictureSize refuses a picture with too many bytes or pixels.
	ErrPictureSize = errors.New("a picture that is too large")
)

// Portraits makes pictures out of files from strangers. One file is decoded at a
// time: a picture takes memory a thousand times its size.
type Portraits struct {
	one chan struct{}
}

// NewPortraits returns what makes portraits for a whole process.
func NewPortraits() *Portraits { return &Portraits{one: make(chan struct{}, 1)} }

// Make returns the middle of a picture, upright, PictureSize pixels wide and high,
// as a new JPEG, or as a PNG if one can see through it. Nothing else of the file is
// left: no place or camera (EXIF), no profile, no comment, no second image, and no
// second format hidden in the first. Errors: ErrPicture, ErrPictureSize, ErrBusy.
func (p *Portraits) Make(ctx context.Context, file []byte) (data []byte, mediaType string, err error) {
	if len(file) > MaxPictureBytes {
		return nil, "", ErrPictureSize
	}
	f, err := formatOf(file)
	if err != nil {
		return nil, "", err
	}
	wait, cancel := context.WithTimeout(ctx, portraitWait)
	defer cancel()
	select {
	case p.one <- struct{}{}:
		defer func() { <-p.one }()
	case <-wait.Done():
		return nil, "", ErrBusy
	}
	decoded, err := f.decode(bytes.NewReader(file))
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrPicture, err)
	}
	return encode(upright(portrait(decoded), orientation(file)))
}

// format is how to read one kind of file.
type format struct {
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

// formatOf tells by the first bytes what a file is, whatever it is called, and by
// its header what it would take to decode it. Nothing is decoded before.
func formatOf(file []byte) (format, error) {
	var f format
	switch {
	case bytes.HasPrefix(file, []byte("\xff\xd8\xff")):
		f = format{jpeg.DecodeConfig, jpeg.Decode}
	case bytes.HasPrefix(file, []byte("\x89PNG\r\n\x1a\n")):
		f = format{png.DecodeConfig, png.Decode}
	case bytes.HasPrefix(file, []byte("GIF87a")), bytes.HasPrefix(file, []byte("GIF89a")):
		f = format{gif.DecodeConfig, gif.Decode} // the first image of an animation
	case len(file) > 12 && string(file[:4]) == "RIFF" && string(file[8:12]) == "WEBP":
		f = format{webp.DecodeConfig, webp.Decode}
	default:
		return f, ErrPicture
	}
	c, err := f.config(bytes.NewReader(file))
	if err != nil {
		return f, fmt.Errorf("%w: %w", ErrPicture, err)
	}
	if c.Width < 1 || c.Height < 1 {
		return f, ErrPicture
	}
	if c.Width > maxPictureSide || c.Height > maxPictureSide || c.Width*c.Height > maxPicturePixels {
		return f, ErrPictureSize
	}
	if int64(c.Width)*int64(c.Height)*decodingCost(c.ColorModel, file) > maxPictureMemory {
		return f, ErrPictureSize
	}
	return f, nil
}

// decodingCost is the most that a pixel takes while it is decoded, in bytes.
func decodingCost(m color.Model, file []byte) int64 {
	switch {
	case m == color.RGBA64Model || m == color.NRGBA64Model:
		return 2 * 8 // an interlaced PNG is held twice
	case !bytes.HasPrefix(file, []byte{0xff, 0xd8}):
		return 2 * 4
	case !baseline(file):
		// The decoder holds every coefficient, of four bytes, beside the pixels.
		return 3 * (4 + 1)
	}
	return 4
}

// baseline reports whether the first frame of a JPEG file is known to come in one
// scan (ITU-T T.81, B.1.1.3: SOF0 and SOF1).
func baseline(file []byte) bool {
	found := false
	jpegSegments(file, func(marker byte, _ []byte) bool {
		found = marker == 0xc0 || marker == 0xc1
		return found || marker == 0xc2
	})
	return found
}

// jpegSegments hands on the segments before the first scan until f returns true. It
// stops where decoders differ in what they skip.
func jpegSegments(file []byte, f func(marker byte, payload []byte) (done bool)) {
	if !bytes.HasPrefix(file, []byte{0xff, 0xd8}) {
		return
	}
	for at := 2; at+4 <= len(file) && file[at] == 0xff; {
		marker := file[at+1]
		if marker == 0xff { // a fill byte
			at++
			continue
		}
		end := at + 2 + int(file[at+2])<<8 + int(file[at+3])
		alone := marker < 0xc0 || marker >= 0xd0 && marker <= 0xda
		if alone || end > len(file) || end < at+4 || f(marker, file[at+4:end]) {
			return
		}
		at = end
	}
}

// portrait is the middle square of a picture in PictureSize. What is much larger is
// first made smaller by a whole number, each pixel the mean of a square: in strips,
// so that no second copy of the whole is needed.
func portrait(m image.Image) *image.NRGBA {
	b := m.Bounds()
	side := min(b.Dx(), b.Dy())
	square := image.Rect(0, 0, side, side).Add(b.Min).Add(image.Pt((b.Dx()-side)/2, (b.Dy()-side)/2))
	from := m
	if by := side / PictureSize; by > 1 {
		from, square = reduced(m, square, by)
	}
	out := image.NewNRGBA(image.Rect(0, 0, PictureSize, PictureSize))
	xdraw.CatmullRom.Scale(out, out.Bounds(), from, square, draw.Src, nil)
	return out
}

// reduced makes a square of a picture smaller by a whole number.
func reduced(m image.Image, square image.Rectangle, by int) (image.Image, image.Rectangle) {
	side := square.Dx() / by
	out := image.NewRGBA(image.Rect(0, 0, side, side))
	strip := image.NewRGBA(image.Rect(0, 0, side*by, by))
	for y := range side {
		draw.Draw(strip, strip.Bounds(), m, square.Min.Add(image.Pt(0, y*by)), draw.Src)
		for x := range side {
			var sum [4]int
			for sy := range by {
				row := strip.Pix[sy*strip.Stride+x*by*4:]
				for i := range 4 * by {
					sum[i&3] += int(row[i])
				}
			}
			for i, n := range sum {
				out.Pix[y*out.Stride+x*4+i] = uint8((n + by*by/2) / (by * by))
			}
		}
	}
	return out, out.Bounds()
}

func encode(m *image.NRGBA) ([]byte, string, error) {
	var out bytes.Buffer
	if m.Opaque() {
		err := jpeg.Encode(&out, m, &jpeg.Options{Quality: portraitQuality})
		return out.Bytes(), "image/jpeg", err
	}
	err := png.Encode(&out, m)
	return out.Bytes(), "image/png", err
}
