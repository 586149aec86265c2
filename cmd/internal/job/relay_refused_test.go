package job

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sesandbox "github.com/sluicehq/sluice/connector/socialepoch/sandbox"
)

// longMail is an e-mail address that a limit of 20 refuses.
const longMail = "an-address-that-is-long@example.com"

// TestRelayRejectedRow: a row that was rejected is news as a whole when it is read again, after a run that ended well and
// after one that was killed; those of the same batch that landed are not. The relays are silent then.
func TestRelayRejectedRow(t *testing.T) {
	for _, killed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := newPair(t, 1, "", sesandbox.Webhooks{})
			defer p.close()
			p.begin()
			p.back.emails(20)
			p.inNX(relayPeople, fmt.Sprintf(`,"full_name":"Fang","address":"Hotel A","email":%q`, longMail))
			p.inNX(relayPeople+1, `,"full_name":"Wei","email":"wei@example.com"`)
			p.inNX(1, fmt.Sprintf(`,"address":"Hotel B","email":%q`, longMail))
			for range 2 {
				if r := p.back.run(t.Context(), killed); r.Rejected != 2 {
					t.Errorf("%+v", r)
				}
				p.back.pos = nil // as with --from-start
				time.Sleep(time.Minute)
			}
			p.back.emails(200)
			p.back.total.Delivered = 0
			if r := p.back.run(t.Context(), false); r.Rejected != 0 {
				t.Errorf("%+v", r)
			}
			p.settle()
			p.wrote(0, 2)
			p.back.pos = nil
			if n := p.settle(); n != 0 {
				t.Errorf("the relays write again: %d rounds", n)
			}
		})
	}
}

// TestRelayRejectsOnce: a query that reads a rejected contact at each of its walks rejects it once, and once more when
// the contact has changed; then nothing of it is missing on the other side.
func TestRelayRejectsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, 1, "", sesandbox.Webhooks{})
		defer p.close()
		p.begin()
		p.back.emails(20)
		p.back.follow = true
		ctx, stop := context.WithCancel(t.Context())
		var work sync.WaitGroup
		work.Go(func() { p.back.run(ctx, false) })
		for i, change := range []string{fmt.Sprintf(`,"full_name":"Fang","address":"Hotel A","email":%q`, longMail), `,"address":"Hotel B"`} {
			p.inNX(relayPeople, change)
			time.Sleep(3 * time.Hour)
			if n := p.back.rejects.len(); n != i+1 {
				t.Errorf("%d rejects after %d changes", n, i+1)
			}
		}
		p.inNX(relayPeople, `,"email":"f@example.com"`)
		time.Sleep(time.Hour)
		stop()
		work.Wait()
		if text := p.differs(); text != "" {
			t.Error(text)
		}
	})
}

// TestRefusedName: after a name that a CRM refused, other changes are completed with the one that it holds.
func TestRefusedName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, 1, "", sesandbox.Webhooks{})
		defer p.close()
		p.begin()
		p.there.refuses = true
		p.inSE(1, 0, strings.Repeat("n", 300))
		p.drain()
		if r := p.there.run(t.Context(), false); r.Rejected != 1 {
			t.Errorf("%+v", r)
		}
		p.inSE(1, 2, "Hotel A")
		p.drain()
		if r := p.there.run(t.Context(), false); r.Delivered != 1 || p.nxHolds()[number(1)+" full_name"] != "Person 1" {
			t.Errorf("%+v, and NXCloud holds %v", r, p.nxHolds())
		}
	})
}
