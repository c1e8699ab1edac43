package selfservice

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// maxUpload bounds the body of an upload: the picture and the fields beside it.
const maxUpload = accounts.MaxPictureBytes + web.MaxBody

// maxParts bounds how many fields an upload has.
const maxParts = 8

func (h *Profile) showPicture(w http.ResponseWriter, r *http.Request) {
	_, user := h.Member(w, r)
	if user == nil {
		return
	}
	query := h.Query(w, r)
	if query == nil {
		return
	}
	p := h.pictureForm(user)
	switch query.Get("done") {
	case "picture":
		p.Good = "picture"
	case "removed":
		p.Good = "picture_removed"
	}
	h.draw(w, r, http.StatusOK, user, pathPicture, p)
}

func (h *Profile) pictureForm(user *accounts.User) templates.Form {
	p := templates.Form{Kind: "picture", Inputs: []templates.Input{{Name: "picture"}}}
	if user.Profile.Picture != "" {
		p.Links = append(p.Links, templates.FormLink{Key: "picture_remove", URL: h.Path(pathPictureRemove)})
	}
	p.Links = append(p.Links, templates.FormLink{Key: "profile", URL: h.Path(pathProfile)})
	return p
}

func (h *Profile) savePicture(w http.ResponseWriter, r *http.Request) {
	_, user := h.Member(w, r)
	if user == nil {
		return
	}
	slowly(h.Now, w, uploadTime)
	file, ticket, err := readUpload(w, r)
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		// The rest of the body is not worth reading.
		w.Header().Set("Connection", "close")
		h.refusePicture(w, r, user, http.StatusRequestEntityTooLarge, "picture_size")
		return
	}
	if err != nil {
		h.Malformed(w, r, err)
		return
	}
	text, token, _ := strings.Cut(ticket, ".")
	if !h.CheckTicket(token, h.BrowserOf(r), pathPicture, text, user.Subject) {
		h.Unproven(w, r, h.Path(pathPicture))
		return
	}
	if len(file) == 0 {
		h.refusePicture(w, r, user, http.StatusUnprocessableEntity, "picture_missing")
		return
	}
	err = h.Profiles.SetPicture(r.Context(), memberActor(user), user.Subject, file)
	throttled := (*accounts.Throttled)(nil)
	switch {
	case errors.As(err, &throttled):
		h.RetryAfter(w, throttled.Wait)
		h.refusePicture(w, r, user, http.StatusTooManyRequests, "picture_often")
	case errors.Is(err, accounts.ErrPicture):
		h.refusePicture(w, r, user, http.StatusUnprocessableEntity, "picture")
	case errors.Is(err, accounts.ErrPictureSize):
		h.refusePicture(w, r, user, http.StatusUnprocessableEntity, "picture_size")
	case errors.Is(err, accounts.ErrBusy):
		h.refusePicture(w, r, user, http.StatusServiceUnavailable, "picture_busy")
	case err != nil:
		h.Broken(w, r, err)
	default:
		web.Event(r.Context()).Outcome = "picture-saved"
		h.Redirect(w, h.Path(pathPicture)+"?done=picture")
	}
}

func (h *Profile) refusePicture(w http.ResponseWriter, r *http.Request, user *accounts.User, status int, problem string) {
	web.Event(r.Context()).Outcome = "refused"
	p := h.pictureForm(user)
	p.Problems = []templates.FormProblem{{Key: problem, Field: "picture"}}
	h.draw(w, r, status, user, pathPicture, p)
}

// uploadTime is how long a picture may be on its way: 5 MB by a bad connection.
const uploadTime = 90 * time.Second

// slowly gives a request of somebody who is signed in more time than the server gives
// strangers. Where that cannot be done, it has less.
func slowly(now func() time.Time, w http.ResponseWriter, whole time.Duration) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(now().Add(whole))
	_ = control.SetWriteDeadline(now().Add(whole))
}

// readUpload reads a multipart form (RFC 7578) with one file, in memory and no
// further than it may reach; what the file is called and says it is does not count.
// Errors: *web.FormError, *http.MaxBytesError.
func readUpload(w http.ResponseWriter, r *http.Request) (file []byte, ticket string, err error) {
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "multipart/form-data" || params["boundary"] == "" {
		return nil, "", &web.FormError{Status: http.StatusUnsupportedMediaType, Reason: "the body must be multipart/form-data"}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxUpload)
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, "", &web.FormError{Status: http.StatusBadRequest, Reason: "the body cannot be read"}
	}
	seen := map[string]bool{}
	for range maxParts {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return file, ticket, nil
		}
		if err != nil {
			return nil, "", unreadable(err)
		}
		name := part.FormName()
		if seen[name] {
			return nil, "", &web.FormError{Status: http.StatusBadRequest, Reason: "parameter sent more than once"}
		}
		seen[name] = true
		data, err := io.ReadAll(part)
		if err != nil {
			return nil, "", unreadable(err)
		}
		switch name {
		case "picture":
			file = data
		case "flow":
			ticket = string(data)
		}
	}
	return nil, "", &web.FormError{Status: http.StatusBadRequest, Reason: "too many parameters"}
}

func unreadable(err error) error {
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return err
	}
	return &web.FormError{Status: http.StatusBadRequest, Reason: "the body cannot be read"}
}

func (h *Profile) showPictureRemove(w http.ResponseWriter, r *http.Request) {
	_, user := h.Member(w, r)
	if user == nil {
		return
	}
	h.draw(w, r, http.StatusOK, user, pathPictureRemove, templates.Form{
		Kind: "picture_remove", Danger: true, Links: []templates.FormLink{{Key: "profile", URL: h.Path(pathProfile)}},
	})
}

func (h *Profile) removePicture(w http.ResponseWriter, r *http.Request) {
	_, user := h.Member(w, r)
	if user == nil || memberForm(h.Desk, w, r, pathPictureRemove, user) == nil {
		return
	}
	if err := h.Profiles.RemovePicture(r.Context(), memberActor(user), user.Subject); err != nil {
		h.Broken(w, r, err)
		return
	}
	web.Event(r.Context()).Outcome = "picture-removed"
	h.Redirect(w, h.Path(pathPicture)+"?done=removed")
}

// servePicture answers with a picture, to everybody who knows its name: apps show it.
// It was made by us and is nothing but pixels; should that be wrong one day, the
// browser neither guesses another type nor runs anything in it. A picture never
// changes under its name; caches drop one that was removed within a week.
func (h *Profile) servePicture(w http.ResponseWriter, r *http.Request) {
	name := mux.Vars(r)["name"]
	if !accounts.ValidPictureName(name) {
		http.NotFound(w, r)
		return
	}
	p, err := h.Pictures.PictureByName(r.Context(), name)
	if errors.Is(err, accounts.ErrNotFound) {
		http.NotFound(w, r)
		return
	}
	if err != nil || p.Type != "image/jpeg" && p.Type != "image/png" {
		web.Event(r.Context()).Cause = err
		http.Error(w, "The picture cannot be read.", http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", p.Type)
	header.Set("Content-Length", strconv.Itoa(len(p.Data)))
	header.Set("Content-Disposition", "inline")
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	header.Set("Cache-Control", "public, max-age=604800, immutable")
	_, _ = io.Copy(w, bytes.NewReader(p.Data))
}
