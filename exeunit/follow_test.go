//go:build unix

package exeunit_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/wire"
)

// flood writes the given number of MiB of counted blocks until ctx ends.
func flood(ctx context.Context, mib string, w io.Writer) error {
	n, err := strconv.Atoi(mib)
	if err != nil {
		return err
	}
	block := bytes.Repeat([]byte("."), 64<<10)
	for i := 0; i < n*16 && ctx.Err() == nil; i++ {
		copy(block, fmt.Sprintf("%015d\n", i))
		w.Write(block)
	}
	return context.Cause(ctx)
}

// flooded returns what flood writes.
func flooded(mib int) []byte {
	var b bytes.Buffer
	flood(context.Background(), strconv.Itoa(mib), &b)
	return b.Bytes()
}

func runFlood(mib int) string {
	return runCaptured(`{"stdout":{"stream":{}}}`, "flood", strconv.Itoa(mib))
}

// tally adds up what a follower gets of one command.
type tally struct {
	bytes.Buffer
	lost uint64 // bytes, as far as the counts tell
	code int
	over bool
}

func (y *tally) take(e golem.RuntimeEvent) {
	if e.Printed != nil {
		y.lost += e.Printed.Stdout - uint64(y.Len()) - y.lost
	}
	switch k := e.Kind; {
	case k.Stdout != nil:
		y.WriteString(k.Stdout.String())
	case k.Finished != nil:
		y.over, y.code = true, k.Finished.ReturnCode
	}
}

// follow takes the events of a batch until its end or until took says no.
func (u *unit) follow(id golem.BatchID, took func(y *tally) bool) *tally {
	u.t.Helper()
	y := &tally{}
	r := wire.StreamBatchRequest{Activity: activity, Batch: id}
	for e, err := range wire.StreamBatch.At(string(activity)).Call(u.t.Context(), u.bus, requestor, requestor, r) {
		if err != nil {
			u.t.Fatal(err)
		}
		y.take(e)
		if took != nil && !took(y) {
			break
		}
	}
	return y
}

// wantAll checks that a follower has got everything.
func (y *tally) wantAll(t *testing.T, mib int) {
	t.Helper()
	if !y.over || y.code != 0 || y.lost != 0 || !bytes.Equal(y.Bytes(), flooded(mib)) {
		t.Errorf("got %d bytes of %d MiB, lost %d, over %t with %d", y.Len(), mib, y.lost, y.over, y.code)
	}
}

// TestFlood has a program print much more than is kept, streamed to nobody.
func TestFlood(t *testing.T) {
	bubble(t, nil, func(t *testing.T, u *unit) {
		u.must(ready)
		before, begun := heap(), time.Now()
		id := u.exec(runFlood(floodSize))
		r := u.results(id)[0]
		if took := time.Since(begun); took < 10*time.Second || took > 11*time.Second {
			t.Errorf("waited %v for somebody to follow", took)
		}
		if grown := heap() - before; grown > 40<<20 {
			t.Errorf("the heap has grown by %d MiB", grown>>20)
		}
		if r.Result != golem.ResultOk || len(r.Stdout.Text) != 6<<20 || !strings.Contains(message(r), "bytes of stdout were not kept: the limit") {
			t.Errorf("got %s %q, %d bytes", r.Result, message(r), len(r.Stdout.Text))
		}
		y := u.follow(id, nil)
		if y.Len() < 5<<20 || y.Len() > 6<<20 || !y.over {
			t.Errorf("%d bytes of events are kept", y.Len())
		}
		if y.lost == 0 || r.Printed == nil || r.Printed.Stdout != uint64(y.Len())+y.lost || r.Printed.Stderr != 0 {
			t.Errorf("the late follower has lost %d, %+v were printed", y.lost, r.Printed)
		}
	})
}

// TestSlowFollower has a program flood while somebody follows it slowly.
func TestSlowFollower(t *testing.T) {
	bubble(t, nil, func(t *testing.T, u *unit) {
		u.must(ready)
		before := heap()
		id := u.exec(runFlood(20))
		u.follow(id, func(*tally) bool { time.Sleep(3 * time.Second); return true }).wantAll(t, 20)
		if grown := heap() - before; grown > 30<<20 {
			t.Errorf("the heap has grown by %d MiB", grown>>20)
		}
	})
}

// TestFollowerComesLater has nobody follow for a while.
func TestFollowerComesLater(t *testing.T) {
	bubble(t, nil, func(t *testing.T, u *unit) {
		u.must(ready)
		id := u.exec(runFlood(20))
		time.Sleep(9 * time.Second)
		u.follow(id, nil).wantAll(t, 20)
	})
}

// TestFollowerLeaves has somebody leave in the middle, and nobody or another come
// after them.
func TestFollowerLeaves(t *testing.T) {
	for _, away := range []time.Duration{0, 9 * time.Second, 20 * time.Second} {
		t.Run(fmt.Sprint(away), func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, u *unit) {
				u.must(ready)
				id := u.exec(runFlood(20))
				first := u.follow(id, func(y *tally) bool { return y.Len() < 5<<20 })
				time.Sleep(away)
				second := u.follow(id, nil)
				if second.lost > uint64(first.Len()) != (away > 10*time.Second) {
					t.Errorf("the first got %d bytes, the second has lost %d", first.Len(), second.lost)
				}
				if got := second.lost + uint64(second.Len()); got != 20<<20 || !second.over {
					t.Errorf("got and lost %d bytes", got)
				}
			})
		})
	}
}

// TestFollowerStalls has somebody who takes nothing any more beside one who does.
func TestFollowerStalls(t *testing.T) {
	bubble(t, nil, func(t *testing.T, u *unit) {
		u.must(ready)
		begun := time.Now()
		id := u.exec(runFlood(40))
		stalled := make(chan *tally)
		go func() {
			stalled <- u.follow(id, func(y *tally) bool {
				if y.Len() > 0 && time.Since(begun) < time.Hour {
					time.Sleep(time.Hour)
				}
				return true
			})
		}()
		u.follow(id, nil).wantAll(t, 40)
		if took := time.Since(begun); took < 30*time.Second || took > 32*time.Second {
			t.Errorf("took %v", took)
		}
		if y := <-stalled; y.lost == 0 || y.lost+uint64(y.Len()) != 40<<20 {
			t.Errorf("got %d bytes, lost %d", y.Len(), y.lost)
		}
	})
}

// TestEndsWhileOutputWaits has things end that print to somebody who takes nothing.
func TestEndsWhileOutputWaits(t *testing.T) {
	tests := []struct {
		name  string
		limit time.Duration // of a command
		end   func(u *unit)
		took  time.Duration
	}{
		{"activity", 0, func(u *unit) { u.stop(nil) }, 0},
		{"terminate", 0, func(u *unit) { u.must(`[{"terminate":{}}]`) }, 0},
		{"time limit", 20 * time.Second, func(*unit) {}, 15 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(u *unit) { u.cfg.CommandTimeout = test.limit }, func(t *testing.T, u *unit) {
				u.must(ready)
				id := u.exec(runFlood(20))
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				go func() {
					r := wire.StreamBatchRequest{Activity: activity, Batch: id}
					for range wire.StreamBatch.At(string(activity)).Call(ctx, u.bus, requestor, requestor, r) {
						<-ctx.Done()
					}
				}()
				time.Sleep(5 * time.Second)
				begun := time.Now()
				test.end(u)
				if test.name == "activity" {
					leave() // the stream ends with the process; here it has to be told
					<-u.ended
				} else if r := u.results(id)[0]; r.Result != golem.ResultError {
					t.Errorf("got %+v", r.Result)
				}
				if took := time.Since(begun); took != test.took {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

// TestSlowFollowerOfProcess has a process end while much of what it printed is in
// its pipe.
func TestSlowFollowerOfProcess(t *testing.T) {
	t.Parallel()
	u := newUnit(t, "good").start()
	u.must(ready)
	before := heap()
	id := u.exec(runCaptured(`{"stdout":{"stream":{}}}`, "flood", "20"))
	n := 0
	y := u.follow(id, func(*tally) bool {
		if n++; n == 100 {
			time.Sleep(2 * time.Second)
		}
		return true
	})
	if want := bytes.Repeat([]byte("0123456789abcdef"), 20<<16); !y.over || y.code != 0 || y.lost != 0 || !bytes.Equal(y.Bytes(), want) {
		t.Errorf("got %d bytes, lost %d, over %t with %d", y.Len(), y.lost, y.over, y.code)
	}
	if grown := heap() - before; grown > 100<<20 {
		t.Errorf("the heap has grown by %d MiB", grown>>20)
	}
}
