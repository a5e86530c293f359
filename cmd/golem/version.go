package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/golem-go/golem"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this program",
		Example: "  golem version\n  golem version --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := struct {
				Version  string `json:"version"`
				Upstream string `json:"compatibleWith"` // the version of yagna whose API this is
				Go       string `json:"go"`
				Platform string `json:"platform"`
				Revision string `json:"revision,omitempty"`
			}{version(), golem.UpstreamVersion, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, revision()}
			return a.show(v, func(w io.Writer) {
				fmt.Fprintf(w, "golem %s (%s, %s), compatible with yagna %s\n", v.Version, v.Go, v.Platform, v.Upstream)
			})
		},
	}
}

// version returns the version of this program.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

// revision returns the commit this program was built from, where known.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
