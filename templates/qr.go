package templates

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// quiet is the light margin that readers need around a QR code, in modules
// (ISO/IEC 18004).
const quiet = 4

// qrCode is a QR code as lines of an SVG, one unit to a module.
type qrCode struct {
	Size int    // of a side, with the margin
	Path string // to be stroked with a width of 1
}

// newQR draws a text. It is markup of the page, no image: nothing is fetched, and
// the page's policy needs no exception.
func newQR(text string) (qrCode, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return qrCode{}, fmt.Errorf("draw QR code: %w", err)
	}
	var path strings.Builder
	for y := range code.Size {
		x := 0
		for x < code.Size {
			if !code.Black(x, y) {
				x++
				continue
			}
			begin := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			fmt.Fprintf(&path, "M%d %d.5h%d", begin+quiet, y+quiet, x-begin)
		}
	}
	return qrCode{Size: code.Size + 2*quiet, Path: path.String()}, nil
}
