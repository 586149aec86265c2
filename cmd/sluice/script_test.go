package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sluicehq/sluice/cmd/internal/job"
	"github.com/sluicehq/sluice/connector/all"
	"github.com/sluicehq/sluice/connector/all/sandboxes"
	"github.com/sluicehq/sluice/internal/sandbox"
	"github.com/sluicehq/sluice/wire/airbyte"
)

func TestMain(m *testing.M) {
	testscript.Main(unleaked{m}, map[string]func(){
		"sluice": main,
		"destination-sluice": func() {
			ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			os.Exit(airbyte.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, job.Airbyte(all.Vendors)))
		},
	})
}

// TestScripts runs whole programs as users do: command, files, exit code, what is printed.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "../../testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("TMPDIR", env.WorkDir)
			root, err := filepath.Abs("../..")
			env.Setenv("ROOT", root)
			env.Values[worldKey{}] = &scriptWorld{}
			return err
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"sandbox": startSandbox, "sandboxdown": stopSandbox, "pipeline": writePipeline, "stored": stored, "faults": setFaults, "closedport": closedPort, "tlsserver": tlsServer,
			"bigline": bigLine, "code": code, "waitfor": waitFor, "waittext": waitText, "waitstored": waitStored,
			"receiverup": receiverUp, "webhook": sendWebhook, "geturl": fetchURL, "flip": flipByte,
			"posturl": postURL, "waitheld": waitHeld,
		},
	})
}

type worldKey struct{}

// scriptWorld is what one script has running.
type scriptWorld struct {
	server *sandbox.Server
	stop   func() error
}

func worldOf(ts *testscript.TestScript) *scriptWorld { return ts.Value(worldKey{}).(*scriptWorld) }

// waitText waits until a file holds a text.
func waitText(ts *testscript.TestScript, _ bool, args []string) {
	for {
		if text, err := os.ReadFile(ts.MkAbs(args[0])); err == nil && bytes.Contains(text, []byte(args[1])) {
			return
		}
		<-time.After(20 * time.Millisecond)
	}
}

// startSandbox serves all sandboxes until the script ends: `sandbox [faults]` sets $URL.
func startSandbox(ts *testscript.TestScript, _ bool, args []string) {
	var faults sandbox.Faults
	if len(args) > 0 {
		f, err := sandbox.ParseFaults(args[0])
		ts.Check(err)
		faults = f
	}
	services := sandboxes.Services()
	s := sandbox.New(sandbox.Options{Seed: 1, Faults: faults}, services...)
	r, err := s.Start("127.0.0.1:0")
	ts.Check(err)
	for _, service := range services {
		if c, ok := service.(io.Closer); ok { // it sends webhooks
			ts.Defer(func() { _ = c.Close() })
		}
	}
	worldOf(ts).server, worldOf(ts).stop = s, sync.OnceValue(r.Stop)
	ts.Setenv("URL", r.URL)
	ts.Defer(func() { _ = worldOf(ts).stop() })
}

// stopSandbox takes the sandbox off the network; what it holds can still be looked at.
func stopSandbox(ts *testscript.TestScript, _ bool, _ []string) { ts.Check(worldOf(ts).stop()) }

// setFaults changes the sandbox's faults.
func setFaults(ts *testscript.TestScript, _ bool, args []string) {
	f, err := sandbox.ParseFaults(args[0])
	ts.Check(err)
	ts.Check(worldOf(ts).server.SetFaults(f))
}

// writePipeline writes a pipeline file for a vendor's sandbox: `pipeline FILE VENDOR INPUT [more lines]`.
func writePipeline(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: pipeline FILE VENDOR INPUT [LINE…]")
	}
	for _, a := range sandboxes.Accounts() {
		if a.Vendor != args[1] {
			continue
		}
		var b bytes.Buffer
		fmt.Fprintf(&b, "from:\n  file: {path: %s}\nto:\n  %s:\n%s", args[2], a.Vendor, a.YAML("    ", ts.Getenv("URL")))
		for _, line := range args[3:] {
			fmt.Fprintln(&b, line)
		}
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o600))
		return
	}
	ts.Fatalf("no sandbox of %s", args[1])
}

// stored checks how many contacts a vendor's sandbox holds: `stored VENDOR N`.
func stored(ts *testscript.TestScript, _ bool, args []string) {
	if got, want := records(ts, args); got != want {
		ts.Fatalf("%s holds %d contacts, want %d", args[0], got, want)
	}
}

// records returns how many contacts a vendor's sandbox holds, and the number in args.
func records(ts *testscript.TestScript, args []string) (got, want int) {
	text, err := json.Marshal(worldOf(ts).server.State())
	ts.Check(err)
	var state map[string]struct{ Records int }
	ts.Check(json.Unmarshal(text, &state))
	want, err = strconv.Atoi(args[1])
	ts.Check(err)
	return state[args[0]].Records, want
}

// waitStored waits until a vendor's sandbox holds so many contacts. The test's own time limit ends a wait in vain.
func waitStored(ts *testscript.TestScript, _ bool, args []string) {
	for got, want := records(ts, args); got != want; got, want = records(ts, args) {
		<-time.After(20 * time.Millisecond)
	}
}

// waitFor waits until a file is there.
func waitFor(ts *testscript.TestScript, _ bool, args []string) {
	for {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		<-time.After(20 * time.Millisecond)
	}
}

// closedPort sets $URL to a port on which nothing listens.
func closedPort(ts *testscript.TestScript, _ bool, _ []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv("URL", "http://"+ln.Addr().String())
	ts.Check(ln.Close())
}

// tlsServer sets $URL to a server whose certificate no system trusts.
func tlsServer(ts *testscript.TestScript, _ bool, _ []string) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	s.StartTLS()
	ts.Setenv("URL", s.URL)
	ts.Defer(s.Close)
}

// bigLine writes a line of so many MiB: `bigline FILE MIB`.
func bigLine(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	line := append([]byte(`{"remark":"`), bytes.Repeat([]byte("x"), n<<20)...)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), append(line, "\"}\n"...), 0o600))
}

// code runs a program and checks its exit code: `code N PROGRAM ARGS…`. Its output is left for stdout and stderr.
func code(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
