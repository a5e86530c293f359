package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const (
	sqlTestPut = "INSERT INTO node_setting (name, value) VALUES (?, ?)"
	sqlTestGet = "SELECT value FROM node_setting WHERE name = ?"
	sqlTestAll = "SELECT name FROM node_setting ORDER BY name"
)

func put(name, value string) func(*Tx) error {
	return func(tx *Tx) error {
		_, err := tx.exec(sqlTestPut, name, value)
		return err
	}
}

func open(t testing.TB, path string) *DB {
	t.Helper()
	db, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestWriteIsAllOrNothing(t *testing.T) {
	for name, path := range map[string]string{"disk": filepath.Join(t.TempDir(), "a b?.db"), "memory": Memory} {
		t.Run(name, func(t *testing.T) {
			db := open(t, path)
			boom := errors.New("boom")
			var wg sync.WaitGroup
			for i := range 200 {
				wg.Go(func() {
					err := db.Write(t.Context(), func(tx *Tx) error {
						if err := put(fmt.Sprintf("%03d", i), "x")(tx); err != nil {
							return err
						}
						if i%3 == 0 {
							return boom
						}
						return nil
					})
					if i%3 == 0 && !errors.Is(err, boom) || i%3 != 0 && err != nil {
						t.Errorf("write %d: %v", i, err)
					}
				})
			}
			wg.Wait()
			names, err := readAll(t.Context(), db, scalar[string], sqlTestAll)
			if err != nil || len(names) != 133 {
				t.Fatalf("got %d rows, %v; want 133", len(names), err)
			}
		})
	}
}

func TestWritePanicIsAnError(t *testing.T) {
	db := open(t, Memory)
	err := db.Write(t.Context(), func(tx *Tx) error { put("a", "1")(tx); panic("oh") })
	if err == nil {
		t.Fatal("no error")
	}
	if err := db.Write(t.Context(), put("a", "2")); err != nil {
		t.Fatal(err)
	}
	got, err := readOne(t.Context(), db, scalar[string], sqlTestGet, "a")
	if err != nil || got != "2" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.db")
	db, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), put("a", "1")); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), put("b", "1")); !errors.Is(err, errClosed) {
		t.Fatalf("write after close: %v", err)
	}
	db = open(t, path)
	if got, err := readOne(t.Context(), db, scalar[string], sqlTestGet, "a"); err != nil || got != "1" {
		t.Fatalf("got %q, %v", got, err)
	}
	if _, err := readOne(t.Context(), db, scalar[string], sqlTestGet, "b"); !errors.Is(err, errNoRow) {
		t.Fatalf("got %v, want errNoRow", err)
	}
}

func TestWithdrawnWriteIsNotMade(t *testing.T) {
	db := open(t, Memory)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.Write(ctx, put("a", "1")); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

func TestInBubble(t *testing.T) {
	for name, path := range map[string]string{"disk": filepath.Join(t.TempDir(), "x.db"), "memory": Memory} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db, err := Open(t.Context(), path)
				if err != nil {
					t.Fatal(err)
				}
				defer db.Close()
				for i := range 20 {
					time.Sleep(time.Minute)
					if err := db.Write(t.Context(), put(fmt.Sprint(i), time.Now().String())); err != nil {
						t.Fatal(err)
					}
					if _, err := readAll(t.Context(), db, scalar[string], sqlTestAll); err != nil {
						t.Fatal(err)
					}
				}
			})
		})
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, n := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) {
			db := open(b, filepath.Join(b.TempDir(), "x.db"))
			b.SetParallelism(n)
			var mu sync.Mutex
			i := 0
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					mu.Lock()
					i++
					name := fmt.Sprint(i)
					mu.Unlock()
					if err := db.Write(b.Context(), put(name, "v")); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
		})
	}
}
