package templates

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestChartScale: a bar is as high as its count says on a scale that can be read, and
// one event is not a full bar.
func TestChartScale(t *testing.T) {
	for highest, want := range map[int]int{0: 5, 1: 5, 5: 5, 6: 10, 11: 20, 20: 20, 21: 50, 51: 100, 999: 1000, 1001: 2000} {
		c := &ConsoleChart{Bars: []ConsoleBar{{Counts: []int{highest}}, {Counts: []int{0}}}}
		if got := c.Top(); got != want || c.Highest() != highest {
			t.Errorf("%d: top %d, want %d; highest %d", highest, got, want, c.Highest())
		}
	}
	c := &ConsoleChart{
		Kinds: []ConsoleBadge{{Tone: ToneGood}, {Tone: ToneBad}},
		Bars:  []ConsoleBar{{Said: Named("08:00"), Counts: []int{1, 0}}, {Said: Named("09:00"), Counts: []int{3, 1}}, {Said: Named("10:00"), Counts: []int{0, 0}}},
	}
	want := []ChartPart{
		{X: "0", Y: "128", Wide: "238", High: "32", Tone: ToneGood}, {X: "240", Y: "64", Wide: "238", High: "96", Tone: ToneGood},
		{X: "240", Y: "32", Wide: "238", High: "32", Tone: ToneBad},
	}
	if d := cmp.Diff(want, c.Parts()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]Said{Named("08:00"), Named("10:00")}, c.Ends()); d != "" || (&ConsoleChart{}).Ends() != nil {
		t.Error(d)
	}
}
