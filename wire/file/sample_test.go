package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/connector"
)

func TestLook(t *testing.T) {
	for name, c := range map[string]struct {
		file, text string
		cfg        Config
		want       Sample
	}{
		"csv":         {"a.csv", "id,name,\n1,x,\n2\n", Config{}, Sample{Format: CSV, Fields: []string{"id", "name", ""}, Rows: 2, Whole: true}},
		"header only": {"a.csv", "id,name\n", Config{}, Sample{Format: CSV, Fields: []string{"id", "name"}, Whole: true}},
		"json lines":  {"a", "{\"b\":1,\"n\":null}\n\n{\"a\":{\"x\":1}}\n[1]\n", Config{}, Sample{Format: JSONL, Fields: []string{"a", "b"}, Rows: 3, Whole: true}},
		"empty":       {"a", "\n \n", Config{}, Sample{Format: Auto, Whole: true}},
		"gzip":        {"a.jsonl.gz", zip(`{"a":1}`), Config{}, Sample{Format: JSONL, Fields: []string{"a"}, Rows: 1, Whole: true}},
		"long":        {"a.jsonl", strings.Repeat("{\"a\":1}\n", 5000), Config{}, Sample{Format: JSONL, Fields: []string{"a"}, Rows: 1000}},
	} {
		c.cfg.Path = write(t, c.file, c.text)
		got, err := Look(t.Context(), c.cfg, 1000)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if n := map[string]int{"csv": 1, "json lines": 1}[name]; len(got.Refused) != n {
			t.Errorf("%s: refused %+v, want %d", name, got.Refused, n)
		}
		got.Refused = nil
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", c.want) {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
		if text, err := os.ReadFile(c.cfg.Path); err != nil || string(text) != c.text {
			t.Errorf("%s: the file is not as it was (%v)", name, err)
		}
	}
}

// TestLookFindsWhatEndsARun: the sentence that a run would end with.
func TestLookFindsWhatEndsARun(t *testing.T) {
	whole := zip(strings.Repeat(`{"a":"some text that is packed"}`+"\n", 40))
	for want, path := range map[string]string{
		"ends in the middle of its gzip data": write(t, "cut.jsonl.gz", whole[:len(whole)-6]),
		"is UTF-16":                           write(t, "a.csv", "\xff\xfea\x00"),
		"is not UTF-8":                        write(t, "b.csv", "\xff\xc1name,b\n1,2\n"),
		"one JSON document":                   write(t, "c.json", "[\n{}]"),
		"there is no file":                    filepath.Join(t.TempDir(), "none"),
		"is a directory":                      t.TempDir(),
	} {
		_, err := Look(t.Context(), Config{Path: path}, 1000)
		kind := connector.KindConfig
		if strings.Contains(path, "cut") {
			kind = connector.KindTransient // the rest may be under way
		}
		if connector.KindOf(err) != kind || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Look(ctx, Config{Path: write(t, "d.jsonl", "{}\n")}, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
