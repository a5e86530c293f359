package requestor_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/requestor"
)

func wantKind(t testing.TB, err error, want golem.Kind) {
	t.Helper()
	if got := golem.KindOf(err); got != want {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
}

func wantBlame(t testing.TB, err error) {
	t.Helper()
	if _, ok := errors.AsType[*requestor.ProviderError](err); !ok {
		t.Errorf("got %v, want a ProviderError", err)
	}
}

func sleep(seconds string) requestor.Process {
	return requestor.Process{Path: "sleep", Args: []string{seconds}}
}

func TestLife(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.sell("ann", manners{fee: 0.1, price: 0.001})
		r := w.connect(nil)
		var stages []requestor.Stage
		o := order()
		o.Env = map[string]string{"NAME": "value"}
		o.Progress = func(p requestor.Progress) {
			if len(stages) == 0 || stages[len(stages)-1] != p.Stage {
				stages = append(stages, p.Stage)
			}
		}
		begun := time.Now()
		rental, err := r.Rent(t.Context(), o)
		w.must(err)
		var out bytes.Buffer
		result := filepath.Join(t.TempDir(), "result")
		w.must(rental.Run(t.Context(), requestor.Process{
			Path: "cat", Args: []string{"/in/a", "/in/b c"},
			Inputs:  map[string]requestor.Source{"/in/a": requestor.Bytes([]byte("first ")), "/in/b c": requestor.Bytes([]byte("second\xff"))},
			Outputs: map[string]string{"/in/b c": result},
			Stdout:  &out,
		}))
		// Messages take 5 ms: 14 of them one after the other, before the files.
		if took := time.Since(begun); took > 150*time.Millisecond {
			t.Errorf("from the order to the result: %v", took)
		}
		if out.String() != "first second\xff" {
			t.Errorf("printed %q", &out)
		}
		if b, err := os.ReadFile(result); err != nil || string(b) != "second\xff" {
			t.Errorf("result %q, %v", b, err)
		}
		err = rental.Run(t.Context(), requestor.Process{Path: "exit", Args: []string{"3"}})
		if exit, ok := errors.AsType[*requestor.ExitError](err); !ok || exit.Code != 3 {
			t.Errorf("exit 3: got %v", err)
		}
		out.Reset()
		w.must(rental.Run(t.Context(), requestor.Process{Path: "env", Stdout: &out}))
		if out.String() != "map[NAME:value]\n" {
			t.Errorf("environment %q", &out)
		}
		if usage, err := rental.Usage(t.Context()); err != nil || usage[golem.UsageDuration] <= 0 {
			t.Errorf("usage %v, %v", usage, err)
		}
		bill, err := rental.Close(t.Context())
		w.must(err)
		if bill.Status != golem.DocumentAccepted || bill.Cost.Less(golem.Units(1e17)) || bill.Name != "ann" || bill.Usage[golem.UsageDuration] <= 0 {
			t.Errorf("bill %+v", bill)
		}
		wantKind(t, rental.Err(), golem.ErrCancelled)
		wantKind(t, rental.Run(t.Context(), sleep("1")), golem.ErrCancelled)
		w.must(r.Close())
		w.clean(t)
		got := ""
		for _, s := range stages {
			got += " " + string(s)
		}
		if want := " search agree create deploy start upload run download run end pay"; got != want {
			t.Errorf("stages%s, want%s", got, want)
		}
	})
}

// TestFiles copies a file that takes many messages there and back.
func TestFiles(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.sell("ann", manners{})
		r := w.connect(nil)
		defer r.Close()
		rental, err := r.Rent(t.Context(), order())
		w.must(err)
		dir := t.TempDir()
		from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
		content := bytes.Repeat([]byte("0123456789abcdef"), 40<<10)
		w.must(os.WriteFile(from, content, 0o600))
		w.must(rental.Upload(t.Context(), requestor.File(from), "/work/x"))
		w.must(rental.Download(t.Context(), "/work/x", to))
		if b, err := os.ReadFile(to); err != nil || !bytes.Equal(b, content) {
			t.Errorf("got %d bytes back, %v", len(b), err)
		}
		wantBlame(t, rental.Download(t.Context(), "/work/none", filepath.Join(dir, "none")))
		wantKind(t, rental.Upload(t.Context(), requestor.File(filepath.Join(dir, "none")), "/work/y"), golem.ErrNotFound)
		wantKind(t, rental.Upload(t.Context(), requestor.Source{}, "/work/y"), golem.ErrInvalid)
		wantKind(t, rental.Upload(t.Context(), requestor.URL("https://host/file", "abc"), "/work/y"), golem.ErrInvalid)
		w.must(rental.Run(t.Context(), requestor.Process{Path: "echo"}))
		if names, _ := filepath.Glob(filepath.Join(dir, ".*")); len(names) > 0 {
			t.Errorf("leftovers %v", names)
		}
	})
}

func TestWrongHash(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.sell("liar", manners{lies: true})
		r := w.connect(nil)
		defer r.Close()
		rental, err := r.Rent(t.Context(), order())
		w.must(err)
		to := filepath.Join(t.TempDir(), "to")
		err = rental.Run(t.Context(), requestor.Process{Path: "write", Args: []string{"/out/x", "text"}, Outputs: map[string]string{"/out/x": to}})
		wantBlame(t, err)
		if _, err := os.Stat(to); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a file with the wrong hash has appeared: %v", err)
		}
	})
}

// TestFileNotSent buys from a Provider who says that a file was sent which was not.
func TestFileNotSent(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.sell("miser", manners{keeps: true})
		r := w.connect(nil)
		defer r.Close()
		rental, err := r.Rent(t.Context(), order())
		w.must(err)
		to := filepath.Join(t.TempDir(), "to")
		w.must(os.WriteFile(to, []byte("of another day"), 0o600))
		err = rental.Run(t.Context(), requestor.Process{Path: "write", Args: []string{"/out/x", "text"}, Outputs: map[string]string{"/out/x": to}})
		wantBlame(t, err)
		if !strings.Contains(fmt.Sprint(err), "/out/x") {
			t.Errorf("got %v, want the name of the file", err)
		}
	})
}

func TestBinaryOutput(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.sell("ann", manners{})
		r := w.connect(nil)
		defer r.Close()
		rental, err := r.Rent(t.Context(), order())
		w.must(err)
		var out bytes.Buffer
		w.must(rental.Run(t.Context(), requestor.Process{Path: "bytes", Args: []string{"100"}, Stdout: &out}))
		if out.Len() != 25600 || out.Bytes()[25599] != 255 || out.Bytes()[25472] != 128 {
			t.Errorf("got %d bytes", out.Len())
		}
		full := errors.New("disk full")
		if err := rental.Run(t.Context(), requestor.Process{Path: "bytes", Args: []string{"100"}, Stdout: failing{full}}); !errors.Is(err, full) {
			t.Errorf("failing writer: got %v", err)
		}
	})
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// TestNodeRestarts restarts the node of the Requestor while a program prints.
func TestNodeRestarts(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.sell("ann", manners{})
		r := w.connect(nil)
		defer r.Close()
		rental, err := r.Rent(t.Context(), order())
		w.must(err)
		go func() {
			for range 3 {
				time.Sleep(4300 * time.Millisecond)
				w.buyer.restart(w)
			}
		}()
		var out bytes.Buffer
		w.must(rental.Run(t.Context(), requestor.Process{Path: "count", Args: []string{"20"}, Stdout: &out}))
		if got := strings.Fields(out.String()); len(got) != 20 || got[0] != "1" || got[19] != "20" {
			t.Errorf("printed %q", got)
		}
		_, err = rental.Close(t.Context())
		w.must(err)
	})
}

func TestProviderLost(t *testing.T) {
	tests := []struct {
		name   string
		strike func(w *world, v *vendor)
		within time.Duration
	}{
		{"cable cut", func(_ *world, v *vendor) { v.kill() }, 50 * time.Second},
		{"node stopped", func(_ *world, v *vendor) { v.peer.stop() }, 50 * time.Second},
		{"ExeUnit crashed", func(_ *world, v *vendor) { v.crash() }, 10 * time.Second},
		{"agreement terminated", func(w *world, v *vendor) {
			w.must(v.api.TerminateAgreement(w.ctx, v.deals[0], golem.NewReason("shutting down", golem.ReasonProviderCode, "Shutdown")))
		}, 100 * time.Millisecond},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				v := w.sell("ann", manners{price: 0.001})
				r := w.connect(nil)
				rental, err := r.Rent(t.Context(), order())
				w.must(err)
				var struck time.Time
				time.AfterFunc(20*time.Second, func() { struck = time.Now(); test.strike(w, v) })
				err = rental.Run(t.Context(), sleep("300"))
				wantBlame(t, err)
				if took := time.Since(struck); took > test.within {
					t.Errorf("noticed after %v: %v", took, err)
				}
				t.Log(err)
				wantBlame(t, rental.Err())
				begun := time.Now()
				bill, err := rental.Close(t.Context())
				w.must(err)
				if took := time.Since(begun); took > 11*time.Second {
					t.Errorf("closing took %v", took)
				}
				if !bill.Cost.IsZero() {
					t.Errorf("lost work costs %s", bill.Cost)
				}
				w.must(r.Close())
				if test.name != "cable cut" && test.name != "node stopped" {
					w.clean(t)
				}
			})
		})
	}
}

// TestOverLimit has a program that uses more than was agreed on. That is not the
// Provider's fault, and what was used is paid.
func TestOverLimit(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		v := w.sell("ann", manners{fee: 1})
		r := w.connect(nil)
		rental, err := r.Rent(t.Context(), order())
		w.must(err)
		time.AfterFunc(20*time.Second, v.exceed)
		err = rental.Run(t.Context(), sleep("300"))
		wantKind(t, err, golem.ErrExhausted)
		if _, blamed := errors.AsType[*requestor.ProviderError](err); blamed || !strings.Contains(err.Error(), "golem.usage.gib") {
			t.Errorf("got %v", err)
		}
		bill, err := rental.Close(t.Context())
		w.must(err)
		if bill.Status != golem.DocumentAccepted || bill.Cost != golem.Tokens(1) {
			t.Errorf("bill %+v", bill)
		}
		w.must(r.Close())
		w.clean(t)
	})
}

// TestStoppedProgram has a program that is stopped by itself: the rental goes on.
func TestStoppedProgram(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.sell("ann", manners{})
		r := w.connect(nil)
		defer r.Close()
		rental, err := r.Rent(t.Context(), order())
		w.must(err)
		begun := time.Now()
		err = rental.Run(t.Context(), requestor.Process{Path: "exit", Args: []string{"-1"}})
		if exit, ok := errors.AsType[*requestor.ExitError](err); !ok || exit.Code != -1 {
			t.Errorf("got %v", err)
		}
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("took %v", took)
		}
		w.must(rental.Run(t.Context(), sleep("1")))
	})
}

func TestTimeout(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.sell("ann", manners{price: 0.001})
		r := w.connect(nil)
		o := order()
		o.Timeout = 30 * time.Second
		rental, err := r.Rent(t.Context(), o)
		w.must(err)
		wantKind(t, rental.Run(t.Context(), sleep("300")), golem.ErrTimeout)
		bill, err := rental.Close(t.Context())
		w.must(err)
		if bill.Status != golem.DocumentAccepted || bill.Cost.IsZero() {
			t.Errorf("bill %+v", bill)
		}
		w.must(r.Close())
		w.clean(t)
	})
}

// TestDebitNotes lets a Provider bill in the middle, rightly or not.
func TestDebitNotes(t *testing.T) {
	tests := []struct {
		name    string
		manners manners
		lost    bool
		status  golem.DocumentStatus
		refused string
	}{
		{"right", manners{price: 0.001, notes: time.Minute}, false, golem.DocumentAccepted, ""},
		{"greedy notes", manners{price: 0.001, notes: time.Minute, greed: 2}, true, golem.DocumentRejected, "has failed"},
		{"greedy invoice", manners{price: 0.001, notes: time.Minute, greed: 3, greedLate: true}, false, golem.DocumentRejected, "costs at most"},
		{"no notes", manners{price: 0.001}, false, golem.DocumentAccepted, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.sell("ann", test.manners)
				r := w.connect(nil)
				rental, err := r.Rent(t.Context(), order())
				w.must(err)
				err = rental.Run(t.Context(), sleep("200"))
				if test.lost {
					wantBlame(t, err)
					w.pause(5 * time.Second) // for the Invoice
				} else {
					w.must(err)
				}
				bill, err := rental.Close(t.Context())
				w.must(err)
				if bill.Status != test.status || !strings.Contains(bill.Refused, test.refused) {
					t.Errorf("bill %+v", bill)
				}
				if most := golem.Units(21e16); most.Less(bill.Cost) {
					t.Errorf("200 s cost %s", bill.Cost)
				}
				w.must(r.Close())
				w.clean(t)
			})
		})
	}
}

func TestNoInvoice(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.sell("ann", manners{price: 0.001, noBill: true})
		r := w.connect(nil)
		rental, err := r.Rent(t.Context(), order())
		w.must(err)
		w.must(rental.Deploy(t.Context()))
		begun := time.Now()
		bill, err := rental.Close(t.Context())
		wantKind(t, err, golem.ErrTimeout)
		if took := time.Since(begun); took < 30*time.Second || took > 35*time.Second || bill.Status != "" {
			t.Errorf("after %v: %+v", took, bill)
		}
		w.must(r.Close())
		w.clean(t)
	})
}

func TestSettlement(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		v := w.sell("ann", manners{fee: 1})
		before, err := w.book.Balance(t.Context(), v.ID().Address())
		w.must(err)
		r := w.connect(func(c *requestor.Config) { c.SettlePatience = time.Minute })
		rental, err := r.Rent(t.Context(), order())
		w.must(err)
		bill, err := rental.Close(t.Context())
		w.must(err)
		if bill.Status != golem.DocumentSettled || bill.Cost != golem.Tokens(1) {
			t.Errorf("bill %+v", bill)
		}
		if after, err := w.book.Balance(t.Context(), v.ID().Address()); err != nil || after != before.Add(golem.Tokens(1)) {
			t.Errorf("the provider has %s, had %s, %v", after, before, err)
		}
		w.must(r.Close())
		w.clean(t)
	})
}

// TestBudgetUsedUp rents twice from a budget for one: what is accepted stays
// within it.
func TestBudgetUsedUp(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.sell("ann", manners{price: 0.001, notes: time.Minute})
		w.sell("bob", manners{price: 0.001, notes: time.Minute})
		budget := golem.Units(7e17)
		r := w.connect(func(c *requestor.Config) { c.Budget = budget })
		o := order() // costs up to 0.6
		var rentals []*requestor.Rental
		for range 2 {
			rental, err := r.Rent(t.Context(), o)
			w.must(err)
			rentals = append(rentals, rental)
		}
		errs := make(chan error)
		for _, rental := range rentals {
			go func() { errs <- rental.Run(t.Context(), sleep("590")) }()
		}
		first := <-errs
		wantKind(t, first, golem.ErrExhausted)
		<-errs
		var sum golem.Amount
		for _, rental := range rentals {
			bill, _ := rental.Close(t.Context())
			sum = sum.Add(bill.Cost)
		}
		if budget.Less(sum) || sum.Less(golem.Units(5e17)) {
			t.Errorf("of %s %s were spent", budget, sum)
		}
		w.must(r.Close())
		w.clean(t)
	})
}

// TestAbandon leaves without closing anything but the Requestor.
func TestAbandon(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		v := w.sell("ann", manners{price: 0.001})
		r := w.connect(nil)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		rental, err := r.Rent(ctx, order())
		w.must(err)
		wantKind(t, rental.Run(ctx, sleep("300")), golem.ErrTimeout)
		w.must(r.Close())
		w.clean(t)
		// The Invoice waits in the node, for another program of the same identity.
		is, err := w.buyer.api.Invoices(t.Context(), time.Unix(0, 0), 10)
		w.must(err)
		if len(is) != 1 || is[0].Status != golem.DocumentReceived || is[0].Agreement != v.deals[0] {
			t.Errorf("invoices %+v", is)
		}
		if _, err := r.Rent(t.Context(), order()); golem.KindOf(err) != golem.ErrCancelled {
			t.Errorf("renting after Close: %v", err)
		}
	})
}
