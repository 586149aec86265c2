//go:build chaos

package chaos

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// asRoot runs a command that only root may run.
func asRoot(t *testing.T, argv ...string) *exec.Cmd {
	t.Helper()
	if _, err := exec.LookPath(argv[0]); err != nil {
		t.Fatalf("this test needs %s (e2e/chaos/need installs it): %v", argv[0], err)
	}
	if os.Geteuid() != 0 {
		argv = append([]string{"sudo", "-n"}, argv...)
	}
	return exec.Command(argv[0], argv[1:]...)
}

func runAsRoot(t *testing.T, argv ...string) {
	t.Helper()
	if out, err := asRoot(t, argv...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
}

// smallDisk is a file system that a test can fill, and one way in which it gets room again.
type smallDisk struct {
	name  string
	mount func(t *testing.T, dir, scratch string)
	room  func(t *testing.T, dir, ballast string)
}

var smallDisks = []smallDisk{
	{"tmpfs that grows", func(t *testing.T, dir, _ string) {
		runAsRoot(t, "mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=160m,mode=700,uid=%d,gid=%d", os.Getuid(), os.Getgid()), "sluice-chaos", dir)
	}, func(t *testing.T, dir, _ string) {
		runAsRoot(t, "mount", "-o", "remount,size=320m", dir)
	}},
	{"ext4 that is cleared", func(t *testing.T, dir, scratch string) {
		image := filepath.Join(scratch, "disk.img")
		write(t, image, nil)
		if err := os.Truncate(image, 192<<20); err != nil {
			t.Fatal(err)
		}
		runAsRoot(t, "mkfs.ext4", "-q", "-F", "-m", "0", image)
		runAsRoot(t, "mount", "-o", "loop", image, dir)
		runAsRoot(t, "chown", fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid()), dir)
	}, func(t *testing.T, _, ballast string) {
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	}},
}

// fill takes what is left of a disk.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for size := 1 << 20; size > 0 && err == nil; {
		_, err = f.Write(make([]byte, size))
		if errors.Is(err, syscall.ENOSPC) {
			size, err = size/16, nil
		}
	}
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil && !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

// onDisk is a receiver whose inbox is on a small disk, and its senders.
type onDisk struct {
	w                 *world
	s                 *hookSenders
	r                 *receiver
	dir, box, ballast string // of the disk, and on it
	config            string
}

// beginOnDisk starts it; more is added to what the configuration says of the inbox.
func beginOnDisk(t *testing.T, bin string, disk smallDisk, more string) *onDisk {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	seed := w.seed(t, t.Name())
	d := &onDisk{w: w, dir: filepath.Join(w.dir, "disk"), config: filepath.Join(w.dir, "receive.yaml")}
	d.box, d.ballast = filepath.Join(d.dir, "inbox"), filepath.Join(d.dir, "ballast")
	mounted(t, disk, d.dir, w.dir)
	d.s = newHookSenders(t)
	write(t, d.config, []byte(strings.Replace(string(d.s.config(d.box)), `inbox"}`, `inbox"`+more+`}`, 1)))
	d.r = startReceiver(t, bin, d.config)
	d.s.at(d.r.url)
	d.s.start(4, seed)
	return d
}

// TestDiskFull fills the disk of the inbox while webhooks come in. Senders are told to come again, nothing that was
// acknowledged goes, and the receiver works on when there is room, without being started anew.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	bin := build(t, "sluice")
	for _, disk := range smallDisks {
		t.Run(disk.name, func(t *testing.T) {
			d := beginOnDisk(t, bin, disk, "")
			s, r, ballast := d.s, d.r, d.ballast
			<-s.after(300, false)
			r.ready(t, true, "ready")
			fill(t, ballast)
			<-s.after(200, true)
			before := s.countAcks()
			r.ready(t, false, "disk of the inbox") // full, or so the last write found, or hardly any space left: a small one may just fit
			if status, _ := r.get("/healthz"); status != 200 {
				t.Errorf("healthz: %d", status)
			}
			disk.room(t, d.dir, ballast)
			<-s.after(500, false)
			s.drain()
			r.ready(t, true, "ready")
			r.terminate()
			r.logged(t, "the disk of the inbox is full")
			found := auditInbox(t, d.box, s.list)
			fmt.Printf("chaos %s: acked before the disk was full %d, asked to retry %d, acked in all %d, %s\n", t.Name(), before, s.refused, s.countAcks(), found)
			found.hold(t)
		})
	}
}

// ready holds what /readyz says.
func (r *receiver) ready(t *testing.T, want bool, says string) {
	t.Helper()
	status, text := r.get("/readyz")
	if (status == 200) != want || !strings.Contains(text, says) {
		t.Errorf("readyz: %d %s", status, text)
	}
}

// logged wants a text in the log of a receiver that has stopped.
func (r *receiver) logged(t *testing.T, text string) {
	t.Helper()
	if !strings.Contains(r.log.String(), text) {
		t.Errorf("the log does not say %q:\n%s", text, r.log)
	}
}

// inject lets system calls of a process fail from now on, until the function that it returns is called; that one returns
// how many did.
func inject(t *testing.T, pid int, calls, fault string) (end func() int) {
	t.Helper()
	trace := filepath.Join(t.TempDir(), "trace")
	cmd := asRoot(t, "strace", "-f", "-p", strconv.Itoa(pid), "-e", "trace="+calls, "-e", "inject="+calls+":"+fault, "-o", trace)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stderr).ReadString('\n')
	if err != nil || !strings.Contains(line, "attached") {
		_ = cmd.Process.Kill()
		t.Fatalf("strace: %s, %v", line, err)
	}
	var work sync.WaitGroup
	work.Go(func() { _, _ = io.Copy(io.Discard, stderr) })
	return func() int {
		_ = asRoot(t, "kill", "-INT", strconv.Itoa(cmd.Process.Pid)).Run() // it ends with the process that it traces, too
		work.Wait()
		_ = cmd.Wait() // it ends by the signal
		text, err := os.ReadFile(trace)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(text), "(INJECTED)")
	}
}

// TestDiskErrors lets the system calls of the running receiver fail. Nothing is acknowledged that was not stored.
func TestDiskErrors(t *testing.T) {
	t.Parallel()
	bin := build(t, "sluice")
	for _, f := range []struct{ name, calls, fault, seldom, says string }{
		{"sync", "fsync,fdatasync", "error=EIO", ":when=2+3", "disk I/O error"},
		{"write", "pwrite64", "error=EIO", ":when=30+90", "disk I/O error"},
		{"full", "pwrite64", "error=ENOSPC", ":when=30+90", "the disk of the inbox is full"},
	} {
		t.Run(f.name, func(t *testing.T) {
			w := &world{t: t, dir: t.TempDir()}
			seed := w.seed(t, f.name)
			s := newHookSenders(t)
			config, box := filepath.Join(w.dir, "receive.yaml"), filepath.Join(w.dir, "inbox")
			write(t, config, s.config("inbox"))
			r := startReceiver(t, bin, config)
			s.at(r.url)
			s.start(4, seed)
			<-s.after(300, false)
			s.drain()
			r.ready(t, true, "ready")

			end := inject(t, r.cmd.Process.Pid, f.calls, f.fault)
			refused := s.allRefused(t, r.url, w.rng)
			r.ready(t, false, "the inbox takes no requests")
			struck := end()
			r.ready(t, true, "ready")

			// Now and then one fails, under load; then the process is killed in the middle of that.
			s.start(4, seed+1)
			<-s.after(300, false)
			end = inject(t, r.cmd.Process.Pid, f.calls, f.fault+f.seldom)
			<-s.after(100, false)
			_ = r.stop(syscall.SIGKILL)
			s.at("")
			struck += end()
			r.logged(t, f.says)
			r.logged(t, "its sender was asked to send it again")

			r = startReceiver(t, bin, config)
			s.at(r.url)
			<-s.after(300, false)
			s.drain()
			r.terminate()
			found := auditInbox(t, box, s.list)
			fmt.Printf("chaos %s: calls that failed %d, requests sent while all failed %d, none of them acked; asked to retry %d, acked in all %d, %s\n",
				t.Name(), struck, refused, s.refused, s.countAcks(), found)
			found.hold(t)
			if struck < 10 {
				t.Fatalf("only %d calls failed", struck)
			}
		})
	}
}

// allRefused sends new requests over several connections while no write comes through: each must be asked for again.
func (s *hookSenders) allRefused(t *testing.T, url string, rng *rand.Rand) (n int) {
	t.Helper()
	var (
		work    sync.WaitGroup
		refused atomic.Int64
	)
	for range 60 {
		s.mu.Lock()
		k := s.fresh(rng)
		s.mu.Unlock()
		work.Go(func() {
			acked, answered := s.once(k, url)
			if acked || !answered {
				t.Errorf("while the disk fails a request was acknowledged: %v; answered: %v", acked, answered)
				return
			}
			refused.Add(1)
		})
	}
	work.Wait()
	return int(refused.Load())
}
