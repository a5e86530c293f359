package activity_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/activity"
	"github.com/golem-go/golem/activity/activitytest"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/sqlite"
	"github.com/golem-go/golem/wire"
)

// benchmarkNode is a node that is both parties of an Agreement, in real time and
// with its database on disk. It returns its Service, its bus and activities.
func benchmarkNode(b *testing.B, activities int) (*activity.Service, *gsb.Bus, []golem.ActivityID) {
	db, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "node.db"))
	if err != nil {
		b.Fatal(err)
	}
	who := golem.NodeID{1}
	bus := gsb.New(gsb.Config{Identities: func() []golem.NodeID { return []golem.NodeID{who} }})
	a := golem.Agreement{ID: golem.AgreementID(strings.Repeat("a", 64)), State: golem.AgreementApproved}
	a.Demand.Node, a.Offer.Node = who, who
	var agreements activitytest.Agreements
	agreements.Put(a)
	s, err := activity.New(activity.Config{
		Store: db.Activity(), Bus: bus, Agreements: &agreements, Limits: activity.Limits{PerAgreement: activities},
	})
	if err != nil {
		b.Fatal(err)
	}
	agent := activitytest.Agent{Node: who, Gateway: s, Bus: bus}
	ctx, cancel := context.WithCancel(b.Context())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	running.Go(func() { agent.Run(ctx) })
	b.Cleanup(func() {
		cancel()
		running.Wait()
		db.Close()
	})
	ids := make([]golem.ActivityID, activities)
	for i := range ids {
		for ids[i] == "" { // until Run has begun
			ids[i], err = s.Create(ctx, who, a.ID, activity.Creation{Timeout: 5 * time.Second})
			if err != nil && golem.KindOf(err) != golem.ErrUnavailable {
				b.Fatal(err)
			}
		}
	}
	return s, bus, ids
}

func BenchmarkExec(b *testing.B) {
	s, _, ids := benchmarkNode(b, 1)
	script := []golem.Command{program("echo", "x")}
	for b.Loop() {
		if _, err := s.Exec(b.Context(), golem.NodeID{1}, ids[0], script, time.Second); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkState(b *testing.B) {
	s, _, ids := benchmarkNode(b, 1)
	for b.Loop() {
		if _, err := s.State(b.Context(), golem.NodeID{1}, ids[0], time.Second); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReport measures how many ExeUnits a node can have: each reports once
// a second.
func BenchmarkReport(b *testing.B) {
	for _, n := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("units=%d", n), func(b *testing.B) {
			_, bus, ids := benchmarkNode(b, n)
			var next atomic.Int64
			b.SetParallelism(n)
			b.RunParallel(func(pb *testing.PB) {
				id := ids[int(next.Add(1))%n]
				for pb.Next() {
					req := wire.SetActivityUsageRequest{Activity: id, Usage: golem.Usage{Current: []float64{1}}}
					if _, err := wire.SetActivityUsage.Call(b.Context(), bus, golem.NodeID{}, golem.NodeID{}, req); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reports/s")
		})
	}
}
