package inbox

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/sluicehq/sluice/connector"
)

// TestOpenOnFullDisk: want of space is told as such, wherever in the opening it shows, and may pass.
func TestOpenOnFullDisk(t *testing.T) {
	for _, errno := range []error{syscall.ENOSPC, syscall.EDQUOT} {
		err := openError("dir", fmt.Errorf("lock: %w", &fs.PathError{Op: "write", Path: "lock", Err: errno}))
		if !errors.Is(err, ErrFull) || connector.KindOf(err) != connector.KindTransient {
			t.Errorf("%v: %v", errno, err)
		}
	}
	if err := openError("dir", &fs.PathError{Op: "write", Path: "lock", Err: syscall.EIO}); errors.Is(err, ErrFull) {
		t.Error(err)
	}
	_, err := Open(ctx, Options{Dir: t.TempDir(), maxPages: 3})
	if !errors.Is(err, ErrFull) || connector.KindOf(err) != connector.KindTransient {
		t.Error(err)
	}
}
