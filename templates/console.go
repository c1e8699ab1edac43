package templates

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Console is a page of the operators' console: a heading and blocks below it. All its
// forms post "flow" and what their block says to Action.
type Console struct {
	Page
	// Base is the path of the console's first page, with a slash at its end.
	Base string
	// Areas are the parts of the console that the person may enter, by name; Area is
	// the one that this page belongs to.
	Areas []string
	Area  string

	Heading Said
	Lead    Said
	Trail   []ConsoleLink // from the area to this page
	Notices []ConsoleNotice
	Blocks  []ConsoleBlock

	Action, Flow string
	Failed       bool
}

// Said is what a page says: a message of the catalogs with its data, or, without a
// Key, a text that came from somebody.
type Said struct {
	Key  string
	Data []any // pairs of name and value; a value may be Said itself, or a time.Time
	Text string
	// English is a detail behind it for which the catalogs have no words. Pages mark
	// its language.
	English string
}

// Say is a message, with pairs of name and value.
func Say(key string, pairs ...any) Said { return Said{Key: key, Data: pairs} }

// Named is a text that came from somebody.
func Named(text string) Said { return Said{Text: text} }

// IsZero reports whether nothing is said.
func (s Said) IsZero() bool { return s.Key == "" && s.Text == "" }

// ConsoleTone is how something is meant.
type ConsoleTone string

// The tones.
const (
	ToneNone ConsoleTone = ""
	ToneGood ConsoleTone = "good"
	ToneWarn ConsoleTone = "warn"
	ToneBad  ConsoleTone = "bad"
)

// Tones of the parts of a chart of which none is better than another.
const (
	ToneFirst  ConsoleTone = "first"
	ToneSecond ConsoleTone = "second"
	ToneThird  ConsoleTone = "third"
)

// ConsoleNotice tells what has just happened. Secret is shown once, to be copied.
type ConsoleNotice struct {
	Tone   ConsoleTone
	Said   Said
	Secret string
}

// ConsoleLink is a way to another page.
type ConsoleLink struct {
	Said   Said
	URL    string
	Here   bool
	Button bool // what a page is for, in a block: drawn as a button
}

// ConsoleBlock is a part of a page; each member that is set is drawn.
type ConsoleBlock struct {
	ID      string // for links into the page
	Heading Said
	Note    Said
	Search  *ConsoleSearch
	Chart   *ConsoleChart
	Facts   []ConsoleFact
	Table   *ConsoleTable
	Form    *ConsoleForm
	Buttons []ConsoleButton
	Links   []ConsoleLink
	Code    []ConsoleCode
}

// ConsoleSearch is a form that gets the same page with another query.
type ConsoleSearch struct {
	Action  string
	Hidden  []Field
	Label   Said
	Query   string
	Choices []ConsoleField // of Kind "select" or "date"
}

// ConsoleFact is a line of a list of names and values.
type ConsoleFact struct {
	Name Said
	Cell ConsoleCell
}

// ConsoleTable is a page of a list.
type ConsoleTable struct {
	Columns []Said
	Rows    [][]ConsoleCell
	Empty   Said
	// NextURL goes on, FirstURL begins again.
	NextURL, FirstURL string
	// Form is sent together with what is ticked in the rows; it stands below them.
	Form *ConsoleForm
}

// ConsoleCell is a value: what is set of it is drawn in this order.
type ConsoleCell struct {
	Said    Said
	URL     string
	Code    bool // drawn as what is typed, not read
	Badges  []ConsoleBadge
	Small   Said
	At      time.Time
	Yes     *ConsoleField // a box to tick
	Links   []ConsoleLink
	Buttons []ConsoleButton
}

// Labelled reports whether the cell says something that its column explains: on a
// phone, where there is no heading above it, it stands before.
func (c ConsoleCell) Labelled() bool {
	return !c.Said.IsZero() || !c.At.IsZero() || len(c.Badges) > 0 || c.Yes != nil
}

// ConsoleBadge is a word that stands out.
type ConsoleBadge struct {
	Said Said
	Tone ConsoleTone
}

// ConsoleButton posts Name=Value.
type ConsoleButton struct {
	Name, Value string
	Said        Said
	// Label says it with its object, for those who hear the page: "Remove ada".
	Label Said
	Tone  ConsoleTone
	// Off says why the button cannot be pressed now. Only buttons of a block have it.
	Off Said
}

// ConsoleForm is a form with fields. Folded hides it behind its heading. Note says what
// sending it does. Others are buttons beside the one that sends it.
type ConsoleForm struct {
	Legend Said
	Note   Said
	Hidden []Field
	Fields []ConsoleField
	Submit Said
	Tone   ConsoleTone
	Folded bool
	Others []ConsoleButton
	// Tick names the boxes that a script offers to tick all at once.
	Tick string
}

// ConsoleField is one field. Kind is "text" (the default), "email", "password",
// "url", "number", "date", "textarea", "select", "radio" or "checkbox".
type ConsoleField struct {
	Name, Value string
	Kind        string
	Said        Said
	// Label names a box of a table with its row and column, for those who hear the page.
	Label    Said
	Hint     Said
	Problem  Said
	Choices  []ConsoleChoice
	Checked  bool
	Optional bool
	ReadOnly bool
	// Live has a script ask about the value while somebody types; Findings are what is
	// known of it already.
	Live     bool
	Findings []ConsoleFinding
}

// ConsoleFinding is what a check says about the value of a field.
type ConsoleFinding struct {
	Tone ConsoleTone
	Said Said
}

// ConsoleChoice is one of a select's.
type ConsoleChoice struct {
	Value    string
	Said     Said
	Selected bool
}

// ConsoleCode is a text to copy, such as the settings of an app. Folded hides it behind
// its heading.
type ConsoleCode struct {
	ID     string
	Said   Said
	Text   string
	Folded bool
}

// consoleAreas are the parts of the console, in the order of its navigation.
func consoleAreas() []string {
	return []string{"dashboard", "users", "groups", "apis", "sets", "clients", "sessions", "keys", "revocations", "audit", "settings"}
}

// ConsolePath is where an area begins, below the console's first page.
func ConsolePath(area string) string {
	if area == "dashboard" {
		return ""
	}
	return area
}

// Ways are the areas to go to.
func (c Console) Ways() []ConsoleLink {
	var list []ConsoleLink
	for _, name := range consoleAreas() {
		if slices.Contains(c.Areas, name) {
			list = append(list, ConsoleLink{Said: Say("console.area." + name), URL: c.Base + ConsolePath(name), Here: name == c.Area})
		}
	}
	return list
}

// InputType is the type of a field that is an input element.
func (f ConsoleField) InputType() string {
	if f.Kind == "" {
		return "text"
	}
	return f.Kind
}

// Console writes a page of the console.
func (r *Renderer) Console(w http.ResponseWriter, status int, lang Language, p Console) error {
	return r.render(w, status, "console", consoleView(lang, p))
}

func consoleView(lang Language, p Console) *view {
	return &view{Lang: lang, Page: p.Page, P: p, Failed: p.Failed}
}

// Say writes what is said as plain text.
func (v *view) Say(s Said) (string, error) {
	if s.Key == "" {
		return visible(s.Text), nil
	}
	data := slices.Clone(s.Data)
	for i, value := range data {
		var err error
		switch inner := value.(type) {
		case time.Time:
			data[i], err = v.Moment(inner)
		case Said:
			data[i], err = v.Say(inner)
		}
		if err != nil {
			return "", err
		}
	}
	return v.T(s.Key, data...)
}

// English is the detail of what is said that only English has words for.
func (v *view) English(s Said) string { return visible(s.English) }

// With is what a part of a page sees: the same frame, and data of its own.
func (v *view) With(p any) *view {
	part := *v
	part.P = p
	return &part
}

// consoleKeys are the messages of the console: its package names them, and its test
// proves that it names all of them and no others.
func consoleKeys(all map[string]bool) []string {
	var keys []string
	for _, name := range consoleAreas() {
		keys = append(keys, "console.area."+name)
	}
	for key := range all {
		if strings.HasPrefix(key, "console.") {
			keys = append(keys, key)
		}
	}
	return keys
}
