package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	if text := os.Getenv(crowdEnv); text != "" {
		if err := beCrowd(text, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// experiment is one question and how it is answered.
type experiment struct {
	name string
	do   func(ctx context.Context, b *bench) error
}

// experiments in the order in which they run and are printed.
func experiments() []experiment {
	return []experiment{
		{"latency", latency}, {"set", lookups}, {"fanout", fanOut}, {"storm", storm}, {"verify", verification}, {"memory", memory}, {"tokens", tokenCosts},
	}
}

// bench is one run.
type bench struct {
	sizes
	chart  string // where to draw; empty for nowhere
	out    io.Writer
	notes  io.Writer // progress
	folder string    // temporary
	root   string    // of the source
	binary string    // of Gatehouse; empty until it is built
}

// run is main with everything handed in.
func run(ctx context.Context, args []string, out, notes io.Writer) (err error) {
	b := &bench{out: out, notes: notes, sizes: shortSizes()}
	only, err := b.parse(args)
	if err != nil {
		return err
	}
	if b.root, err = sourceRoot(); err != nil {
		return err
	}
	if b.folder, err = os.MkdirTemp("", "gatehouse-bench-"); err != nil {
		return fmt.Errorf("temporary folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.folder)) }()
	if err := raiseFiles(); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s, %s/%s, %d processors, %s%s\n", time.Now().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), load())
	var failed []error // one experiment does not take the others with it
	for _, e := range experiments() {
		if len(only) > 0 && !slices.Contains(only, e.name) {
			continue
		}
		began := time.Now()
		if err := b.within(ctx, e); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", e.name, err))
		}
		if ctx.Err() != nil {
			break
		}
		b.note("%s took %s", e.name, time.Since(began).Round(time.Second))
	}
	return errors.Join(failed...)
}

// within runs an experiment, and ends what it started.
func (b *bench) within(ctx context.Context, e experiment) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	return e.do(ctx, b)
}

// parse reads flags. It returns the experiments that were asked for; none means all.
func (b *bench) parse(args []string) ([]string, error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(b.notes)
	short := f.Bool("short", false, "sizes that take about four minutes (the default)")
	full := f.Bool("full", false, "large sizes (an hour or more)")
	smoke := f.Bool("smoke", false, "sizes that only show that the program works (seconds)")
	only := f.String("only", "", "experiments, with commas: latency, set, fanout, storm, verify, memory, tokens")
	f.StringVar(&b.chart, "chart", "", "file to draw the chart of latencies into (SVG)")
	f.StringVar(&b.binary, "binary", "", "the gatehouse to measure; without it one is built")
	verifiers := f.Int("verifiers", 0, "resource servers that must refuse")
	followers := f.Int("followers", 0, "streams of the fan-out")
	refreshes := f.Int("refreshes", 0, "tokens that the storm refreshes")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("unknown argument %q", f.Arg(0))
	case *short && (*full || *smoke), *full && *smoke:
		return nil, errors.New("-short, -full and -smoke exclude each other")
	case *full:
		b.sizes = fullSizes()
	case *smoke:
		b.sizes = smokeSizes()
	}
	for given, size := range map[*int]*int{verifiers: &b.verifiers, followers: &b.followers, refreshes: &b.refreshes} {
		if *given > 0 {
			*size = *given
		}
	}
	if *only == "" {
		return nil, nil
	}
	names := strings.Split(*only, ",")
	for _, name := range names {
		if !slices.ContainsFunc(experiments(), func(e experiment) bool { return e.name == name }) {
			return nil, fmt.Errorf("there is no experiment %q", name)
		}
	}
	return names, nil
}

// note tells of progress.
func (b *bench) note(format string, args ...any) {
	fmt.Fprintf(b.notes, "%s %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

// print adds a table to the output.
func (b *bench) print(t *table) { t.write(b.out) }

// sourceRoot is the folder of go.mod, here or above.
func sourceRoot() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the source: %w", err)
	}
	for ; ; folder = filepath.Dir(folder) {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder, nil
		}
		if folder == filepath.Dir(folder) {
			return "", errors.New("run this in the source of Gatehouse: it builds the program that it measures")
		}
	}
}

// raiseFiles lets this process, and those that it starts, open as many files as
// the system allows: a stream is one.
func raiseFiles() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("raise the limit of open files: %w", err)
	}
	return nil
}
