package provider

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"github.com/golem-go/golem"
)

// probe tests every runtime. One that fails does not keep the others from being
// sold; ErrUnavailable is returned where all fail.
func (a *Agent) probe(ctx context.Context) (map[string]*testedRuntime, error) {
	working := map[string]*testedRuntime{}
	for _, d := range a.cfg.Runtimes {
		t, err := a.cfg.Launcher.Probe(ctx, d)
		switch {
		case ctx.Err() != nil:
			return nil, nil
		case err != nil:
			a.log.Error("runtime does not work, it is not offered", "runtime", d.Name, "err", err)
		default:
			working[d.Name] = &testedRuntime{d, t}
		}
	}
	if len(working) == 0 {
		return nil, golem.Errorf(golem.ErrUnavailable, "none of %d runtimes works: see the log", len(a.cfg.Runtimes))
	}
	return working, nil
}

// products returns what can be sold by the presets. What is wrong with the others
// is logged.
func (a *Agent) products(presets []Preset, runtimes map[string]*testedRuntime) (products []*product) {
	for _, p := range presets {
		r := runtimes[p.ExeUnit]
		if r == nil {
			a.log.Error("preset is for a runtime that is not there", "preset", p.Name, "runtime", p.ExeUnit)
			continue
		}
		pr, err := newProduct(p, r)
		if err != nil {
			a.log.Error("preset cannot be sold", "preset", p.Name, "err", err)
			continue
		}
		products = append(products, pr)
	}
	return products
}

// same reports whether two products have the same Offer.
func (pr *product) same(o *product) bool {
	return pr.runtime == o.runtime && slices.Equal(pr.vector, o.vector) && reflect.DeepEqual(pr.pricing, o.pricing)
}

// presets returns the active presets: of the file if there is one, otherwise all
// of Config. A file that cannot be read is nobody's wish to sell at other prices.
func (a *Agent) presets() []Preset {
	if a.cfg.Dir == "" {
		return a.cfg.Presets
	}
	ps, err := ReadPresets(filepath.Join(a.cfg.Dir, PresetsFile))
	switch {
	case errors.Is(err, golem.ErrNotFound):
		return a.cfg.Presets
	case err != nil:
		a.log.Error("presets cannot be read, nothing is offered", "err", err)
		return nil
	}
	return ps.active()
}

// awaitPresets returns when the active presets differ from the given ones, or ctx
// ends. A file that cannot be read changes nothing: it may be half written.
func (a *Agent) awaitPresets(ctx context.Context, have []Preset) []Preset {
	if a.cfg.Dir == "" {
		<-ctx.Done()
		return have
	}
	tick := time.NewTicker(watchPresets)
	defer tick.Stop()
	complaint := ""
	for {
		select {
		case <-ctx.Done():
			return have
		case <-tick.C:
		}
		ps, err := ReadPresets(filepath.Join(a.cfg.Dir, PresetsFile))
		active := ps.active()
		if errors.Is(err, golem.ErrNotFound) {
			active, err = a.cfg.Presets, nil
		}
		if err != nil {
			if text := err.Error(); text != complaint {
				complaint = text
				a.log.Error("presets cannot be read, the former ones stay", "err", err)
			}
			continue
		}
		complaint = ""
		if !reflect.DeepEqual(active, have) {
			a.log.Info("presets have changed")
			return active
		}
	}
}
