package console

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

const (
	// debugLife is how long the way through the authorization endpoint may take.
	debugLife = 10 * time.Minute
	// debugKept is for how long the page of a run goes on.
	debugKept = time.Hour
	// carriedMost bounds what the forms of the page carry along, in characters.
	carriedMost = 8 << 10
	// unpackedMost bounds what becomes of it.
	unpackedMost = 1 << 20

	sealState, sealRun = "debug-state", "debug-run"
)

// errDebugState says that a state or a run is not of this session, or too old.
var errDebugState = errors.New("not a run of this session")

// begun is what comes back with the answer of the authorization endpoint: its state.
type begun struct {
	Client   string `json:"c"`
	Run      id.ID  `json:"r"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	At       int64  `json:"t"` // Unix milliseconds
}

// run is what the page shows, and the tokens that its buttons use.
type run struct {
	At      int64       `json:"t"` // Unix milliseconds
	Nonce   string      `json:"n,omitempty"`
	Access  string      `json:"a,omitempty"`
	ID      string      `json:"i,omitempty"`
	Refresh string      `json:"r,omitempty"`
	Steps   []debugStep `json:"s,omitempty"`
}

// debugStep is a request that was made, and its answer.
type debugStep struct {
	Kind string     `json:"k"` // the end of its message
	Wire admin.Wire `json:"w"`
}

// coreSteps are those of the way to the first tokens.
const coreSteps = 3

// bound ties what is sealed to this session of this person in this browser.
func (v *visit) bound() []byte {
	return []byte(v.session.ID.String() + "\x00" + v.BrowserOf(v.r) + "\x00" + v.user.Subject)
}

func (v *visit) sealed(purpose string, value any) ([]byte, error) {
	return v.sealedFor(v.bound(), purpose, value)
}

// sealedFor packs and seals a value for those who are named.
func (v *visit) sealedFor(bound []byte, purpose string, value any) ([]byte, error) {
	plain, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return v.Keyring.Seal(purpose, packed.Bytes(), bound)
}

// opened reads what was sealed. Error: errDebugState.
func (v *visit) opened(purpose string, sealed []byte, into any) error {
	return v.openedFor(v.bound(), purpose, sealed, into)
}

// openedFor reads what was sealed for those who are named. Error: errDebugState.
func (v *visit) openedFor(bound []byte, purpose string, sealed []byte, into any) error {
	packed, err := v.Keyring.Open(purpose, sealed, bound)
	if errors.Is(err, secret.ErrSealBroken) || errors.Is(err, secret.ErrUnknownVersion) {
		return errDebugState
	}
	if err != nil {
		return err
	}
	plain, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), unpackedMost))
	if err != nil {
		return err
	}
	return json.Unmarshal(plain, into)
}

// openedText is opened for what came in a form or a query, and was sealed at At. Error:
// errDebugState.
func (v *visit) openedText(purpose, text string, into any) error {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return errDebugState
	}
	return v.opened(purpose, sealed, into)
}

// young refuses what was sealed longer ago than it may be. Error: errDebugState.
func (v *visit) young(at int64, most time.Duration) error {
	if v.Now().UnixMilli()-at > most.Milliseconds() {
		return errDebugState
	}
	return nil
}

// carry has the forms of the page carry the run along. If it is too large, they forget
// steps: the oldest of those that buttons have added first.
func (v *visit) carry(r run) error {
	for {
		sealed, err := v.sealed(sealRun, r)
		if err != nil {
			return err
		}
		if text := base64.RawURLEncoding.EncodeToString(sealed); len(text) <= carriedMost || len(r.Steps) == 0 {
			v.carried = text
			return nil
		}
		at := min(coreSteps, len(r.Steps)-1)
		r.Steps = append(append([]debugStep{}, r.Steps[:at]...), r.Steps[at+1:]...)
	}
}
