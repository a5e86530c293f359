package requestor_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/requestor"
)

// tally counts which Provider has done which task.
type tally struct {
	mu sync.Mutex
	by map[int]string
}

func (y *tally) done(task int, rental *requestor.Rental) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.by == nil {
		y.by = map[int]string{}
	}
	y.by[task] = rental.Offer.Name
}

// numbers returns n tasks.
func numbers(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// billOf returns the bill of a Provider, and how many there are of it.
func billOf(bills []requestor.Bill, name string) (found requestor.Bill, n int) {
	for _, b := range bills {
		if b.Name == name {
			found = b
			n++
		}
	}
	return found, n
}

func TestEach(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		for _, name := range []string{"ann", "bob", "cid"} {
			w.sell(name, manners{price: 0.001})
		}
		r := w.connect(nil)
		var y tally
		begun := time.Now()
		bills, err := requestor.Each(t.Context(), r, order(), numbers(12), 3, func(ctx context.Context, rental *requestor.Rental, task int) error {
			defer y.done(task, rental)
			var out bytes.Buffer
			if err := rental.Run(ctx, sleep("10")); err != nil {
				return err
			}
			if err := rental.Run(ctx, requestor.Process{Path: "echo", Args: []string{strconv.Itoa(task)}, Stdout: &out}); err != nil {
				return err
			}
			if got := strings.TrimSpace(out.String()); got != strconv.Itoa(task) {
				t.Errorf("task %d: printed %q", task, got)
			}
			return nil
		})
		w.must(err)
		if took := time.Since(begun); took > 42*time.Second {
			t.Errorf("12 tasks of 10 s on 3 providers took %v", took)
		}
		if len(y.by) != 12 || len(bills) != 3 {
			t.Errorf("%d tasks, %d bills", len(y.by), len(bills))
		}
		for _, b := range bills {
			if b.Status != golem.DocumentAccepted || b.Cost.IsZero() {
				t.Errorf("bill %+v", b)
			}
		}
		w.must(r.Close())
		w.clean(t)
	})
}

// TestElsewhere lets the Provider that is preferred fail while it works: the task
// is bought from another one, and it gets what was accepted before and no more.
func TestElsewhere(t *testing.T) {
	wrong := errors.New("wrong result")
	tests := []struct {
		name   string
		strike func(w *world, ann *vendor)
		fails  error // what is said of its results
		within time.Duration
	}{
		{"cable cut", func(_ *world, v *vendor) { v.kill() }, nil, 50 * time.Second},
		{"node stopped", func(_ *world, v *vendor) { v.peer.stop() }, nil, 50 * time.Second},
		{"ExeUnit crashed", func(_ *world, v *vendor) { v.crash() }, nil, 10 * time.Second},
		{"agreement terminated", func(w *world, v *vendor) {
			w.must(v.api.TerminateAgreement(w.ctx, v.deals[0], golem.NewReason("shutting down", golem.ReasonProviderCode, "Shutdown")))
		}, nil, time.Second},
		{"wrong result", nil, requestor.Elsewhere(wrong), 40 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				ann := w.sell("ann", manners{price: 0.001, notes: 30 * time.Second})
				w.sell("bob", manners{price: 0.002})
				r := w.connect(nil)
				if test.strike != nil {
					time.AfterFunc(time.Minute, func() { test.strike(w, ann) })
				}
				var y tally
				begun := time.Now()
				bills, err := requestor.Each(t.Context(), r, order(), numbers(1), 1, func(ctx context.Context, rental *requestor.Rental, task int) error {
					y.done(task, rental)
					if err := rental.Run(ctx, sleep("90")); err != nil {
						return err
					}
					if rental.Offer.Name == "ann" {
						return test.fails
					}
					return nil
				})
				w.must(err)
				if took, most := time.Since(begun), time.Minute+test.within+91*time.Second+11*time.Second; took > most {
					t.Errorf("took %v, want at most %v", took, most)
				}
				if y.by[0] != "bob" {
					t.Errorf("%s has done it", y.by[0])
				}
				lost, n := billOf(bills, "ann")
				// The last note came 40 s after the beginning, or 70 s where it went on.
				least, most := golem.Units(35e15), golem.Units(45e15)
				if test.strike == nil {
					least, most = golem.Units(65e15), golem.Units(75e15)
				}
				if n != 1 || lost.Cost.Less(least) || most.Less(lost.Cost) {
					t.Errorf("%d bills of the one that failed: %s", n, lost.Cost)
				}
				won, n := billOf(bills, "bob")
				if n != 1 || won.Status != golem.DocumentAccepted || won.Cost.Less(golem.Units(18e16)) {
					t.Errorf("%d bills of the other: %+v", n, won)
				}
				w.must(r.Close())
			})
		})
	}
}

// TestHopelessTask fails wherever it is tried.
func TestHopelessTask(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		for _, name := range []string{"ann", "bob", "cid", "dan"} {
			w.sell(name, manners{price: 0.001})
		}
		r := w.connect(nil)
		wrong := errors.New("wrong result")
		tries := 0
		bills, err := requestor.Each(t.Context(), r, order(), numbers(1), 1, func(context.Context, *requestor.Rental, int) error {
			tries++
			return requestor.Elsewhere(wrong)
		})
		if !errors.Is(err, wrong) || tries != 3 {
			t.Errorf("%d tries: %v", tries, err)
		}
		for _, b := range bills {
			if !b.Cost.IsZero() {
				t.Errorf("%s costs %s", b.Name, b.Cost)
			}
		}
		w.must(r.Close())
		w.clean(t)
	})
}

// TestFailingTask ends everything: the fault is not the Provider's, who is paid.
func TestFailingTask(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.sell("ann", manners{fee: 1})
		w.sell("bob", manners{fee: 1})
		r := w.connect(nil)
		begun := time.Now()
		bills, err := requestor.Each(t.Context(), r, order(), numbers(10), 2, func(ctx context.Context, rental *requestor.Rental, task int) error {
			if task == 3 {
				return rental.Run(ctx, requestor.Process{Path: "exit", Args: []string{"4"}})
			}
			return rental.Run(ctx, sleep("10"))
		})
		if exit, ok := errors.AsType[*requestor.ExitError](err); !ok || exit.Code != 4 {
			t.Errorf("got %v", err)
		}
		if took := time.Since(begun); took > 40*time.Second {
			t.Errorf("took %v", took)
		}
		if len(bills) != 2 || bills[0].Cost != golem.Tokens(1) || bills[1].Cost != golem.Tokens(1) {
			t.Errorf("bills %+v", bills)
		}
		w.must(r.Close())
		w.clean(t)
	})
}

// TestEachCancelled interrupts everybody in the middle.
func TestEachCancelled(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.sell("ann", manners{price: 0.001})
		w.sell("bob", manners{price: 0.001})
		r := w.connect(nil)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(15*time.Second, cancel)
		begun := time.Now()
		_, err := requestor.Each(ctx, r, order(), numbers(10), 2, func(ctx context.Context, rental *requestor.Rental, _ int) error {
			return rental.Run(ctx, sleep("60"))
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(begun); took > 20*time.Second {
			t.Errorf("took %v", took)
		}
		w.must(r.Close())
		w.clean(t)
	})
}

// TestFewProviders has more workers than there are Providers.
func TestFewProviders(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.sell("ann", manners{price: 0.001})
		r := w.connect(nil)
		var y tally
		bills, err := requestor.Each(t.Context(), r, order(), numbers(6), 4, func(ctx context.Context, rental *requestor.Rental, task int) error {
			y.done(task, rental)
			return rental.Run(ctx, sleep("20"))
		})
		w.must(err)
		if len(y.by) != 6 || len(bills) != 1 {
			t.Errorf("%d tasks, %d bills", len(y.by), len(bills))
		}
		w.must(r.Close())
		w.clean(t)
	})
}

// TestOutputs has no place for what a program makes: it says so, before anything
// is done where it can, and blames nobody else.
func TestOutputs(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		v := w.sell("ann", manners{})
		r := w.connect(nil)
		defer r.Close()
		rental, err := r.Rent(t.Context(), order())
		w.must(err)
		dir := t.TempDir()
		w.must(os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
		write := func(to string) error {
			return rental.Run(t.Context(), requestor.Process{Path: "write", Args: []string{"/out/x", "text"}, Outputs: map[string]string{"/out/x": to}})
		}
		for _, to := range []string{filepath.Join(dir, "none", "x"), filepath.Join(dir, "file", "x"), dir} {
			err := write(to)
			wantKind(t, err, golem.ErrInvalid)
			if err == nil || !strings.Contains(err.Error(), to) {
				t.Errorf("%s: got %v", to, err)
			}
		}
		if n := v.began(); n > 0 {
			t.Errorf("%d programs have run", n)
		}
		// The directory goes while the program runs.
		gone := filepath.Join(dir, "gone")
		w.must(os.Mkdir(gone, 0o700))
		time.AfterFunc(5*time.Second, func() { os.Remove(gone) })
		err = rental.Run(t.Context(), requestor.Process{
			Path: "sleep", Args: []string{"10"}, Inputs: map[string]requestor.Source{"/out/x": requestor.Bytes([]byte("text"))},
			Outputs: map[string]string{"/out/x": filepath.Join(gone, "x")},
		})
		wantKind(t, err, golem.ErrExhausted)
		if _, blamed := errors.AsType[*requestor.ProviderError](err); blamed || !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), gone) {
			t.Errorf("got %v", err)
		}
		w.must(write(filepath.Join(dir, "x")))
		_, err = rental.Close(t.Context())
		w.must(err)
	})
}

// TestCloseTwice closes a rental from several goroutines.
func TestCloseTwice(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.sell("ann", manners{fee: 1})
		r := w.connect(nil)
		rental, err := r.Rent(t.Context(), order())
		w.must(err)
		ids := make(chan golem.InvoiceID)
		for range 3 {
			go func() {
				bill, err := rental.Close(t.Context())
				if err != nil {
					t.Error(err)
				}
				ids <- bill.Invoice
			}()
		}
		all := []golem.InvoiceID{<-ids, <-ids, <-ids}
		if all = slices.Compact(all); len(all) != 1 || all[0] == "" {
			t.Errorf("invoices %q", all)
		}
		w.must(r.Close())
		w.clean(t)
	})
}
