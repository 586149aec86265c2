package connectortest_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/connectortest"
	"github.com/sluicehq/sluice/connector/nx"
	nxsandbox "github.com/sluicehq/sluice/connector/nx/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The vendor in which defects are planted: a real one, with its real sandbox.
func goodVendor() (connector.Vendor, connectortest.Sandbox) {
	return nx.NXLink, connectortest.Sandbox{
		New:     func() connectortest.Service { return nxsandbox.New(nxsandbox.Options{}).Link },
		Config:  map[string]any{"access_key": "sandbox-key", "access_secret": secret, "tenant_id": 144, "app_key": "sandbox=app"},
		Contact: map[string]any{"custom": map[string]any{"customize_1_14": "aa"}},
	}
}

// recorder keeps findings instead of failing.
type recorder struct {
	mu       sync.Mutex
	findings []string
}

func (*recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.findings = append(r.findings, fmt.Sprintf(format, args...))
}

// A good vendor passes, or the catches below would mean nothing.
func TestGoodVendorPasses(t *testing.T) {
	v, sb := goodVendor()
	connectortest.Run(t, v, sb)
}

func TestPlantedDefectsAreCaught(t *testing.T) {
	for _, d := range defects {
		t.Run(d.name, func(t *testing.T) {
			v, sb := goodVendor()
			d.plant(&v)
			r := &recorder{}
			connectortest.RunOne(t, r, d.caught, v, sb)
			if !slices.ContainsFunc(r.findings, func(f string) bool { return strings.Contains(f, d.says) }) {
				t.Errorf("check %s does not report %q; it found %d things: %s", d.caught, d.says, len(r.findings), strings.Join(r.findings, "\n"))
			}
		})
	}
}

// Every check must have caught something, or nobody knows that it can.
func TestEveryCheckCatchesSomething(t *testing.T) {
	for _, name := range connectortest.CheckNames() {
		if name == "concurrency" {
			continue // what it is there for is caught by the race detector, which ends the test
		}
		if !slices.ContainsFunc(slices.Concat(defects, pollDefects), func(d defect) bool { return d.caught == name }) {
			t.Errorf("no defect is planted for check %s", name)
		}
	}
}

func TestSource(t *testing.T) {
	for _, tc := range []struct{ name, src, want string }{
		{"clean", "package p\nimport (\"net/http\"; \"time\")\nvar _ http.Header\nconst wait = time.Second\nfunc f(r *http.Response) int { return http.StatusOK }", ""},
		{"now", "package p\nimport \"time\"\nvar t = time.Now()", "time.Now"},
		{"renamed", "package p\nimport clock \"time\"\nfunc f() { clock.Sleep(1) }", "time.Sleep"},
		{"as a value", "package p\nimport \"time\"\nvar now = time.Now", "time.Now"},
		{"dot", "package p\nimport . \"time\"\nvar t = Now()", "under the name ."},
		{"client", "package p\nimport \"net/http\"\nvar c http.Client", "http.Client"},
		{"get", "package p\nimport \"net/http\"\nfunc f() { http.Get(\"\") }", "http.Get"},
		{"dial", "package p\nimport \"net\"\nfunc f() { net.Dial(\"\", \"\") }", "net.Dial"},
		{"goroutine", "package p\nfunc f() { go f() }", "goroutine"},
		{"init", "package p\nfunc init() {}", "init"},
		{"os", "package p\nimport \"os\"\nvar home = os.Getenv(\"HOME\")", "must not import os"},
		{"random", "package p\nimport \"math/rand/v2\"\nvar n = rand.Int()", "math/rand/v2"},
		{"own field named time", "package p\ntype x struct{ Now int }\nfunc f(time x) int { return time.Now }", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			faults, err := connectortest.Impurities(tc.name+".go", tc.src)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case tc.want == "" && len(faults) > 0:
				t.Errorf("clean source is refused: %v", faults)
			case tc.want != "" && (len(faults) != 1 || !strings.Contains(faults[0], tc.want)):
				t.Errorf("got %v, want one fault about %s", faults, tc.want)
			}
		})
	}
	connectortest.Source(t, "../nx")
}
