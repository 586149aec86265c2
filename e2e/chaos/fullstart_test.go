//go:build chaos

package chaos

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestFullDiskAtStart starts the receiver on disks that have no room or hardly any, with a new inbox and with one that a
// dead process has left. It either says what is wrong and exits, or starts and is not ready; and when there is room the
// inbox is whole.
func TestFullDiskAtStart(t *testing.T) {
	t.Parallel()
	bin := build(t, "sluice")
	for _, disk := range smallDisks {
		t.Run(disk.name, func(t *testing.T) {
			d := beginOnDisk(t, bin, disk, "")
			s, r, dir, ballast := d.s, d.r, d.dir, d.ballast
			other := filepath.Join(d.w.dir, "other.yaml")
			write(t, other, s.config(filepath.Join(dir, "new")))
			<-s.after(300, false)
			_ = r.stop(syscall.SIGKILL)
			s.at("")

			fill(t, ballast)
			said, started := 0, 0
			for _, c := range []string{d.config, other} {
				for _, slack := range []int64{0, 4 << 10, 12 << 10, 40 << 10, 100 << 10, 300 << 10} {
					if c == other {
						if err := os.RemoveAll(filepath.Join(dir, "new")); err != nil {
							t.Fatal(err)
						}
					}
					fill(t, ballast)
					shrink(t, ballast, slack)
					if startsOnFullDisk(t, bin, c) {
						started++
					} else {
						said++
					}
				}
			}
			if err := os.RemoveAll(filepath.Join(dir, "new")); err != nil {
				t.Fatal(err)
			}
			disk.room(t, dir, ballast)
			r = startReceiver(t, bin, d.config)
			s.at(r.url)
			<-s.after(300, false)
			s.drain()
			r.ready(t, true, "ready")
			r.terminate()
			found := auditInbox(t, d.box, s.list)
			fmt.Printf("chaos %s: starts that said so and exited %d, that came up and were not ready %d, then acked in all %d, %s\n", t.Name(), said, started, s.countAcks(), found)
			found.hold(t)
			if said < 2 {
				t.Error("the disk was not full")
			}
		})
	}
}

// mounted makes a small disk at dir for the time of the test.
func mounted(t *testing.T, disk smallDisk, dir, scratch string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	disk.mount(t, dir, scratch)
	t.Cleanup(func() {
		if asRoot(t, "umount", dir).Run() != nil {
			runAsRoot(t, "umount", "--lazy", dir)
		}
	})
}

// shrink makes so much room on a disk that fill has filled.
func shrink(t *testing.T, ballast string, by int64) {
	t.Helper()
	info, err := os.Stat(ballast)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(ballast, max(0, info.Size()-by)); err != nil {
		t.Fatal(err)
	}
}

// startsOnFullDisk reports whether the receiver came up. If it did it must say that it is not ready; if not, why.
func startsOnFullDisk(t *testing.T, bin, config string) bool {
	t.Helper()
	r, stdout := launch(t, bin, config)
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "admin on "); ok {
			r.admin = strings.Fields(rest)[0]
			break
		}
	}
	if r.admin != "" {
		r.done.Go(func() { _, _ = io.Copy(io.Discard, stdout) })
		r.ready(t, false, "disk of the inbox")
		_ = r.stop(syscall.SIGKILL)
		return true
	}
	var exit *exec.ExitError
	if err := r.cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("it ends with %v", err)
	}
	r.logged(t, "the disk of the inbox is full")
	r.logged(t, "Free space on the disk of the inbox")
	return false
}
