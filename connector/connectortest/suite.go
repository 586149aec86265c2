package connectortest

import (
	"fmt"
	"testing"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// Service is a vendor's sandbox service whose contents can be compared.
type Service interface {
	sandbox.Service
	// Contents returns one line per stored record, sorted, without what depends on time or on the order of records: equal
	// contents mean equal state.
	Contents() []string
}

// Sandbox is what the suite needs to reach a vendor's sandbox.
type Sandbox struct {
	// New returns an empty service.
	New func() Service
	// Config holds configuration values by field name that work with the service. Base addresses may be left out: the
	// suite serves every host.
	Config map[string]any
	// Contact overrides values of the canonical contact that the vendor checks against lists of its own, by canonical
	// column: the custom fields it knows, an agent that exists, a stage. A nil value leaves the column out.
	Contact map[string]any
}

// check is one part of the contract.
type check struct {
	name string
	run  func(b *bench)
}

// checks are run in this order; the first ones explain failures of the later.
var checks = []check{
	{"table", checkTable},
	{"validate", checkValidate},
	{"texts", checkTexts},
	{"preset", checkPreset},
	{"accepted", checkAccepted},
	{"fields", checkFieldsArrive},
	{"limits", checkLimits},
	{"nature", checkNature},
	{"whole", checkWhole},
	{"keys", checkKeys},
	{"purity", checkPurity},
	{"concurrency", checkConcurrency},
	{"refusals", checkRefusals},
	{"answers", checkAnswers},
	{"garbage", checkGarbage},
	{"signing", checkSigning},
	{"polls", checkPolls},
	{"secrets", checkSecrets},
	{"probe", checkProbe},
	{"delivery", checkDelivery},
}

// Run holds the vendor to the contract, one subtest per part.
func Run(t *testing.T, v connector.Vendor, sb Sandbox) {
	t.Helper()
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) { runCheck(t, t, c, v, sb) })
	}
}

// reporter is the part of testing.TB that checks report to.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
}

// stopped is panicked with to leave a check early; testing.TB's FailNow would end the goroutine, which neither a
// recording reporter nor a synctest bubble can do without.
type stopped struct{}

// runCheck runs one check. t is the test that hosts it, report where its findings go.
func runCheck(t *testing.T, report reporter, c check, v connector.Vendor, sb Sandbox) {
	t.Helper()
	b := &bench{t: t, report: report, vendor: v, sandbox: sb}
	defer b.recoverStop()
	b.open()
	c.run(b)
	b.close()
}

func (b *bench) errorf(format string, args ...any) {
	b.report.Helper()
	b.report.Errorf(b.vendor.Name+": "+format, args...)
}

// fatalf reports and leaves the check.
func (b *bench) fatalf(format string, args ...any) {
	b.report.Helper()
	b.errorf(format, args...)
	panic(stopped{})
}

// must leaves the check if err is not nil.
func (b *bench) must(err error, format string, args ...any) {
	b.report.Helper()
	if err != nil {
		b.fatalf("%s: %v", fmt.Sprintf(format, args...), err)
	}
}

func (b *bench) recoverStop() {
	if r := recover(); r != nil {
		if _, ok := r.(stopped); !ok {
			panic(r)
		}
	}
}
