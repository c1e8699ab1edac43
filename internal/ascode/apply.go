package ascode

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// Options say how a file is applied.
type Options struct {
	// DryRun rolls back what was done and only tells it. What was changed by hand and
	// settings that differ are told too, and are no error.
	DryRun bool
	// Prune removes what this file managed and does not name any more.
	Prune bool
	// Force undoes what was changed by hand.
	Force bool
	// TakeOver lets the file manage what another one did.
	TakeOver bool
	// Agreed is the plan that somebody has seen; another one is refused. Nil means
	// that nobody was asked.
	Agreed *Plan
}

// stage orders the changes, so that a name is free before it is taken and
// exists before it is referred to.
type stage int

const (
	stageTake   stage = iota // permissions leave APIs, groups leave groups
	stageAPIs                // APIs and permissions
	stageSets                // permission sets and what they hold
	stageGroups              // groups and what they hold
	stageNest                // groups go into groups
	stageClients
	stages
)

// target is one object that the file names.
type target struct {
	kind  accounts.ManagedKind
	name  string // as in its mark
	label string
	line  int
	want  facts

	object id.ID // zero if it is not there
	have   facts
	mark   *accounts.Managed
	change *Change // nil if nothing changes
	// secret is what secret_from in place refers to, and secrets are the fingerprints of
	// those before, the newest of which was made with secretKey. It is new to the file,
	// though the client may have it already.
	place       SecretPlace
	secretKey   string
	secret      secret.Text
	secrets     []string
	secretNew   bool
	secretLives bool
	looked      bool

	// read looks at the live object: a zero id if there is none.
	read  func(ctx context.Context) (id.ID, facts, error)
	steps [stages]func(ctx context.Context) error
}

// run applies one file in one transaction.
type run struct {
	*Deployment
	opts  Options
	by    audit.Actor
	file  *File
	plan  *Plan
	marks map[markKey]*accounts.Managed
	names map[string]string // usernames by sub, for people to read
	// keeps are the settings of the file that the database can keep, and forgets, with
	// empty values, those that it shall keep no longer.
	keeps, forgets map[string]string
}

type markKey struct {
	kind accounts.ManagedKind
	name string
}

// errDryRun rolls back.
var errDryRun = errors.New("dry run")

// Apply makes what a file says, all or nothing. Errors: ErrByHand, ErrOtherPlan,
// accounts.ErrManaged, and those of the domain, with the line of the file.
func (d *Deployment) Apply(ctx context.Context, by audit.Actor, f *File, opts Options) (*Plan, error) {
	var plan *Plan
	err := d.Marks.Tx.InTx(ctx, func(ctx context.Context) error {
		// The transaction may be run again.
		r := &run{Deployment: d, opts: opts, by: by, file: f, names: map[string]string{}, keeps: map[string]string{}, forgets: map[string]string{}}
		r.plan = &Plan{Manager: f.manager(), Changes: []*Change{}}
		plan = r.plan
		if err := r.all(ctx); err != nil {
			return err
		}
		if opts.DryRun {
			return errDryRun
		}
		return nil
	})
	if err != nil && !errors.Is(err, errDryRun) {
		return nil, err
	}
	if opts.DryRun {
		plan.forget()
	}
	return plan, nil
}

func (r *run) all(ctx context.Context) error {
	if err := r.loadMarks(ctx); err != nil {
		return err
	}
	settings, err := r.settings(ctx)
	if err != nil {
		return err
	}
	targets := append(r.targets(), settings...)
	for _, t := range targets {
		if err := r.look(ctx, t); err != nil {
			return r.file.at(t.line, fmt.Errorf("%s %q: %w", kindName(t.kind), t.label, err))
		}
	}
	if err := r.prune(ctx, targets); err != nil {
		return err
	}
	if err := r.agreed(); err != nil {
		return err
	}
	if err := r.keepSettings(ctx, targets); err != nil {
		return err
	}
	for s := range stages {
		for _, t := range targets {
			if t.steps[s] == nil || !r.plan.mayTake() && !t.changes() {
				continue
			}
			if err := t.steps[s](ctx); err != nil {
				return r.file.at(t.line, fmt.Errorf("%s %q: %w", kindName(t.kind), t.label, explain(err)))
			}
		}
	}
	return r.settle(ctx, targets)
}

// agreed stops before anything is done that nobody agreed to.
func (r *run) agreed() error {
	if r.opts.DryRun {
		return nil
	}
	if !r.opts.Force {
		if err := r.plan.byHand(); err != nil {
			return fmt.Errorf("%s: %w", r.file.name, err)
		}
	}
	if r.opts.Agreed != nil && !same(r.opts.Agreed, r.plan) {
		return ErrOtherPlan
	}
	return nil
}

func (r *run) loadMarks(ctx context.Context) error {
	if err := r.Marks.Store.LockManaged(ctx); err != nil {
		return err
	}
	list, err := r.Marks.Store.ListManaged(ctx)
	if err != nil {
		return err
	}
	r.marks = make(map[markKey]*accounts.Managed, len(list))
	for i, m := range list {
		r.marks[markKey{m.Kind, m.Name}] = &list[i]
	}
	return nil
}

func (r *run) targets() []*target {
	var all []*target
	for i := range r.file.APIs {
		all = append(all, r.apiTarget(&r.file.APIs[i]))
	}
	for i := range r.file.PermissionSets {
		all = append(all, r.setTarget(&r.file.PermissionSets[i]))
	}
	for _, g := range r.file.Groups { // a copy: its people are replaced by their subs
		all = append(all, r.groupTarget(&g))
	}
	for i := range r.file.Clients {
		all = append(all, r.clientTarget(&r.file.Clients[i]))
	}
	return all
}

// look finds what is there and what would change.
func (r *run) look(ctx context.Context, t *target) error {
	var err error
	if t.object, t.have, err = t.read(ctx); err != nil {
		return err
	}
	t.mark = r.markOf(t)
	// A mark also speaks for what is not there any more, or was made anew: who removed
	// an object and made it again with less does not get back the rest.
	there, marked := !t.object.IsZero(), t.mark != nil
	ours := marked && t.mark.Manager == r.plan.Manager
	if marked && !ours && !r.opts.TakeOver {
		return fmt.Errorf("%w: %q", accounts.ErrManaged, t.mark.Manager)
	}
	c := &Change{Kind: kindName(t.kind), Name: t.label}
	var last map[string]any
	if marked && there {
		last = lasting(t.mark.Applied, r.Groups.Now())
	}
	c.Fields = append(r.readable(compare(t.have, t.want, last)), secretField(t)...)
	switch {
	case !there:
		c.Action, c.ByHand = Created, marked
	case len(c.Fields) > 0:
		c.Action = Changed
	case ours && t.mark.Object == t.object:
		return nil
	default:
		c.Action = Claimed
	}
	if marked && !ours {
		c.TakenFrom = t.mark.Manager
	}
	r.plan.Changes = append(r.plan.Changes, c)
	t.change = c
	return nil
}

// markOf is the mark of an object, or of that in the place of which it is found.
func (r *run) markOf(t *target) *accounts.Managed {
	if m := r.marks[markKey{t.kind, t.name}]; m != nil {
		return m
	}
	return t.mark
}

// settle looks whether everything is as the file says, and marks it.
func (r *run) settle(ctx context.Context, targets []*target) error {
	for _, t := range targets {
		if err := r.mark(ctx, t); err != nil {
			return r.file.at(t.line, fmt.Errorf("%s %q: %w", kindName(t.kind), t.label, err))
		}
	}
	return nil
}

// changes reports whether there is anything to do about an object itself.
func (t *target) changes() bool { return t.change != nil && t.change.Action != Claimed }

func (r *run) mark(ctx context.Context, t *target) error {
	if t.changes() || r.plan.mayTake() {
		var err error
		if t.object, t.have, err = t.read(ctx); err != nil {
			return err
		}
	}
	if left := compare(t.have, t.want, nil); len(left) > 0 {
		return fmt.Errorf("%s is kept as %s: write it so", left[0].Name, show(left[0].Old))
	}
	applied := facts{}
	for name, value := range t.want {
		applied[name] = value
	}
	if list := r.remembered(t); len(list) > 0 {
		applied[factSecrets] = list
	}
	kept, err := applied.plain()
	if err != nil {
		return err
	}
	err = r.Marks.Claim(ctx, r.by, t.mark, accounts.Managed{
		Kind: t.kind, Name: t.name, Object: t.object, Manager: r.plan.Manager, Applied: kept,
	}, r.opts.TakeOver)
	if err == nil && t.mark != nil && t.mark.Name != t.name { // of one that has another client_id since it was made anew
		err = r.Marks.Release(ctx, r.by, t.mark)
	}
	return err
}

func kindName(k accounts.ManagedKind) string {
	switch k {
	case accounts.ManagedAPI:
		return "API"
	case accounts.ManagedPermissionSet:
		return "permission set"
	}
	return string(k)
}

// explain says what the domain's errors mean to who wrote the file.
func explain(err error) error {
	switch {
	case errors.Is(err, accounts.ErrBuiltin):
		return errors.New("that is the API of Gatehouse itself, which no file changes")
	case errors.Is(err, accounts.ErrConflict):
		return fmt.Errorf("%w: the name is taken", err)
	}
	return err
}
