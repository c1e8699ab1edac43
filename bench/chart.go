package main

import (
	"fmt"
	"html"
	"math"
	"os"
	"strings"
	"time"
)

// The chart is drawn for a column of 640 pixels. Its colours follow the reader's
// system, also where it is embedded as an image.
const (
	chartWidth  = 640
	chartLeft   = 214 // of the axis
	chartRight  = 574
	chartTop    = 62
	chartRow    = 34
	chartLowest = time.Millisecond
	chartHighst = 20 * time.Minute
)

const chartStyle = `<style>
text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328 }
.small { font-size: 11px; fill: #59636e }
.title { font-size: 15px; font-weight: 600 }
.grid { stroke: #d1d9e0; stroke-width: 1 }
.ours { fill: #1a7f37 } .other { fill: #818b98 } .computed { fill: none; stroke: #818b98; stroke-dasharray: 4 3 }
.mark { fill: #1f2328 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .small { fill: #9198a1 } .grid { stroke: #3d444d }
.ours { fill: #3fb950 } .other { fill: #9198a1 } .computed { stroke: #9198a1 } .mark { fill: #f0f6fc }
}
</style>`

// drawLatency writes the chart of how long tokens outlive the sign-out.
func drawLatency(path string, all []outcome, servers int) error {
	if err := os.WriteFile(path, []byte(latencyChart(all, servers)), 0o644); err != nil {
		return fmt.Errorf("chart: %w", err)
	}
	return nil
}

// latencyChart has a bar for each distribution, from its median to its maximum, on
// a logarithmic axis.
func latencyChart(all []outcome, servers int) string {
	bottom := chartTop + chartRow*len(all)
	height := bottom + 40
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-labelledby="t d">`+"\n", chartWidth, height, chartWidth, height)
	fmt.Fprintf(&s, "<title id=\"t\">How long an access token outlives the sign-out</title>\n<desc id=\"d\">%s</desc>\n", html.EscapeString(inWords(all)))
	s.WriteString(chartStyle + "\n")
	fmt.Fprintf(&s, `<text class="title" x="12" y="24">How long an access token outlives the sign-out</text>`+"\n")
	fmt.Fprintf(&s, `<text class="small" x="12" y="42">until the last of %d resource servers refuses it; bars from p50 to max; dot and figure: p99; logarithmic</text>`+"\n", servers)
	for _, tick := range []struct {
		at   time.Duration
		name string
	}{
		{time.Millisecond, "1 ms"}, {10 * time.Millisecond, "10 ms"}, {100 * time.Millisecond, "0.1 s"}, {time.Second, "1 s"},
		{10 * time.Second, "10 s"}, {time.Minute, "1 min"}, {10 * time.Minute, "10 min"},
	} {
		x := place(tick.at)
		fmt.Fprintf(&s, `<line class="grid" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/><text class="small" x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x, chartTop-6, x, bottom, x, bottom+16, tick.name)
	}
	for i, o := range all {
		drawBar(&s, o, chartTop+i*chartRow)
	}
	s.WriteString("</svg>\n")
	return s.String()
}

func drawBar(s *strings.Builder, o outcome, y int) {
	class, detail := "other", o.where
	switch {
	case o.computed:
		class, detail = "computed", "computed"
	case strings.HasPrefix(o.way, "feed"):
		class = "ours"
	}
	from, to, p99 := place(o.took.at(0.5)), place(o.took.at(1)), place(o.took.at(0.99))
	fmt.Fprintf(s, `<text x="12" y="%d">%s</text><text class="small" x="12" y="%d">%s</text>`+"\n", y+12, html.EscapeString(o.way), y+25, html.EscapeString(detail))
	fmt.Fprintf(s, `<rect class="%s" x="%.1f" y="%d" width="%.1f" height="12" rx="3"/><circle class="mark" cx="%.1f" cy="%d" r="3"/>`+"\n", class, from, y+6, max(3, to-from), p99, y+12)
	fmt.Fprintf(s, `<text class="small" x="%.1f" y="%d">%s</text>`+"\n", max(to, p99)+7, y+16, span(o.took.at(0.99)))
}

// place is where a duration is on the axis.
func place(d time.Duration) float64 {
	d = min(max(d, chartLowest), chartHighst)
	share := math.Log(float64(d)/float64(chartLowest)) / math.Log(float64(chartHighst)/float64(chartLowest))
	return chartLeft + share*(chartRight-chartLeft)
}

// inWords is the chart for those who do not see it.
func inWords(all []outcome) string {
	var parts []string
	for _, o := range all {
		parts = append(parts, fmt.Sprintf("%s (%s): p50 %s, p99 %s, max %s", o.way, o.where, span(o.took.at(0.5)), span(o.took.at(0.99)), span(o.took.at(1))))
	}
	return strings.Join(parts, "; ") + "."
}
