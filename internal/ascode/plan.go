package ascode

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// What becomes of an object.
const (
	Created = "created"
	Changed = "changed"
	Removed = "removed"
	// Claimed objects are as the file says; they are managed by it from now on.
	Claimed = "claimed"
	// Released objects stay, but are managed no more.
	Released = "released"
)

// Plan is what a file changes, or would change.
type Plan struct {
	Manager string    `json:"manager"`
	Changes []*Change `json:"changes"`
	// Settings are those of the file that are not the deployment's, and that only the
	// configuration can change: Apply refuses the file.
	Settings []Field `json:"settings,omitempty"`
}

// Empty reports whether the file says what is so already.
func (p *Plan) Empty() bool { return len(p.Changes) == 0 && len(p.Settings) == 0 }

// Change is what becomes of one object.
type Change struct {
	Kind   string  `json:"kind"` // API, permission set, group, client or setting
	Name   string  `json:"name"`
	Action string  `json:"change"`
	Fields []Field `json:"fields,omitempty"`
	// ByHand says that somebody removed what the file made, and it would come back.
	ByHand bool `json:"removed_by_hand,omitempty"`
	// Touches says whom a removal touches.
	Touches string `json:"touches,omitempty"`
	// TakenFrom is the manager that the object belonged to.
	TakenFrom string `json:"taken_from,omitempty"`

	ClientID   string `json:"client_id,omitempty"`
	SecretFile string `json:"secret_file,omitempty"`
	// Secret was made with the client; who asked for a dry run has no use for it.
	Secret secret.Text `json:"-"`
}

// ErrByHand is matched by the refusal to undo what was changed by hand.
var ErrByHand = errors.New("changed by hand since the file was last applied")

// ErrOtherPlan is matched when what was agreed to is not what would happen.
var ErrOtherPlan = errors.New("the deployment was changed meanwhile, and something else would happen: look at it again")

// byHand tells of everything that somebody changed, or nil.
func (p *Plan) byHand() error {
	var told []string
	for _, c := range p.Changes {
		if c.ByHand {
			told = append(told, fmt.Sprintf("%s %q was removed", c.Kind, c.Name))
		}
		for _, f := range c.Fields {
			if f.ByHand {
				told = append(told, fmt.Sprintf("%s of %s %q is %s", f.Name, c.Kind, c.Name, show(f.Old)))
			}
		}
	}
	if told == nil {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrByHand, strings.Join(told, "; "))
}

// mayTake reports whether objects could lose something by what happens to others: a
// permission that moves from one API to another leaves its groups on the way. Then
// every object of the file is brought to what is wanted.
func (p *Plan) mayTake() bool {
	return slices.ContainsFunc(p.Changes, func(c *Change) bool {
		return c.Action == Removed || c.Action == Changed && c.Kind != kindName(accounts.ManagedClient) && c.Kind != kindName(accounts.ManagedSetting)
	})
}

// forget takes out what a dry run has made and nobody will meet again.
func (p *Plan) forget() {
	for _, c := range p.Changes {
		c.ClientID, c.Secret, c.SecretFile = "", "", ""
	}
}

// removals are what Prune takes away.
func (p *Plan) removals() []*Change {
	return slices.DeleteFunc(slices.Clone(p.Changes), func(c *Change) bool { return c.Action != Removed })
}

// Removes reports whether anything is taken away as a whole.
func (p *Plan) Removes() bool { return len(p.removals()) > 0 }

// String is the old and the new value in one line: what came into a set and what
// left it, else both.
func (f Field) String() string {
	old, isOld := asSet(f.Old)
	now, isNow := asSet(f.New)
	if (isOld || f.Old == nil) && isNow {
		var parts []string
		for _, item := range now {
			if !slices.Contains(old, item) {
				parts = append(parts, "+"+item)
			}
		}
		for _, item := range old {
			if !slices.Contains(now, item) {
				parts = append(parts, "-"+item)
			}
		}
		if parts == nil {
			parts = []string{"(none)"}
		}
		return f.Name + " " + strings.Join(parts, " ")
	}
	if f.Old == nil {
		return f.Name + " " + show(f.New)
	}
	return f.Name + " " + show(f.Old) + " -> " + show(f.New)
}

func show(v any) string {
	if v == nil {
		return "(none)"
	}
	if list, ok := asSet(v); ok {
		return "[" + strings.Join(list, " ") + "]"
	}
	if text, ok := v.(string); ok {
		return fmt.Sprintf("%q", text)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	return string(text)
}

// asSet reads a list, also one that comes from storage.
func asSet(v any) ([]string, bool) {
	switch list := v.(type) {
	case []string:
		return list, true
	case []any:
		out := make([]string, 0, len(list))
		for _, item := range list {
			text, ok := item.(string)
			if !ok {
				return nil, false
			}
			out = append(out, text)
		}
		return out, true
	}
	return nil, false
}
