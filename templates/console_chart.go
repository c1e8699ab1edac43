package templates

import (
	"fmt"
	"strings"
)

// ConsoleChart is a series of bars, drawn on the server: each bar is what happened in
// one part of the time, in parts of its own.
type ConsoleChart struct {
	Label Said // says in a sentence what the chart shows
	// Kinds name the parts of a bar, from the bottom.
	Kinds []ConsoleBadge
	Bars  []ConsoleBar
}

// ConsoleBar is one bar. Counts has as many members as the chart has kinds.
type ConsoleBar struct {
	Said   Said
	Counts []int
}

const (
	chartWide, chartHigh = 720, 160
	chartGap             = 2
	leastTop             = 5
)

// ChartPart is a rectangle of the drawing.
type ChartPart struct {
	X, Y, Wide, High string
	Tone             ConsoleTone
}

// Parts are the rectangles.
func (c *ConsoleChart) Parts() []ChartPart {
	if len(c.Bars) == 0 {
		return nil
	}
	top := c.Top()
	step := float64(chartWide) / float64(len(c.Bars))
	var parts []ChartPart
	for i, b := range c.Bars {
		y := float64(chartHigh)
		for k, n := range b.Counts {
			if n == 0 || k >= len(c.Kinds) {
				continue
			}
			high := float64(n) * chartHigh / float64(top)
			y -= high
			parts = append(parts, ChartPart{
				X: tenth(float64(i) * step), Y: tenth(y), Wide: tenth(step - chartGap), High: tenth(high), Tone: c.Kinds[k].Tone,
			})
		}
	}
	return parts
}

// Top is what a bar as high as the drawing would count: a round number, and never so
// small that a single event looks like many.
func (c *ConsoleChart) Top() int {
	for unit := 1; ; unit *= 10 {
		for _, top := range []int{1 * unit, 2 * unit, 5 * unit} {
			if top >= max(c.Highest(), leastTop) {
				return top
			}
		}
	}
}

// Ends are the names of the first and the last bar.
func (c *ConsoleChart) Ends() []Said {
	if len(c.Bars) == 0 {
		return nil
	}
	return []Said{c.Bars[0].Said, c.Bars[len(c.Bars)-1].Said}
}

// Highest is the most that one bar counts.
func (c *ConsoleChart) Highest() int {
	highest := 0
	for _, b := range c.Bars {
		highest = max(highest, b.sum())
	}
	return highest
}

// Sum is what a kind counts in all bars.
func (c *ConsoleChart) Sum(kind int) int {
	sum := 0
	for _, b := range c.Bars {
		if kind < len(b.Counts) {
			sum += b.Counts[kind]
		}
	}
	return sum
}

func (b ConsoleBar) sum() int {
	sum := 0
	for _, n := range b.Counts {
		sum += n
	}
	return sum
}

func tenth(v float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") }
