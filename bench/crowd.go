package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/wire"
)

// A crowd is a process full of followers that read their streams and check
// nothing: what a frame costs them should not be measured as the node's.

// crowdEnv makes this program a crowd; it holds a crowdOrder.
const crowdEnv = "GATEHOUSE_BENCH_CROWD"

// crowdOrder says whom to follow and how often.
type crowdOrder struct {
	Address, Host, Token, Cursor string
	Streams                      int
}

// crowdQuestion is one line on a crowd's standard input: wait until all have come
// to a position, and say, for each clock, how long after its moments (Unix
// nanoseconds, by position) each of them had it.
type crowdQuestion struct {
	Reach  int64
	Clocks []map[int64]int64
}

// crowdAnswer is one line on its standard output.
type crowdAnswer struct {
	Spreads []crowdSpread // by clock
	Lost    int           // streams that have ended
}

type crowdSpread struct {
	Samples       int
	P50, P99, Max time.Duration
}

// arrival is that a stream came to a position.
type arrival struct {
	position int64
	at       int64 // Unix nanoseconds
}

// stream is one follower.
type stream struct {
	mu       sync.Mutex
	arrivals []arrival
	place    atomic.Int64
}

// ended is the place of a stream that is over: nobody waits for it.
const ended = math.MaxInt64

type crowd struct{ streams []stream }

// beCrowd follows, says so by a first answer, and answers questions until its
// input ends.
func beCrowd(text string, in io.Reader, out io.Writer) error {
	var order crowdOrder
	if err := json.Unmarshal([]byte(text), &order); err != nil {
		return fmt.Errorf("order: %w", err)
	}
	c := &crowd{streams: make([]stream, order.Streams)}
	const atOnce = 32
	turns := make(chan struct{}, atOnce)
	errs := make(chan error, order.Streams)
	for i := range c.streams {
		turns <- struct{}{}
		go func() {
			body, err := order.open()
			<-turns
			errs <- err
			if err == nil {
				c.streams[i].read(body)
			}
		}()
	}
	for range c.streams {
		if err := <-errs; err != nil {
			return fmt.Errorf("open a stream: %w", err)
		}
	}
	answers := json.NewEncoder(out)
	if err := answers.Encode(c.about(crowdQuestion{})); err != nil {
		return err
	}
	for questions := json.NewDecoder(in); ; {
		var q crowdQuestion
		if err := questions.Decode(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("question: %w", err)
		}
		if err := answers.Encode(c.about(q)); err != nil {
			return err
		}
	}
}

func (o *crowdOrder) open() (io.Reader, error) {
	conn, err := net.Dial("tcp", o.Address)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nLast-Event-ID: %s\r\n\r\n", wire.PathStream, o.Host, o.Token, o.Cursor)
	answer, err := http.ReadResponse(bufio.NewReaderSize(conn, 2048), nil)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, errors.New(answer.Status)
	}
	return answer.Body, nil
}

// read notes when the frames arrive that lead further.
func (s *stream) read(body io.Reader) {
	defer s.place.Store(ended)
	lines := bufio.NewReaderSize(body, 1024)
	for {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			line = bytes.Clone(line) // the positions are in front
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = lines.ReadSlice('\n')
			}
		}
		if err != nil {
			return // the node has ended, or dropped this stream
		}
		position, ok := positionIn(line)
		if !ok || position <= s.place.Load() {
			continue
		}
		s.mu.Lock()
		s.arrivals = append(s.arrivals, arrival{position, time.Now().UnixNano()})
		s.mu.Unlock()
		s.place.Store(position)
	}
}

func positionIn(line []byte) (int64, bool) {
	_, rest, ok := bytes.Cut(line, []byte(`"position":`))
	if !ok || !bytes.HasPrefix(line, []byte("data: ")) {
		return 0, false
	}
	position, err := strconv.ParseInt(string(rest[:max(bytes.IndexAny(rest, ",}"), 0)]), 10, 64)
	return position, err == nil
}

// about answers a question and forgets the arrivals.
func (c *crowd) about(q crowdQuestion) crowdAnswer {
	var a crowdAnswer
	took := make([]histogram, len(q.Clocks))
	for i := range c.streams {
		s := &c.streams[i]
		for s.place.Load() < q.Reach {
			time.Sleep(2 * time.Millisecond)
		}
		if s.place.Load() == ended {
			a.Lost++
		}
		s.mu.Lock()
		arrivals := s.arrivals
		s.arrivals = nil
		s.mu.Unlock()
		for c, moments := range q.Clocks {
			took[c].addAll(arrivals, moments)
		}
	}
	for c := range took {
		h := &took[c]
		a.Spreads = append(a.Spreads, crowdSpread{h.n, h.at(0.5), h.at(0.99), h.longest})
	}
	return a
}

// histogram counts durations by tenths of a millisecond, since there are as many
// as rows times streams.
type histogram struct {
	counts  [600_000]int // the last holds what took longer
	n       int
	longest time.Duration
}

const histogramGrain = 100 * time.Microsecond

// addAll adds, for each moment, when the first frame came that led to its position.
// Positions without a moment are other people's.
func (h *histogram) addAll(arrivals []arrival, moments map[int64]int64) {
	var before int64
	if len(arrivals) > 0 { // what came before was asked about before
		before = arrivals[0].position - 1
		for p := range moments {
			before = min(before, p-1)
		}
	}
	for _, a := range arrivals {
		for p := before + 1; p <= a.position; p++ {
			if began, ok := moments[p]; ok {
				h.add(time.Duration(max(0, a.at-began)))
			}
		}
		before = a.position
	}
}

func (h *histogram) add(d time.Duration) {
	h.counts[min(int(d/histogramGrain), len(h.counts)-1)]++
	h.n++
	h.longest = max(h.longest, d)
}

// at returns the upper end of the tenth of a millisecond in which that share ends.
func (h *histogram) at(q float64) time.Duration {
	rank, seen := int(math.Ceil(q*float64(h.n))), 0
	for i, n := range h.counts {
		if seen += n; n > 0 && seen >= rank {
			return min(time.Duration(i+1)*histogramGrain, h.longest)
		}
	}
	return h.longest
}

// crowdProcess is the crowd as the rest of this program sees it.
type crowdProcess struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	asks    *json.Encoder
	answers *json.Decoder
}

// startCrowd returns once all streams are open.
func startCrowd(o crowdOrder) (*crowdProcess, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), crowdEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the followers: %w", err)
	}
	c := &crowdProcess{cmd, in, json.NewEncoder(in), json.NewDecoder(out)}
	var first crowdAnswer
	if err := c.answers.Decode(&first); err != nil {
		return nil, errors.Join(fmt.Errorf("the followers did not come: %w", err), c.close())
	}
	return c, nil
}

func (c *crowdProcess) ask(q crowdQuestion) (crowdAnswer, error) {
	var a crowdAnswer
	if err := c.asks.Encode(q); err != nil {
		return a, fmt.Errorf("ask the followers: %w", err)
	}
	if err := c.answers.Decode(&a); err != nil {
		return a, fmt.Errorf("the followers' answer: %w", err)
	}
	return a, nil
}

// close ends the process; what it held is the system's.
func (c *crowdProcess) close() error {
	_ = c.in.Close()
	return c.cmd.Wait()
}
