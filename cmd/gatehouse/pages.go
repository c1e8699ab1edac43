package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/config"
	"github.com/gatehouse-id/gatehouse/templates"
)

// newRenderer reads the pages, with what the settings put in place of ours. brandName
// tells the brand's name where it can change; nil leaves it to the settings.
func newRenderer(cfg *config.Config, brandName func() string) (*templates.Renderer, error) {
	opts := templates.Options{StaticPath: cfg.Issuer.Path + "/static/", HomePath: cfg.Issuer.Path + "/", BrandName: brandName}
	var err error
	if opts.Brand, err = brandOf(cfg); err != nil {
		return nil, err
	}
	if opts.Override, err = overrideOf(cfg); err != nil {
		return nil, err
	}
	r, err := templates.New(opts)
	if err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	return r, nil
}

// overrideOf is the folder of pages that replace ours, nil for none.
func overrideOf(cfg *config.Config) (fs.FS, error) {
	if cfg.TemplatesDir == "" {
		return nil, nil
	}
	folder, err := os.Stat(cfg.TemplatesDir)
	if err != nil || !folder.IsDir() {
		return nil, fmt.Errorf("templates_dir: %s is not a folder that can be read", cfg.TemplatesDir)
	}
	return os.DirFS(cfg.TemplatesDir), nil
}

func brandOf(cfg *config.Config) (templates.Brand, error) {
	b := templates.Brand{Name: cfg.BrandName, Accent: cfg.Brand.Accent}
	if file := cfg.Brand.Logo; file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return b, fmt.Errorf("brand_logo: %w", err)
		}
		ext := strings.ToLower(filepath.Ext(file))
		if ext == ".jpeg" {
			ext = ".jpg"
		}
		b.Logo = &templates.BrandLogo{Ext: ext, Data: data}
	}
	for _, l := range []templates.BrandLink{
		{Kind: "imprint", URL: cfg.Brand.ImprintURL}, {Kind: "privacy", URL: cfg.Brand.PrivacyURL}, {Kind: "help", URL: cfg.Brand.HelpURL},
	} {
		if l.URL != "" {
			b.Links = append(b.Links, l)
		}
	}
	return b, nil
}
