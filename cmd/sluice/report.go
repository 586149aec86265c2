package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/deliver"
	"github.com/sluicehq/sluice/internal/echo"
	"github.com/sluicehq/sluice/internal/pipeline"
)

// result is what one run came to.
type result struct {
	Vendor  *connector.Vendor
	Means   string // what a delivered row is, see job.Target.Delivered
	Report  pipeline.Report
	Stats   deliver.Stats
	Took    time.Duration
	Rejects string // folder, "" if none
	Echoes  int64  // of the filtered, what a relay the other way had written
	Repeats int64  // of the filtered, what this run rejected before and read again unchanged
	// Overtaken are rows of a retry, of the filtered, and Shortened others, of which the source told later values.
	Overtaken, Shortened int64
	Err                  error

	save func(context.Context, connector.Position) error // writes the last position down; nil: none is kept
}

// gate takes over what a relay's memory kept back; g may be nil.
func (r *result) gate(g *echo.Gate) {
	if g != nil {
		r.Echoes, r.Repeats = g.Dropped(), g.Repeated()
		r.Overtaken, r.Shortened = g.Overtaken()
	}
}

// begun reports whether there is a balance to tell: a run that failed before its first row has none, and its zeros above the
// error would only hide it.
func (r *result) begun() bool {
	return r.Err == nil || r.Report.Read > 0 || r.Stats.Requests > 0
}

// summary prints the balance of a run and why rows were refused.
func (r *result) summary(w io.Writer) {
	rep := r.Report
	left := ""
	if rep.Left > 0 {
		left = fmt.Sprintf(" + %d left", rep.Left)
	}
	fmt.Fprintf(w, "%s: %d read = %d %s + %d filtered + %d rejected%s", r.Vendor.Name, rep.Read, rep.Delivered, r.Means, rep.Filtered, rep.Rejected, left)
	fmt.Fprintf(w, "   (%d requests, %s)\n", r.Stats.Requests, r.Took.Round(time.Millisecond))
	r.keptBack(w)
	for _, stream := range slices.Sorted(maps.Keys(rep.Skipped)) {
		fmt.Fprintf(w, "  stream %s was skipped: %d rows\n", stream, rep.Skipped[stream])
	}
	for _, code := range codesByCount(rep.Codes) {
		meaning := "not in the CRM's table of codes"
		if info, ok := r.Vendor.Explain(code); ok {
			meaning = info.Meaning
		}
		keys := ""
		if s := rep.Samples[code]; len(s) > 0 {
			keys = "   such as " + strings.Join(s[:min(3, len(s))], ", ")
		}
		fmt.Fprintf(w, "  %5d  %-16s %s%s\n", rep.Codes[code], code, meaning, printable(keys))
	}
	if rep.Rejected > 0 && r.Rejects != "" {
		fmt.Fprintf(w, "  rejected rows with their reasons: %s rejects ls %s\n", programName(), r.Rejects)
	}
}

// keptBack prints what a relay's memory kept back.
func (r *result) keptBack(w io.Writer) {
	for _, k := range []struct {
		rows       int64
		name, text string
	}{
		{r.Echoes, "echo", "of the filtered: they told nothing that " + r.Vendor.Title + " does not hold already"},
		{r.Repeats, "repeat", "of the filtered: this run rejected them before, and they came again unchanged"},
		{r.Overtaken, "overtaken", "of the filtered: since they were rejected, their source told later values or was given others, which a retry does not overwrite. Where an old one is wanted all the same, enter it in the CRM"},
		{r.Shortened, "overtaken", "of the others: the same goes for some of their fields; the rest was sent"},
	} {
		if k.rows > 0 {
			fmt.Fprintf(w, "  %5d  %-16s %s\n", k.rows, k.name, k.text)
		}
	}
}

func codesByCount(codes map[string]int64) []string {
	return slices.SortedFunc(maps.Keys(codes), func(a, b string) int {
		return cmp.Or(cmp.Compare(codes[b], codes[a]), cmp.Compare(a, b))
	})
}

// printable strips control characters: keys and vendor texts come from outside and go to a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\t' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, s)
}

// write saves the run as JSON for other programs.
func (r *result) write(path string) error {
	out := struct {
		Vendor   string           `json:"vendor"`
		Seconds  float64          `json:"seconds"`
		Rows     map[string]int64 `json:"rows"`
		Means    string           `json:"delivered_means"`
		Codes    map[string]int64 `json:"codes"`
		Echoes   int64            `json:"echoes,omitempty"`  // of the filtered
		Repeats  int64            `json:"repeats,omitempty"` // of the filtered
		Requests deliver.Stats    `json:"delivery"`
		Complete bool             `json:"complete"`
		Error    string           `json:"error,omitempty"`
		Kind     string           `json:"kind,omitempty"`
	}{
		Vendor: r.Vendor.Name, Means: r.Means, Seconds: r.Took.Seconds(), Codes: r.Report.Codes, Echoes: r.Echoes, Repeats: r.Repeats, Requests: r.Stats, Complete: r.Report.Complete,
		Rows: map[string]int64{
			"read": r.Report.Read, "delivered": r.Report.Delivered, "filtered": r.Report.Filtered, "rejected": r.Report.Rejected, "left": r.Report.Left,
		},
	}
	if r.Err != nil {
		out.Error, out.Kind = r.Err.Error(), connector.KindOf(r.Err).String()
	}
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o600); err != nil {
		return connector.Configf("Choose a path that can be written", "cannot write the report: %w", err)
	}
	return nil
}
