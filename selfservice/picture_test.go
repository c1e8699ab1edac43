package selfservice_test

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// upload is the form of the page with a file.
func (b *visitor) upload(name string, file []byte, change ...func(*multipart.Writer)) *httptest.ResponseRecorder {
	b.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for key, values := range filled(b, b.get("/account/picture")) {
		b.must(form.WriteField(key, values[0]))
	}
	part, err := form.CreateFormFile("picture", name)
	b.must(err)
	_, err = part.Write(file)
	b.must(err)
	for _, c := range change {
		c(form)
	}
	b.must(form.Close())
	return b.send("/account/picture", form.FormDataContentType(), strings.NewReader(body.String()))
}

func drawn(t testing.TB, wide, high int, c color.Color) *image.NRGBA {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, wide, high))
	for y := range high {
		for x := range wide {
			m.Set(x, y, c)
		}
	}
	return m
}

func asPNG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestPicture(t *testing.T) {
	w := newHouse(t)
	b := w.visitor(w.ada)
	wantHTML(t, b.get("/account/picture"), http.StatusOK, `enctype="multipart/form-data"`, `type="file"`, "!Remove your picture")
	wantTo(t, b.upload("me.exe", asPNG(t, drawn(t, 40, 30, color.White))), "/account/picture?done=picture")
	w.wantOutcome("picture-saved")
	first := w.stored(w.ada).Profile.Picture
	name, ours := strings.CutPrefix(first, houseIssuer+"/pictures/")
	if !ours || !accounts.ValidPictureName(name) {
		t.Fatalf("the claim is %q", first)
	}
	wantHTML(t, b.get("/account/"), http.StatusOK, `src="/pictures/`+name+`"`)
	wantHTML(t, b.get("/account/picture?done=picture"), http.StatusOK, "Your picture is changed.", "/account/picture/remove")

	// Everybody who knows the name gets it, and nothing that it could do.
	stranger := w.visitor(nil)
	got := stranger.get("/pictures/" + name)
	if got.Code != http.StatusOK {
		t.Fatalf("status %d", got.Code)
	}
	for header, want := range map[string]string{
		"Content-Type": "image/jpeg", "Content-Security-Policy": "default-src 'none'; sandbox", "X-Content-Type-Options": "nosniff",
		"Cache-Control": "public, max-age=604800, immutable", "Cross-Origin-Resource-Policy": "cross-origin", "Content-Disposition": "inline",
	} {
		if has := got.Header().Get(header); has != want {
			t.Errorf("%s: %q, want %q", header, has, want)
		}
	}
	if len(got.Result().Cookies()) > 0 {
		t.Error("a cookie with a picture that caches keep")
	}
	m, err := jpeg.Decode(got.Body)
	w.must(err)
	if m.Bounds() != image.Rect(0, 0, accounts.PictureSize, accounts.PictureSize) {
		t.Errorf("bounds %v", m.Bounds())
	}

	// The next one has another name, and this one is gone.
	wantTo(t, b.upload("me.png", asPNG(t, drawn(t, 30, 40, color.NRGBA{A: 100}))), "/account/picture?done=picture")
	second := w.stored(w.ada).Profile.Picture
	if second == first {
		t.Error("the same name")
	}
	if code := stranger.get("/pictures/" + name).Code; code != http.StatusNotFound {
		t.Errorf("the picture that was replaced: status %d", code)
	}
	wantTo(t, b.post("/account/picture/remove", filled(t, b.get("/account/picture/remove"))), "/account/picture?done=removed")
	if code := stranger.get(strings.TrimPrefix(second, houseIssuer)).Code; code != http.StatusNotFound || w.stored(w.ada).Profile.Picture != "" {
		t.Errorf("the picture that was removed: status %d", code)
	}
}

// A picture goes with its account.
func TestPicture_GoesWithAccount(t *testing.T) {
	w := newHouse(t)
	b := w.visitor(w.ada)
	wantTo(t, b.upload("me.png", asPNG(t, drawn(t, 4, 4, color.Black))), "/account/picture?done=picture")
	path := strings.TrimPrefix(w.stored(w.ada).Profile.Picture, houseIssuer)
	w.must(w.users.Delete(t.Context(), rootOperator(), w.ada.Subject))
	if code := b.get(path).Code; code != http.StatusNotFound {
		t.Errorf("status %d", code)
	}
}

func TestPicture_Names(t *testing.T) {
	w := newHouse(t)
	b := w.visitor(nil)
	for _, name := range []string{"", "x", "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAB", "AAAAAAAAAAAAAAAAAAAAAA.jpg", "%2e%2e", strings.Repeat("A", 5000)} {
		if code := b.get("/pictures/" + name).Code; code != http.StatusNotFound {
			t.Errorf("%.40q: status %d", name, code)
		}
	}
}

func TestPicture_Refused(t *testing.T) {
	w := newHouse(t)
	b := w.visitor(w.ada)
	for _, tc := range []struct {
		name, says string
		file       []byte
		status     int
	}{
		{"nothing", "Choose a picture.", nil, http.StatusUnprocessableEntity},
		{"a page", "no picture that we can read", []byte("<html><script>alert(1)</script>"), http.StatusUnprocessableEntity},
		{"svg", "no picture that we can read", []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`), http.StatusUnprocessableEntity},
		{"a broken one", "no picture that we can read", asPNG(t, drawn(t, 40, 40, color.White))[:80], http.StatusUnprocessableEntity},
		{"a large one", "too large", append(asPNG(t, drawn(t, 4, 4, color.White)), make([]byte, accounts.MaxPictureBytes)...), http.StatusUnprocessableEntity},
		{"a huge one", "too large", make([]byte, accounts.MaxPictureBytes+100_000), http.StatusRequestEntityTooLarge},
	} {
		wantHTML(t, b.upload("me.png", tc.file), tc.status, tc.says, `role="alert"`)
	}
	if w.stored(w.ada).Profile.Picture != "" {
		t.Error("a picture was saved")
	}
}

// An upload is read no further than it may reach, and in one way.
func TestPicture_BadUploads(t *testing.T) {
	w := newHouse(t)
	b := w.visitor(w.ada)
	fine := asPNG(t, drawn(t, 4, 4, color.White))
	twice := func(m *multipart.Writer) { b.must(m.WriteField("flow", "x")) }
	wantHTML(t, b.upload("me.png", fine, twice), http.StatusBadRequest)
	many := func(m *multipart.Writer) {
		for i := range 20 {
			b.must(m.WriteField(strings.Repeat("x", i+1), "y"))
		}
	}
	wantHTML(t, b.upload("me.png", fine, many), http.StatusBadRequest)
	for mediaType, body := range map[string]string{
		"application/x-www-form-urlencoded": filled(t, b.get("/account/picture")).Encode(),
		"multipart/form-data":               "--x",
		"text/html":                         "x",
		"multipart/form-data; boundary=x":   "--x\r\nbroken",
		"multipart/form-data; boundary=\"":  "--x",
	} {
		answer := b.send("/account/picture", mediaType, strings.NewReader(body))
		if answer.Code != http.StatusBadRequest && answer.Code != http.StatusUnsupportedMediaType {
			t.Errorf("%s: status %d", mediaType, answer.Code)
		}
	}
	// A ticket of another person, or none (attack 169).
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	b.must(form.WriteField("flow", filled(t, w.visitor(w.bob).get("/account/picture")).Get("flow")))
	part, err := form.CreateFormFile("picture", "me.png")
	b.must(err)
	_, err = part.Write(fine)
	b.must(err)
	b.must(form.Close())
	wantHTML(t, b.send("/account/picture", form.FormDataContentType(), strings.NewReader(body.String())), http.StatusForbidden)
	if w.stored(w.ada).Profile.Picture != "" {
		t.Error("a picture was saved")
	}
}

// TestPicture_TooMany: pictures cost processor time, so an account has not many tries,
// good or bad; another account has its own.
func TestPicture_TooMany(t *testing.T) {
	w := newHouse(t)
	b := w.visitor(w.ada)
	for range 10 {
		wantHTML(t, b.upload("x.png", []byte("no picture")), http.StatusUnprocessableEntity)
	}
	answer := b.upload("x.png", asPNG(t, drawn(t, 8, 8, color.White)))
	wantHTML(t, answer, http.StatusTooManyRequests, "You have sent many pictures")
	if answer.Header().Get("Retry-After") != "300" {
		t.Errorf("wait %q", answer.Header().Get("Retry-After"))
	}
	wantHTML(t, w.visitor(w.bob).upload("x.png", []byte("no picture")), http.StatusUnprocessableEntity)
	w.now = w.now.Add(5 * time.Minute)
	if answer := b.upload("x.png", asPNG(t, drawn(t, 8, 8, color.White))); answer.Code != http.StatusSeeOther {
		t.Errorf("after five minutes: %d\n%s", answer.Code, answer.Body)
	}
}
