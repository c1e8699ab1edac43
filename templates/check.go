package templates

import (
	"fmt"
	"sort"
	"strings"
	"text/template/parse"
)

// checkMessages makes sure that every message that a template or this package
// names exists in the default language.
func (r *Renderer) checkMessages() error {
	var missing []string
	for key := range r.usedKeys() {
		if !r.catalog.keys[key] {
			missing = append(missing, key)
		}
	}
	if len(missing) > 0 {
		sort.Strings(missing)
		return fmt.Errorf("messages missing from the English catalog: %s", strings.Join(missing, ", "))
	}
	return nil
}

// usedKeys are the keys written in templates and those that are put together from
// this package's enumerations.
func (r *Renderer) usedKeys() map[string]bool {
	used := map[string]bool{}
	for _, key := range append(enumerationKeys(), formKeys(func(key string) bool { return r.catalog.keys[key] })...) {
		used[key] = true
	}
	for _, key := range consoleKeys(r.catalog.keys) {
		used[key] = true
	}
	for _, page := range r.pages {
		for _, t := range page.Templates() {
			if t.Tree != nil {
				collectKeys(t.Tree.Root, used)
			}
		}
	}
	return used
}

func enumerationKeys() []string {
	keys := []string{
		"signin.problem.wrong_password", "signin.problem.wait_seconds", "signin.problem.wait_minutes",
		"consent.group.api", "scope.unknown", "signin.code", "signin.forgot", "signin.sign_up",
	}
	keys = append(append(append(keys, secondFactorKeys()...), factorKeys()...), accountKeys()...)
	for _, name := range accountPages() {
		keys = append(keys, "account.nav."+name)
	}
	for _, kind := range BrandLinks() {
		keys = append(keys, "frame.link_"+kind)
	}
	for _, p := range signInProblems() {
		keys = append(keys, "signin.problem."+string(p))
	}
	for _, w := range consentWarnings() {
		keys = append(keys, "consent.warning."+string(w))
	}
	for _, k := range scopeGroupKinds() {
		keys = append(keys, "consent.group."+string(k))
	}
	for _, name := range ownScopes() {
		keys = append(keys, "scope."+name)
	}
	for _, k := range errorKinds() {
		keys = append(keys, "error."+string(k)+".title", "error."+string(k)+".text")
	}
	return keys
}

// collectKeys walks a parsed template for calls of T, Rich and In with a constant
// key.
func collectKeys(node parse.Node, used map[string]bool) {
	switch n := node.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, child := range n.Nodes {
			collectKeys(child, used)
		}
	case *parse.ActionNode:
		collectKeys(n.Pipe, used)
	case *parse.TemplateNode:
		collectKeys(n.Pipe, used)
	case *parse.IfNode:
		collectBranch(&n.BranchNode, used)
	case *parse.RangeNode:
		collectBranch(&n.BranchNode, used)
	case *parse.WithNode:
		collectBranch(&n.BranchNode, used)
	case *parse.PipeNode:
		if n == nil {
			return
		}
		for _, command := range n.Cmds {
			collectCommand(command, used)
		}
	}
}

func collectBranch(n *parse.BranchNode, used map[string]bool) {
	collectKeys(n.Pipe, used)
	collectKeys(n.List, used)
	collectKeys(n.ElseList, used)
}

func collectCommand(command *parse.CommandNode, used map[string]bool) {
	var method string
	switch first := command.Args[0].(type) {
	case *parse.FieldNode:
		method = first.Ident[len(first.Ident)-1]
	case *parse.VariableNode:
		method = first.Ident[len(first.Ident)-1]
	}
	for i, argument := range command.Args {
		collectKeys(argument, used)
		key, isString := argument.(*parse.StringNode)
		switch {
		case !isString:
		case (method == "T" || method == "Rich") && i == 1, method == "In" && i == 2:
			used[key.Text] = true
		}
	}
}
