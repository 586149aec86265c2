//go:build e2e

package airbyte

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// A process of this test binary that finds defectEnv set stands between the platform and the real destination and
// spoils what passes.
const (
	defectEnv = "SLUICE_E2E_DEFECT"
	realEnv   = "SLUICE_E2E_DESTINATION"
)

// defect spoils input and output line by line; nil leaves them as they are. An empty result removes the line.
type defect struct {
	in, out func(line string, n int) string // n counts the lines of that kind that concern it, from 1
	exit    int
	want    string // what the platform must find
}

var (
	idMember    = regexp.MustCompile(`"id":(\d+)`)
	statsMember = regexp.MustCompile(`"destinationStats":\{[^}]*\}`)
	count       = regexp.MustCompile(`"recordCount":(\d+)\.0`)
)

// onState changes STATE lines only.
func onState(change func(line string, n int) string) func(string, int) string {
	states := 0
	return func(line string, _ int) string {
		if !strings.Contains(line, `"type":"STATE"`) {
			return line
		}
		states++
		return change(line, states)
	}
}

// always changes every state by a text replacement.
func always(old, with string) func(string, int) string {
	return onState(func(line string, _ int) string { return strings.ReplaceAll(line, old, with) })
}

func defects() map[string]defect {
	var held string
	return map[string]defect{
		"row dropped": {in: func(line string, n int) string {
			if n == 5 {
				return ""
			}
			return line
		}, want: "delivered and"},
		"state lost": {out: onState(func(line string, n int) string {
			if n == 3 {
				return ""
			}
			return line
		}), want: "came, want"},
		"states swapped": {out: onState(func(line string, n int) string {
			switch n {
			case 2:
				held = line
				return ""
			case 3:
				return line + "\n" + held
			}
			return line
		}), want: "came, want"},
		"state repeated":  {out: onState(func(line string, n int) string { return line + "\n" + line }), want: "repeated id"},
		"id lost":         {out: onState(func(line string, _ int) string { return idMember.ReplaceAllString(line, `"ident":$1`) }), want: "unknown or repeated id"},
		"id as text":      {out: onState(func(line string, _ int) string { return idMember.ReplaceAllString(line, `"id":"$1"`) }), want: "unknown or repeated id"},
		"member lost":     {out: always(`"x_unknown"`, `"x_other"`), want: "was changed"},
		"number rounded":  {out: always("9007199254740993", "9007199254740992"), want: "was changed"},
		"null dropped":    {out: always(`null,`, ``), want: "was changed"},
		"stats missing":   {out: onState(func(line string, _ int) string { return statsMember.ReplaceAllString(line, `"destinationStats":{}`) }), want: "missing or not decimals"},
		"stats integer":   {out: onState(func(line string, _ int) string { return count.ReplaceAllString(line, `"recordCount":$1`) }), want: "not decimals"},
		"rejects as done": {out: always(`"rejectedRecordCount":`, `"otherCount":`), want: "not decimals"},
		"text on stdout":  {out: onState(func(line string, _ int) string { return "starting up\n" + line }), want: "not JSON"},
		"secret shown": {out: onState(func(line string, _ int) string {
			return `{"type":"LOG","log":{"level":"INFO","message":"signing with sandbox-secret"}}` + "\n" + line
		}), want: "holds a secret"},
		"echoed record":   {out: onState(func(line string, _ int) string { return `{"type":"RECORD","record":{}}` + "\n" + line }), want: "unexpected message"},
		"failure at exit": {exit: 1, want: "ended with"},
		"acked early":     {in: ackEarly(), out: onState(func(string, int) string { return "" }), want: "is not in the CRM's journal"},
	}
}

// shared is standard output for two goroutines.
type shared struct{ mu sync.Mutex }

func (s *shared) Write(line []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return os.Stdout.Write(line)
}

var stdout shared

// ackEarly answers a state as soon as it is read, with statistics that look right.
func ackEarly() func(string, int) string {
	good, bad := 0, 0
	return func(line string, _ int) string {
		switch {
		case strings.Contains(line, `"type":"RECORD"`) && strings.Contains(line, `"phone"`):
			good++
		case strings.Contains(line, `"type":"RECORD"`):
			bad++
		default:
			stats := fmt.Sprintf(`"destinationStats":{"recordCount":%d.0`, good)
			if bad > 0 {
				stats += fmt.Sprintf(`,"rejectedRecordCount":%d.0`, bad)
			}
			good, bad = 0, 0
			_, _ = io.WriteString(&stdout, strings.Replace(line, `"state":{`, `"state":{`+stats+`},`, 1)+"\n")
		}
		return line
	}
}

// TestPlatformCatches: the platform finds each planted defect, and nothing in a good destination behind the same proxy.
func TestPlatformCatches(t *testing.T) {
	all := defects()
	all["none"] = defect{}
	for name, d := range all {
		t.Run(name, func(t *testing.T) {
			p := newPlatform(t, "GLOBAL", "latency=100ms")
			p.env = []string{defectEnv + "=" + name}
			got := strings.Join(p.run(6, 120), "\n")
			if d.want == "" && got != "" || !strings.Contains(got, d.want) {
				t.Errorf("found %q, want %q", got, d.want)
			}
		})
	}
}

// runDefective is the process between the platform and the real destination.
func runDefective(name string) (int, error) {
	d := defects()[name]
	cmd := exec.Command(os.Getenv(realEnv), os.Args[1:]...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return 1, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 1, err
	}
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	go func() {
		pass(os.Stdin, stdin, d.in)
		_ = stdin.Close()
	}()
	pass(out, &stdout, d.out)
	if err := cmd.Wait(); err != nil {
		return 1, err
	}
	return d.exit, nil
}

func pass(from io.Reader, to io.Writer, change func(string, int) string) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if change != nil {
			line = change(line, n)
		}
		if line == "" {
			continue
		}
		if _, err := io.WriteString(to, line+"\n"); err != nil {
			return
		}
	}
}
