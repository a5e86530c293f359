package main

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"

	"github.com/golem-go/golem/examples/pathtracer"
)

// screen shows a person how the tiles come along: a bar for each, on a terminal,
// and a line now and then elsewhere.
type screen struct {
	w    io.Writer
	bars progress.Writer // nil where there is no terminal
	over chan struct{}   // closed when the bars are drawn for the last time

	mu          sync.Mutex
	done, total int
	told        time.Time
}

func newScreen(w io.Writer) *screen { return &screen{w: w} }

// begin shows bars, if anybody can see them.
func (s *screen) begin(total int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total, s.told = total, time.Now()
	if !isTerminal(s.w) {
		return
	}
	s.bars = progress.NewWriter()
	s.bars.SetOutputWriter(s.w)
	s.bars.SetAutoStop(false)
	s.bars.SetTrackerLength(24)
	s.bars.SetMessageLength(28)
	s.bars.SetUpdateFrequency(80 * time.Millisecond)
	style := progress.StyleBlocks
	style.Options.PercentFormat = "%3.0f%%"
	style.Visibility.Value = false
	s.bars.SetStyle(style)
	s.over = make(chan struct{})
	bars := s.bars
	go func() {
		defer close(s.over)
		bars.Render()
	}()
}

// end leaves the bars as they are.
func (s *screen) end() {
	s.mu.Lock()
	bars := s.bars
	s.bars = nil
	s.mu.Unlock()
	if bars != nil {
		bars.Stop()
		<-s.over
	}
}

// say leaves a line behind.
func (s *screen) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bars != nil {
		s.bars.Log(format, args...)
		return
	}
	fmt.Fprintf(s.w, format+"\n", args...)
}

// tile shows a bar for a tile that is being rendered.
func (s *screen) tile(name string) *tileBar {
	b := &tileBar{s: s, tracker: progress.Tracker{Message: name, Total: 100}}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bars != nil {
		s.bars.AppendTracker(&b.tracker)
	}
	return b
}

// finished counts a tile, and says so once a second where there are no bars.
func (s *screen) finished() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done++
	if s.bars == nil && (s.done == s.total || time.Since(s.told) > time.Second) {
		s.told = time.Now()
		fmt.Fprintf(s.w, "%d of %d tiles\n", s.done, s.total)
	}
}

// tileBar follows what the renderer prints.
type tileBar struct {
	s       *screen
	tracker progress.Tracker
	line    []byte
}

// longestLine is more than the renderer ever prints; longer ones are not its own.
const longestLine = 80

// Write takes what the renderer prints.
func (b *tileBar) Write(p []byte) (int, error) {
	b.line = append(b.line, p...)
	for {
		line, rest, found := bytes.Cut(b.line, []byte("\n"))
		if !found {
			break
		}
		b.line = rest
		if done, rows, ok := pathtracer.Progress(string(line)); ok {
			b.tracker.SetValue(int64(100 * done / rows))
		}
	}
	if len(b.line) > longestLine {
		b.line = nil
	}
	return len(p), nil
}

// done ends the bar.
func (b *tileBar) done(err error) {
	if err != nil {
		b.tracker.MarkAsErrored()
		return
	}
	b.tracker.MarkAsDone()
	b.s.finished()
}
