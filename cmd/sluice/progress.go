package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/sluicehq/sluice/internal/pipeline"
)

// progress tells how a run goes: one line that is written over on a terminal, a log line every ten seconds elsewhere.
type progress struct {
	w     io.Writer
	log   *slog.Logger
	tty   bool
	size  func() (read, total int64) // of the input in bytes; total 0: unknown
	start time.Time

	mu     sync.Mutex // covers the rest
	last   time.Time
	drawn  bool
	closed bool
}

func newProgress(w io.Writer, log *slog.Logger, size func() (int64, int64)) *progress {
	f, ok := w.(*os.File)
	return &progress{w: w, log: log, tty: ok && term.IsTerminal(int(f.Fd())), size: size, start: time.Now(), last: time.Now()}
}

// observe is called after each settled batch.
func (p *progress) observe(r pipeline.Report) {
	p.mu.Lock()
	defer p.mu.Unlock()
	every := 10 * time.Second
	if p.tty {
		every = 200 * time.Millisecond
	}
	now := time.Now()
	if p.closed || now.Sub(p.last) < every {
		return
	}
	p.last = now
	done := r.Delivered + r.Filtered + r.Rejected
	rate := float64(done) / now.Sub(p.start).Seconds()
	if !p.tty {
		p.log.Info("progress", "rows", done, "rows_per_second", int64(rate), "rejected", r.Rejected, "eta", p.eta(now, r))
		return
	}
	p.drawn = true
	_, _ = fmt.Fprintf(p.w, "\r\x1b[K%d rows   %.0f rows/s   %d rejected   %s", done, rate, r.Rejected, p.eta(now, r))
}

// eta estimates the time left by the share of the input's bytes whose rows are settled: what has been read runs ahead of
// that by the window. "" where the size is not known.
func (p *progress) eta(now time.Time, r pipeline.Report) string {
	if p.size == nil || r.Read == 0 {
		return ""
	}
	read, total := p.size()
	settled := float64(read) * float64(r.Delivered+r.Filtered+r.Rejected) / float64(r.Read)
	if settled <= 0 || total <= 0 || read > total {
		return ""
	}
	spent := now.Sub(p.start)
	left := time.Duration(float64(spent) * (float64(total) - settled) / settled)
	return "about " + left.Round(time.Second).String() + " left"
}

// close wipes the line.
func (p *progress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.drawn {
		_, _ = fmt.Fprint(p.w, "\r\x1b[K")
	}
}
