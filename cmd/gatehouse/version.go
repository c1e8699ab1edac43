package main

import (
	"fmt"
	"io"
	"runtime/debug"
)

type versionCommand struct{}

type versionAnswer struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
}

// Run tells what was built.
func (versionCommand) Run(c *call) error {
	v := builtFrom()
	return c.answer(v, func(w io.Writer) {
		_, _ = fmt.Fprintln(w, "gatehouse", v.Version, v.Revision, v.Go)
	})
}

func version() string { return builtFrom().Version }

func builtFrom() versionAnswer {
	v := versionAnswer{Version: "unknown"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Version, v.Go = info.Main.Version, info.GoVersion
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v.Revision = s.Value
		}
	}
	return v
}
