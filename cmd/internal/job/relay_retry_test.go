package job

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	sesandbox "github.com/sluicehq/sluice/connector/socialepoch/sandbox"
	"github.com/sluicehq/sluice/internal/pipeline"
	"github.com/sluicehq/sluice/internal/reject"
)

// keepLetters has the relay's rejects kept in a folder until the function is called.
func (r *relay) keepLetters() (end func()) {
	r.t.Helper()
	d, err := reject.Open(reject.Config{Dir: filepath.Join(r.dir, "rejects"), Explain: r.target.Vendor.Explain})
	if err != nil {
		r.t.Fatal(err)
	}
	r.letters = d
	return func() {
		if err := d.Close(); err != nil {
			r.t.Error(err)
		}
	}
}

// retry sends the rejects again, as `sluice rejects retry` does; file is an edited copy of them, "" none.
func (r *relay) retry(file string) pipeline.Report {
	r.t.Helper()
	gate, err := r.input.RetryGate(r.t.Context(), r.target, file != "")
	if err != nil {
		r.t.Fatal(err)
	}
	reader := reject.NewReader(r.letters, reject.Retry{File: file}, r.target.Mapping.Fields, memory.DefaultAllocator)
	report, _, err := r.target.Run(r.t.Context(), Run{Reader: reader, Rejects: r.letters, Resumed: true, Gate: gate})
	if err != nil {
		r.t.Fatal(err)
	}
	if err := gate.Close(); err != nil {
		r.t.Error(err)
	}
	r.total.Delivered += report.Delivered
	return report
}

// marks counts the rejects by what became of them.
func (r *relay) marks() map[reject.Mark]int {
	r.t.Helper()
	n := map[reject.Mark]int{}
	if _, err := r.letters.Each(reject.Filter{}, func(e reject.Entry) error { n[e.Mark]++; return nil }); err != nil {
		r.t.Fatal(err)
	}
	return n
}

// edited writes a copy of the open rejects in which one text is replaced.
func (r *relay) edited(old, text string) (path string) {
	r.t.Helper()
	var lines bytes.Buffer
	_, err := r.letters.Each(reject.Filter{Open: true}, func(e reject.Entry) error {
		e.Row = bytes.ReplaceAll(e.Row, []byte(old), []byte(text))
		return json.NewEncoder(&lines).Encode(e)
	})
	if err != nil {
		r.t.Fatal(err)
	}
	path = filepath.Join(r.dir, "edited.jsonl")
	writeFile(r.t, path, lines.String())
	return path
}

// TestRelayRetry: what a relay rejected is sent again through its memory. Nothing that was told or written since is
// overwritten, nothing else is missing, and the relays are silent then.
func TestRelayRetry(t *testing.T) {
	for _, c := range []struct {
		name             string
		since            func(p *pair)
		edit, unread     bool // the rows; no relay runs after since
		email            string
		retried, thereTo int64 // rows delivered by the retry, and by the way back after it
		marks            map[reject.Mark]int
	}{
		{name: "nothing since", unread: true, email: longMail, retried: 1, marks: map[reject.Mark]int{reject.MarkLanded: 1}},
		{name: "corrected at the source", email: "new@example.com", marks: map[reject.Mark]int{reject.MarkOvertaken: 1},
			since: func(p *pair) { p.inNX(1, `,"email":"new@example.com"`) }},
		{name: "rejected twice", email: "2" + longMail, retried: 2, marks: map[reject.Mark]int{reject.MarkLanded: 2},
			since: func(p *pair) { p.inNX(1, fmt.Sprintf(`,"address":"Hotel A","email":"2%s"`, longMail)) }},
		{name: "changed on the other side", email: "w@example.com", retried: 1, marks: map[reject.Mark]int{reject.MarkLanded: 1},
			unread: true, since: func(p *pair) {
				p.inSE(1, 1, "w@example.com")
				p.drain()
				p.there.run(p.t.Context(), false)
			}},
		{name: "changed on the other side, and read again", email: "w@example.com", marks: map[reject.Mark]int{reject.MarkOvertaken: 1},
			since: func(p *pair) { p.inSE(1, 1, "w@example.com") }},
		{name: "read again with another mapping", email: longMail, marks: map[reject.Mark]int{reject.MarkOvertaken: 1},
			since: func(p *pair) { p.back.emails(200); p.back.pos = nil }},
		{name: "edited", edit: true, unread: true, email: "short@example.com", retried: 1, thereTo: 1, marks: map[reject.Mark]int{reject.MarkLanded: 1}},
		{name: "edited, but corrected at the source", edit: true, email: "new@example.com", marks: map[reject.Mark]int{reject.MarkOvertaken: 1},
			since: func(p *pair) { p.inNX(1, `,"email":"new@example.com"`) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t, 1, "", sesandbox.Webhooks{})
				defer p.close()
				p.begin()
				p.back.emails(20)
				defer p.back.keepLetters()()
				p.inNX(1, fmt.Sprintf(`,"address":"Hotel A","email":%q`, longMail))
				p.settle()
				if c.since != nil {
					c.since(p)
				}
				if !c.unread {
					p.settle()
				}
				p.back.emails(200)
				file := ""
				if c.edit {
					file = p.back.edited(longMail, "short@example.com")
				}
				if r := p.back.retry(file); r.Delivered != c.retried || r.Rejected != 0 {
					t.Errorf("%+v", r)
				}
				p.there.total.Delivered, p.back.total.Delivered = 0, 0
				time.Sleep(time.Minute)
				p.settle()
				p.wrote(c.thereTo, 0)
				if got := p.nxHolds()[number(1)+" email"]; got != c.email || p.seHolds()[number(1)+" address"] != "Hotel A" {
					t.Errorf("both hold %s, want %s; SocialEpoch %v", got, c.email, p.seHolds())
				}
				if got := p.back.marks(); !maps.Equal(got, c.marks) {
					t.Errorf("marks %v, want %v", got, c.marks)
				}
				p.back.retry("")
				p.wrote(0, 0)
			})
		})
	}
}

// TestRelayIncomplete: a change of a contact whose name the memory does not know is rejected with a reason that says so. Once
// the relay the other way has told the name, a retry passes; the value from before the change does not go over it meanwhile.
func TestRelayIncomplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, 1, "", sesandbox.Webhooks{})
		defer p.close()
		p.begin()
		if err := os.RemoveAll(filepath.Join(p.dir, "memory")); err != nil {
			t.Fatal(err)
		}
		p.there.refuses, p.back.pos = true, nil
		defer p.there.keepLetters()()
		p.inSE(1, 1, "w@example.com")
		p.drain()
		p.there.run(t.Context(), false)
		_, err := p.there.letters.Each(reject.Filter{}, func(e reject.Entry) error {
			if e.Code != connector.CodeIncomplete || e.Field != "full_name" || !strings.Contains(e.Explanation.Fix, "the other way") {
				t.Errorf("%+v %+v", e, e.Explanation)
			}
			return nil
		})
		if n := p.there.marks(); err != nil || n[""] != 1 {
			t.Errorf("%v, %v", n, err)
		}
		p.back.run(t.Context(), false)
		time.Sleep(time.Minute)
		if r := p.there.retry(""); r.Delivered != 1 {
			t.Errorf("%+v", r)
		}
		p.settle()
		if text := p.differs(); text != "" || p.nxHolds()[number(1)+" email"] != "w@example.com" {
			t.Errorf("NXCloud holds %v. %s", p.nxHolds(), text)
		}
	})
}

// TestRelayRetryCompletes: the retry of a change has the columns that the CRM demands, as a run does.
func TestRelayRetryCompletes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, 1, "", sesandbox.Webhooks{})
		defer p.close()
		p.begin()
		p.there.emails(20)
		defer p.there.keepLetters()()
		p.inSE(1, 1, longMail)
		p.settle()
		p.there.emails(200)
		if r := p.there.retry(""); r.Delivered != 1 {
			t.Errorf("%+v", r)
		}
		time.Sleep(time.Minute)
		p.settle()
		p.wrote(1, 0)
	})
}
