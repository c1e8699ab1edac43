package accounts

import (
	"bytes"
	"encoding/binary"
	"image"
)

// tagOrientation is the one tag of a photograph's data that is read before all of it
// is dropped: cameras turn the picture by it instead of by its pixels (Exif 2.32
// §4.6.4).
const tagOrientation = 0x0112

// orientation is how a JPEG file wants to be shown, 1 to 8; 1 is as it is.
func orientation(file []byte) int {
	found := 1
	jpegSegments(file, func(marker byte, payload []byte) bool {
		tiff, isExif := bytes.CutPrefix(payload, []byte("Exif\x00\x00"))
		if marker != 0xe1 || !isExif {
			return false
		}
		found = tiffOrientation(tiff)
		return true
	})
	return found
}

// tiffOrientation looks into the first directory of a TIFF header (TIFF 6.0 §2).
func tiffOrientation(b []byte) int {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(b, []byte("II*\x00")):
		order = binary.LittleEndian
	case bytes.HasPrefix(b, []byte("MM\x00*")):
		order = binary.BigEndian
	default:
		return 1
	}
	if len(b) < 8 {
		return 1
	}
	at := uint64(order.Uint32(b[4:]))
	if at+2 > uint64(len(b)) {
		return 1
	}
	entries := uint64(order.Uint16(b[at:]))
	for i := range entries {
		entry := at + 2 + 12*i
		if entry+12 > uint64(len(b)) {
			return 1
		}
		if order.Uint16(b[entry:]) != tagOrientation {
			continue
		}
		if turn := int(order.Uint16(b[entry+8:])); turn >= 1 && turn <= 8 {
			return turn
		}
		return 1
	}
	return 1
}

// upright turns and mirrors a square picture as its orientation says.
func upright(m *image.NRGBA, turn int) *image.NRGBA {
	if turn == 1 {
		return m
	}
	last := m.Bounds().Dx() - 1
	out := image.NewNRGBA(m.Bounds())
	for y := range last + 1 {
		for x := range last + 1 {
			var from image.Point
			switch turn {
			case 2:
				from = image.Pt(last-x, y)
			case 3:
				from = image.Pt(last-x, last-y)
			case 4:
				from = image.Pt(x, last-y)
			case 5:
				from = image.Pt(y, x)
			case 6:
				from = image.Pt(y, last-x)
			case 7:
				from = image.Pt(last-y, last-x)
			case 8:
				from = image.Pt(last-y, x)
			}
			out.SetNRGBA(x, y, m.NRGBAAt(from.X, from.Y))
		}
	}
	return out
}
