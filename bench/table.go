package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// table is what an experiment found, with what has to be known to read it.
type table struct {
	title string
	note  string // measured or computed, and how
	head  []string
	rows  [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// write writes Markdown whose columns also stand below each other. The first
// column is text, the others are figures.
func (t *table) write(w io.Writer) {
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), 3)
		}
	}
	line := func(row []string) {
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				cell += pad
			} else {
				cell = pad + cell
			}
			fmt.Fprintf(w, "| %s ", cell)
		}
		fmt.Fprintln(w, "|")
	}
	fmt.Fprintf(w, "\n### %s\n\n", t.title)
	if t.note != "" {
		fmt.Fprintf(w, "%s\n\n", t.note)
	}
	line(t.head)
	rule := make([]string, len(widths))
	for i, width := range widths {
		rule[i] = strings.Repeat("-", width-1) + ":"
		if i == 0 {
			rule[i] = strings.Repeat("-", width)
		}
	}
	line(rule)
	for _, row := range t.rows {
		line(row)
	}
}

// durations are a sample. None is left out.
type durations []time.Duration

// at returns the smallest value that a share q of the sample does not exceed.
func (d durations) at(q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	if !slices.IsSorted(d) {
		slices.Sort(d)
	}
	rank := int(q*float64(len(d)) + 0.999999)
	return d[min(max(rank, 1), len(d))-1]
}

// three are the figures that every distribution is told by.
func (d durations) three() []string {
	return []string{span(d.at(0.5)), span(d.at(0.99)), span(d.at(1))}
}

// span writes a duration with three figures at most.
func span(d time.Duration) string {
	switch {
	case d < time.Microsecond:
		return fmt.Sprintf("%d ns", d.Nanoseconds())
	case d < time.Millisecond:
		return fmt.Sprintf("%.3g µs", float64(d)/float64(time.Microsecond))
	case d < time.Second:
		return fmt.Sprintf("%.3g ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.*f s", decimals(d.Seconds()), d.Seconds())
}

func decimals(seconds float64) int {
	switch {
	case seconds < 10:
		return 2
	case seconds < 100:
		return 1
	}
	return 0
}

// count writes a number with commas between thousands.
func count(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
