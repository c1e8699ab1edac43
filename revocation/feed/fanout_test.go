package feed

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/wire"
)

// followersEnv makes the test binary a process full of followers: address,
// authorization and cursor, and how many.
const followersEnv = "FEED_FOLLOWERS"

func TestMain(m *testing.M) {
	if text := os.Getenv(followersEnv); text != "" {
		var addr, cursor string
		var n int
		if _, err := fmt.Sscan(text, &addr, &cursor, &n); err != nil {
			panic(err)
		}
		beFollowers(addr, cursor, n)
		return
	}
	os.Exit(m.Run())
}

// arrival is one frame at one follower.
type arrival struct{ prev, position, at int64 }

// crowd is what the process of followers has seen.
type crowd struct {
	mu       sync.Mutex
	arrivals []arrival
	place    []int64
}

// beFollowers opens n streams, says so, and then answers each position on its
// input with what arrived until all followers were there.
func beFollowers(addr, cursor string, n int) {
	c := &crowd{place: make([]int64, n)}
	for i := range n {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(conn, "GET /base%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer c %s jti\r\nLast-Event-ID: %s\r\n\r\n", wire.PathStream, audienceA, cursor)
		c.place[i] = -1
		go c.read(i, conn)
	}
	c.reach(0)
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		position, _ := strconv.ParseInt(in.Text(), 10, 64)
		seen := c.reach(position)
		out := bufio.NewWriter(os.Stdout)
		fmt.Fprintln(out, len(seen))
		_ = binary.Write(out, binary.LittleEndian, flat(seen))
		_ = out.Flush()
	}
}

func flat(seen []arrival) []int64 {
	out := make([]int64, 0, 3*len(seen))
	for _, a := range seen {
		out = append(out, a.prev, a.position, a.at)
	}
	return out
}

// reach waits until every follower is at a position and returns what arrived.
func (c *crowd) reach(position int64) []arrival {
	c.mu.Lock()
	defer c.mu.Unlock()
	for slices.Min(c.place) < position {
		c.mu.Unlock()
		time.Sleep(5 * time.Millisecond)
		c.mu.Lock()
	}
	seen := c.arrivals
	c.arrivals = nil
	return seen
}

func (c *crowd) read(i int, conn net.Conn) {
	lines := bufio.NewReaderSize(conn, 2048)
	for {
		line, err := lines.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			head := bytes.Clone(line)
			for err == bufio.ErrBufferFull {
				_, err = lines.ReadSlice('\n')
			}
			line = head
		}
		if err != nil {
			return // the server is gone
		}
		if !bytes.HasPrefix(line, []byte("data: ")) {
			continue
		}
		a := arrival{numberAfter(line, `"prev":`), numberAfter(line, `"position":`), time.Now().UnixNano()}
		c.mu.Lock()
		c.arrivals = append(c.arrivals, a)
		c.place[i] = a.position
		c.mu.Unlock()
	}
}

func numberAfter(line []byte, name string) int64 {
	_, rest, _ := bytes.Cut(line, []byte(name))
	end := bytes.IndexAny(rest, ",}")
	n, _ := strconv.ParseInt(string(rest[:max(end, 0)]), 10, 64)
	return n
}

// BenchmarkFanOut tells many followers in another process, over real HTTP/1.1 on
// loopback, of one event, and of 700 rows a second for five seconds.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			s := serve(b)
			s.confirming(b)
			before, goroutines := memory(), runtime.NumGoroutine()
			f := startFollowers(b, s, n)
			b.Run("Idle", func(b *testing.B) {
				for b.Loop() { // the figures are what counts
				}
				b.ReportMetric(float64(memory()-before)/float64(n), "B/stream")
				b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/float64(n), "goroutines/stream")
			})
			b.Run("OneEvent", func(b *testing.B) {
				var took []int64
				for b.Loop() {
					time.Sleep(300 * time.Millisecond) // after quiet
					took = append(took, f.tell(b, s, 1, 0)...)
				}
				percentiles(b, took)
			})
			b.Run("700RowsASecond", func(b *testing.B) {
				var took []int64
				for b.Loop() {
					took = f.tell(b, s, 3500, time.Second/700)
				}
				percentiles(b, took)
			})
		})
	}
}

// memory is what the runtime holds for the heap and for stacks.
func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// crowdProcess is the other process.
type crowdProcess struct {
	in  io.Writer
	out *bufio.Reader
}

func startFollowers(b *testing.B, s *feedServer, n int) *crowdProcess {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %d", followersEnv, s.http.Listener.Addr(), s.take(b, "").Cursor, n))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	f := &crowdProcess{in, bufio.NewReader(out)}
	if line, err := f.out.ReadString('\n'); line != "ready\n" {
		b.Fatalf("%q %v", line, err)
	}
	return f
}

// tell commits rows, each after a pause, and returns how long each took to reach
// each follower, in nanoseconds.
func (f *crowdProcess) tell(b *testing.B, s *feedServer, rows int, pause time.Duration) []int64 {
	b.Helper()
	at := map[int64]int64{}
	began := time.Now()
	for i := range rows {
		time.Sleep(time.Until(began.Add(time.Duration(i) * pause)))
		now := time.Now().UnixNano()
		s.ledger.commit(sessions(1)...)
		at[s.ledger.Last().Position] = now
	}
	fmt.Fprintln(f.in, s.ledger.Last().Position)
	line, err := f.out.ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	n, _ := strconv.Atoi(line[:len(line)-1])
	seen := make([]int64, 3*n)
	if err := binary.Read(f.out, binary.LittleEndian, seen); err != nil {
		b.Fatal(err)
	}
	var took []int64
	for i := 0; i < len(seen); i += 3 {
		for p := seen[i] + 1; p <= seen[i+1]; p++ {
			took = append(took, seen[i+2]-at[p])
		}
	}
	return took
}

func percentiles(b *testing.B, took []int64) {
	b.Helper()
	slices.Sort(took)
	at := func(q float64) float64 { return float64(took[int(q*float64(len(took)-1))]) / 1e6 }
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(at(1), "max-ms")
}
