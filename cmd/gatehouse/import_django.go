package main

import (
	"errors"
	"os"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/importing"
	"github.com/gatehouse-id/gatehouse/internal/importing/django"
)

type importDjango struct {
	importOptions
	UserModel        string            `name:"user-model" default:"auth.user" placeholder:"APP.MODEL" help:"The model of people (${default})."`
	Field            map[string]string `mapsep:"none" placeholder:"NAME=FIELD" help:"The field of people that holds something, such as username=email; empty for none; repeatable (docs/import.md)."`
	Audience         string            `xor:"audience" placeholder:"URI" help:"The API that gets all permissions."`
	AudienceTemplate string            `name:"audience-template" xor:"audience" placeholder:"URI" help:"An API for each app, such as https://example.com/{app}."`
	APIName          string            `name:"api-name" placeholder:"NAME" help:"What people know a new API by; {app} is the app's label."`
	App              []string          `sep:"none" placeholder:"LABEL" help:"Take only permissions of this app; repeatable."`
	EmailVerified    bool              `name:"email-verified" help:"Every mail address was verified, and signs in."`
	DirectGroups     bool              `name:"direct-groups" help:"Make a group for each permission that people hold without one."`
	SubPrefix        string            `name:"sub-prefix" default:"django-" placeholder:"TEXT" help:"What stands before the primary key in the sub (${default})."`
}

// Run imports a dump.
func (i *importDjango) Run(c *call) error {
	o := django.Options{
		UserModel: i.UserModel, Fields: i.Field, Audience: i.Audience, APIName: i.APIName, Apps: i.App,
		EmailVerified: i.EmailVerified, DirectGroups: i.DirectGroups, SubPrefix: i.SubPrefix,
	}
	if o.APIName == "" {
		o.APIName = "Django"
	}
	if i.AudienceTemplate != "" {
		if !strings.Contains(i.AudienceTemplate, "{app}") {
			return errors.New("--audience-template: {app} has to be in it; --audience is for one API")
		}
		o.Audience = i.AudienceTemplate
		if i.APIName == "" {
			o.APIName = "{app}"
		}
	}
	if o.Audience != "" {
		if _, err := accounts.CanonicalAudience(strings.ReplaceAll(o.Audience, "{app}", "app")); err != nil {
			return err
		}
	}
	return i.run(c, o, func(file *os.File) (importing.Source, error) { return django.New(file, o) })
}
