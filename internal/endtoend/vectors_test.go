package endtoend_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/resource/follow"
	"github.com/gatehouse-id/gatehouse/resource/wire"
)

// vectors are what every follower of the feed has to agree on.
type vectors struct {
	About   string `json:"about"`
	HashKey string `json:"hash_key"`
	Sums    []struct {
		Name, Claim, Value, Key string
	}
	Matches []struct {
		Name    string
		Floor   int64
		Rows    []row
		KeyID   string `json:"kid"`
		Claims  claims
		Refused bool
	}
	Times []struct {
		Name           string
		Requested, Now int64
		Frames         []struct{ Received, Time, Age int64 }
		Reconnect      bool
		Fresh          bool
	}
	Steps []struct {
		Name   string
		Frame  json.RawMessage
		Resync bool
	}
}

// row is a row with what its key was made of.
type row struct {
	wire.Row
	Value *string `json:"value"`
}

type claims struct {
	ID       string `json:"jti"`
	Session  string `json:"sid"`
	Grant    string `json:"gid"`
	Subject  string `json:"sub"`
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
	Rev      int64  `json:"rev"`
}

func vectorsFile(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "examples", "testdata", "follower.json"))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func readVectors(t *testing.T) (v vectors, hashKey []byte) {
	t.Helper()
	text, err := os.ReadFile(vectorsFile(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	hashKey, err = base64.RawURLEncoding.DecodeString(v.HashKey)
	if err != nil {
		t.Fatal(err)
	}
	return v, hashKey
}

// names are those of all vectors, in order.
func (v vectors) names() (all []string) {
	for _, c := range v.Sums {
		all = append(all, c.Name)
	}
	for _, c := range v.Matches {
		all = append(all, c.Name)
	}
	for _, c := range v.Times {
		all = append(all, c.Name)
	}
	for _, c := range v.Steps {
		all = append(all, c.Name)
	}
	return all
}

// passesTheVectors lets an example run them.
func passesTheVectors(t *testing.T, e example) {
	v, _ := readVectors(t)
	cmd := e.vectors(t, e.folder(t), vectorsFile(t))
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, "PYTHONDONTWRITEBYTECODE=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", e.name, err)
	}
	var report struct{ Passed []string }
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("%s: %v in %s", e.name, err, out)
	}
	if diff := cmp.Diff(v.names(), report.Passed); diff != "" {
		t.Errorf("vectors that pass (-want +got):\n%s", diff)
	}
}

// TestVectors holds the vectors against what Gatehouse sends and package resource
// does.
func TestVectors(t *testing.T) {
	v, hashKey := readVectors(t)
	for _, c := range v.Sums {
		if got := wire.Sum(hashKey, c.Claim, c.Value).Text(); got != c.Key {
			t.Errorf("%s: %s", c.Name, got)
		}
	}
	for _, c := range v.Matches {
		rows := make([]wire.Row, 0, len(c.Rows))
		for _, r := range c.Rows {
			if claim, _ := wire.Claim(r.Kind); r.Value != nil && wire.Sum(hashKey, claim, *r.Value).Text() != r.Key {
				t.Errorf("%s: %q is not the key of %q", c.Name, r.Key, *r.Value)
			}
			rows = append(rows, r.Row)
		}
		f := follower(t, v, wire.Frame{Position: 1 << 40, Floor: c.Floor, Rows: rows})
		query := f.View().Query(follow.Claims{
			Token: c.Claims.ID, Session: c.Claims.Session, Grant: c.Claims.Grant, Subject: c.Claims.Subject,
			Client: c.Claims.ClientID, Key: c.KeyID, Scopes: strings.Fields(c.Claims.Scope), Rev: c.Claims.Rev,
		})
		if kind, refused := f.View().Set.Match(&query); refused != c.Refused {
			t.Errorf("%s: refused %t (%v)", c.Name, refused, kind)
		}
	}
}

// epoch is the local time 0 of the vectors.
var epoch = time.Unix(1_800_000_000, 0)

func at(milliseconds int64) time.Time {
	return epoch.Add(time.Duration(milliseconds) * time.Millisecond)
}

// follower is one that was given a complete snapshot at the local time 0.
func follower(t *testing.T, v vectors, frame wire.Frame) *follow.Follower {
	t.Helper()
	frame.Version, frame.Timeline, frame.Time = wire.Version, "t", 1
	f := follow.New(0, func() time.Time { return epoch })
	f.Asking()
	if err := f.Snapshot(wire.Snapshot{Frame: frame, Complete: true, Cursor: "c", HashKey: v.HashKey}, at(0), at(0)); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestVectorsOfTime(t *testing.T) {
	v, _ := readVectors(t)
	for _, c := range v.Times {
		const longAgo = 3_600_000
		f := follower(t, v, wire.Frame{Age: longAgo})
		f.Connected(at(c.Requested))
		var err error
		for _, frame := range c.Frames {
			if err = f.Frame("c", wire.Frame{Version: 1, Timeline: "t", Time: frame.Time, Age: frame.Age}, at(frame.Received)); err != nil {
				break
			}
		}
		if (err != nil) != c.Reconnect {
			t.Errorf("%s: %v", c.Name, err)
		}
		if fresh := f.State(at(c.Now)) == follow.Fresh; fresh != c.Fresh {
			t.Errorf("%s: fresh %t", c.Name, fresh)
		}
	}
}

func TestVectorsOfSteps(t *testing.T) {
	v, _ := readVectors(t)
	for _, c := range v.Steps {
		f := follower(t, v, wire.Frame{Position: 10})
		f.Connected(at(0))
		frame := wire.Frame{Version: wire.Version, Timeline: "t", Prev: 10, Position: 10, Time: 1}
		if string(c.Frame) == `{"v": null}` {
			frame.Version = 0 // null would leave it as it is
		}
		if err := json.Unmarshal(c.Frame, &frame); err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		if err := f.Frame("c", frame, at(0)); (err != nil) != c.Resync {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
}

// The examples of keys in the documentation are true.
func TestWireDocumentShowsKeys(t *testing.T) {
	_, hashKey := readVectors(t)
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "wire.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(page, []byte(base64.RawURLEncoding.EncodeToString(hashKey))) {
		t.Error("the page does not name the hash key")
	}
	rows := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| `([^`]+)` \\| `([A-Za-z0-9_-]{22})` \\|$").FindAllSubmatch(page, -1)
	if len(rows) < 7 {
		t.Fatalf("%d examples found", len(rows))
	}
	for _, row := range rows {
		if got := wire.Sum(hashKey, string(row[1]), string(row[2])).Text(); got != string(row[3]) {
			t.Errorf("%s %s: %s, the page says %s", row[1], row[2], got, row[3])
		}
	}
}
