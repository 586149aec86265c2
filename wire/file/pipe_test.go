//go:build unix

package file

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestNamedPipe: neither its missing writer nor a stall holds up Open, Read or Close.
func TestNamedPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	r := NewReader(Config{Path: path}, columns("a"), nil)
	if err := r.Open(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		done <- os.WriteFile(path, []byte(`{"a":1}`), 0o600)
	}()
	got, pos, end := read(t, Config{Path: path}, nil, "a")
	if end != io.EOF || pos != nil || len(got) != 1 || <-done != nil {
		t.Errorf("got %q, position %s, end %v", got, pos, end)
	}
}

// TestLookTakesNothingFromAPipe: what is read of a pipe is gone for the run after.
func TestLookTakesNothingFromAPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"-", pipe} {
		s, err := Look(t.Context(), Config{Path: path, Stdin: strings.NewReader("{}")}, 1)
		if err != nil || !s.Unread || s.Rows != 0 || !slices.Equal(s.Fields, nil) {
			t.Errorf("%s: %+v, %v", path, s, err)
		}
	}
}
