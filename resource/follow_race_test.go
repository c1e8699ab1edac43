package resource

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/wire"
)

// TestFollowOverRealConnections: revocations, verifications, streams' ends and
// broken connections at once. What a commit made known stays refused.
func TestFollowOverRealConnections(t *testing.T) {
	f, mux := newFeedIssuer(t)
	v := f.serve(mux, nil)
	defer v.Close()
	if err := v.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	const sessions = 200
	raws := make([]string, sessions)
	var dead [sessions]atomic.Bool // seen refused
	for i := range raws {
		raws[i] = f.access(map[string]any{"sid": fmt.Sprint(i), "jti": fmt.Sprint(i)})
	}
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			for i := 0; ; i = (i + 1) % sessions {
				select {
				case <-stop:
					return
				default:
				}
				before := dead[i].Load()
				token, err := v.Verify(t.Context(), raws[i])
				switch {
				case errors.Is(err, ErrRevoked):
					dead[i].Store(true)
				case err != nil:
					t.Error(err)
					return
				case before:
					t.Errorf("token %d came back", i)
					return
				default:
					v.Done(token)
				}
			}
		})
	}
	for i := range sessions {
		f.commit(wire.KindSession, fmt.Sprint(i))
		if i%40 == 20 {
			f.cut()
		}
		if i == 100 {
			f.do(func() { f.timeline = "two" })
			f.cut()
		}
		time.Sleep(time.Millisecond)
	}
	for i := range raws {
		token := &Token{
			ID: fmt.Sprint(i), SessionID: fmt.Sprint(i), KeyID: "k1", GrantID: "grant", Subject: "person", ClientID: "app",
			Scopes: []string{"openid"}, Rev: 100, ExpiresAt: time.Now().Add(time.Minute),
		}
		select {
		case <-v.Done(token):
		case <-t.Context().Done():
			t.Fatal("the last revocations never came")
		}
		if _, err := v.Verify(t.Context(), raws[i]); !errors.Is(err, ErrRevoked) {
			t.Errorf("token %d: %v", i, err)
		}
	}
	close(stop)
	readers.Wait()
}
