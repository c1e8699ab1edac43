package main

import (
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/config"
	"github.com/gatehouse-id/gatehouse/templates"
)

// checkTemplates looks whether the pages can be drawn, and whether ours have changed
// since the operator's were made from them.
func (d *diagnosis) checkTemplates(cfg *config.Config) {
	const check = "pages"
	pages, err := newRenderer(cfg, nil)
	if err == nil {
		_, err = newMails(cfg, pages)
	}
	if err != nil {
		d.fail(check, "look at templates_dir and at the settings that begin with brand", "%s", firstLine(err))
		return
	}
	override, err := overrideOf(cfg)
	if err != nil || override == nil {
		d.ok(check, "the pages are ours")
		return
	}
	drifts, err := templates.Drifts(override)
	if err != nil {
		d.fail(check, "mend or delete "+templates.OriginsFile, "%s", firstLine(err))
		return
	}
	current := 0
	for _, drift := range drifts {
		switch drift.State {
		case templates.DriftChanged:
			d.warn(check, "compare it with what gatehouse templates export writes, then run gatehouse templates accept",
				"%s replaces a file that has changed in this release", drift.Path)
		case templates.DriftUnknown:
			d.warn(check, "compare it with what gatehouse templates export writes, then run gatehouse templates accept",
				"%s replaces a file, and which state of it is not noted", drift.Path)
		case templates.DriftSame:
			d.warn(check, "delete it", "%s is the same as ours, and would hide what later releases change in it", drift.Path)
		default:
			current++
		}
	}
	if current == len(drifts) {
		d.ok(check, "%d %s in %s, made from this release", current, plural(current, "file"), cfg.TemplatesDir)
	}
}
