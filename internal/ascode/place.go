package ascode

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// errDocuments refuses what a decoder would silently leave out.
var errDocuments = errors.New("the file has more than one YAML document: write one file for each")

// plainTree refuses aliases, with which a small file can mean a huge one, and a
// second document.
func plainTree(text []byte) error {
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		return errors.New(yaml.FormatError(err, false, false))
	}
	bodies := 0
	for _, doc := range tree.Docs {
		if doc.Body == nil {
			continue
		}
		if _, comment := doc.Body.(*ast.CommentGroupNode); comment {
			continue
		}
		if bodies++; bodies > 1 {
			return errDocuments
		}
		var found aliases
		ast.Walk(&found, doc.Body)
		if found.line > 0 {
			return fmt.Errorf("[%d:1] anchors and aliases are not taken: write out what is meant", found.line)
		}
	}
	return nil
}

// aliases finds the first anchor, alias or merge key.
type aliases struct{ line int }

// Visit implements ast.Visitor.
func (a *aliases) Visit(n ast.Node) ast.Visitor {
	switch n.(type) {
	case *ast.AliasNode, *ast.AnchorNode, *ast.MergeKeyNode:
		if a.line == 0 {
			a.line = n.GetToken().Position.Line
		}
		return nil
	}
	return a
}

// locate notes in which line each object begins.
func (f *File) locate(text []byte) error {
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		return err
	}
	for _, doc := range tree.Docs {
		for _, pair := range pairs(doc.Body) {
			list, ok := pair.Value.(*ast.SequenceNode)
			if !ok {
				continue
			}
			for i, item := range list.Values {
				if to := f.slot(pair.Key.GetToken().Value, i); to != nil {
					*to = lineOf(item)
				}
			}
		}
	}
	return nil
}

// slot is where the line of one object is kept, or nil for none.
func (f *File) slot(list string, i int) *int {
	switch {
	case list == "apis" && i < len(f.APIs):
		return &f.APIs[i].line
	case list == "permission_sets" && i < len(f.PermissionSets):
		return &f.PermissionSets[i].line
	case list == "groups" && i < len(f.Groups):
		return &f.Groups[i].line
	case list == "clients" && i < len(f.Clients):
		return &f.Clients[i].line
	}
	return nil
}

// pairs are the members of a mapping.
func pairs(n ast.Node) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
}

// lineOf is where a node begins: the token of a mapping is its colon or brace.
func lineOf(n ast.Node) int {
	if all := pairs(n); len(all) > 0 {
		if m, ok := n.(*ast.MappingNode); !ok || !m.IsFlowStyle {
			return all[0].Key.GetToken().Position.Line
		}
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}
