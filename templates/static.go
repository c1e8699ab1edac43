package templates

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// asset is one static file under its fingerprinted name.
type asset struct {
	name        string // with the fingerprint
	contentType string
	data        []byte
}

// assets are the static files, by plain and by fingerprinted name.
type assets struct {
	plain         map[string]asset
	fingerprinted map[string]asset
}

func loadAssets(f files) (assets, error) {
	a := assets{plain: map[string]asset{}, fingerprinted: map[string]asset{}}
	names, err := f.list("static/*")
	if err != nil {
		return a, err
	}
	for _, name := range names {
		data, err := f.read(name)
		if err != nil {
			return a, err
		}
		if err := a.add(path.Base(name), data); err != nil {
			return a, err
		}
	}
	return a, nil
}

func (a *assets) add(name string, data []byte) error {
	ext := path.Ext(name)
	contentType, ok := contentTypes()[ext]
	if !ok {
		return fmt.Errorf("static file %s: its ending is not one that we serve", name)
	}
	sum := sha256.Sum256(data)
	file := asset{
		name:        strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext,
		contentType: contentType,
		data:        data,
	}
	a.plain[name] = file
	a.fingerprinted[file.name] = file
	return nil
}

// contentTypes is our own list: the one of package mime differs from machine to
// machine, and what is not in here is not served.
func contentTypes() map[string]string {
	return map[string]string{
		".css":   "text/css; charset=utf-8",
		".js":    "text/javascript; charset=utf-8",
		".svg":   "image/svg+xml",
		".png":   "image/png",
		".jpg":   "image/jpeg",
		".webp":  "image/webp",
		".ico":   "image/x-icon",
		".woff2": "font/woff2",
	}
}

// Static serves the static files below [Options.StaticPath], each only under the
// name that carries the hash of its content, so that it may be cached for ever.
// Everything else is 404, and there is no listing.
func (r *Renderer) Static() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		name, under := strings.CutPrefix(req.URL.Path, r.staticPath)
		file, found := r.assets.fingerprinted[name]
		if !under || !found {
			http.NotFound(w, req)
			return
		}
		if req.Method != http.MethodGet && req.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		header := w.Header()
		header.Set("Content-Type", file.contentType)
		header.Set("Content-Length", strconv.Itoa(len(file.data)))
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
		if req.Method == http.MethodHead {
			return
		}
		// The reader may have gone; there is nobody left to tell.
		_, _ = w.Write(file.data)
	})
}
