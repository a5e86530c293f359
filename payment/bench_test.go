package payment_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/payment"
)

// documents returns n invoices of a token each, received and not accepted, each
// of an agreement of its own.
func documents(w *world, r, p *node, n int) (deals []*deal, ids []golem.InvoiceID) {
	deals, ids = make([]*deal, n), make([]golem.InvoiceID, n)
	for i := range deals {
		deals[i] = w.agree(r, p, 1, terms{})
	}
	var all sync.WaitGroup
	var next atomic.Int64
	for range 64 {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				ids[i] = deals[i].invoice(golem.Units(1))
			}
		})
	}
	all.Wait()
	return deals, ids
}

// BenchmarkAccept accepts documents against one Allocation, each on the disk
// before its call returns.
func BenchmarkAccept(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(map[int]string{1: "callers=1", 64: "callers=64"}[callers], func(b *testing.B) {
			w := newWorld(b)
			r := w.dormant(1, tempDB(b), func(c *payment.Config) { c.PayDelay = time.Hour })
			r.start()
			p := w.node(1, nil)
			deals, ids := documents(w, r, p, b.N)
			al := deals[0].allocate(tokens(100))
			p.kill() // accepting does not depend on the Provider
			took := make([]time.Duration, b.N)
			var next atomic.Int64
			var all sync.WaitGroup
			b.ResetTimer()
			for range callers {
				all.Go(func() {
					for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
						start := time.Now()
						if err := deals[i].acceptInvoice(ids[i], golem.Units(1), al); err != nil {
							b.Error(err)
						}
						took[i] = time.Since(start)
					}
				})
			}
			all.Wait()
			b.StopTimer()
			slices.Sort(took)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "accepts/s")
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-median")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
		})
	}
}

// BenchmarkSettle accepts ten thousand documents and waits until both sides have
// them settled: orders, transfer, payments, proofs and books.
func BenchmarkSettle(b *testing.B) {
	const n = 10_000
	for b.Loop() {
		b.StopTimer()
		w := newWorld(b)
		r := w.dormant(1, tempDB(b), func(c *payment.Config) { c.PayDelay = time.Second })
		r.start()
		credited := make(chan struct{})
		var sum golem.Amount
		p := w.node(1, func(c *payment.Config) {
			c.Trace.Credited = func(p payment.Payment) {
				if sum = sum.Add(p.Amount); sum == golem.Units(n) {
					close(credited)
				}
			}
		})
		deals, ids := documents(w, r, p, n)
		al := deals[0].allocate(tokens(100))
		b.StartTimer()
		start := time.Now()
		var all sync.WaitGroup
		var next atomic.Int64
		for range 64 {
			all.Go(func() {
				for i := next.Add(1) - 1; i < n; i = next.Add(1) - 1 {
					w.must(deals[i].acceptInvoice(ids[i], golem.Units(1), al))
				}
			})
		}
		all.Wait()
		accepted := time.Since(start)
		<-credited
		settled := time.Since(start)
		b.StopTimer()
		b.ReportMetric(n/settled.Seconds(), "documents/s")
		b.ReportMetric(accepted.Seconds(), "s-accepting")
		w.audit(r, p)
		r.kill()
		p.kill()
		b.StartTimer()
	}
}
