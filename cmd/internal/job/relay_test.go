package job

import (
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	sesandbox "github.com/sluicehq/sluice/connector/socialepoch/sandbox"
)

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// begin gives NXCloud its people and lets the relays bring them over.
func (p *pair) begin() {
	p.t.Helper()
	for i := range relayPeople {
		p.inNX(i, fmt.Sprintf(`,"full_name":"Person %d","email":"p%d@example.com"`, i, i))
	}
	p.settle()
	p.equal()
	if len(p.seHolds()) != 2*relayPeople {
		p.t.Fatalf("SocialEpoch holds %v", p.seHolds())
	}
	p.there.total.Delivered, p.back.total.Delivered = 0, 0
	time.Sleep(24 * time.Hour) // of the bubble's time
}

// wrote holds the relays to the writes that they made since the last call.
func (p *pair) wrote(there, back int64) {
	p.t.Helper()
	p.equal()
	if p.there.total.Delivered != there || p.back.total.Delivered != back {
		p.t.Errorf("%d rows to NXCloud and %d to SocialEpoch, want %d and %d", p.there.total.Delivered, p.back.total.Delivered, there, back)
	}
	p.there.total.Delivered, p.back.total.Delivered = 0, 0
}

// TestRelayOneChange: a change on one side is one write on the other and none back; so is a change back to an earlier
// value, and one to a value that the relay itself once wrote.
func TestRelayOneChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, 1, "", sesandbox.Webhooks{})
		defer p.close()
		p.begin()
		for _, value := range []string{"Li Wei", "Li Na", "Li Wei", "Person 1"} {
			p.inSE(1, 0, value)
			p.settle()
			p.wrote(1, 0)
			time.Sleep(time.Hour)
		}
		for _, value := range []string{"Hotel A", "Hotel B", "Hotel A"} {
			p.inNX(2, fmt.Sprintf(`,"address":%q`, value))
			p.settle()
			p.wrote(0, 1)
			time.Sleep(time.Hour)
		}
		p.inSE(2, 2, "Hotel B") // back to what the relay wrote
		p.settle()
		p.wrote(1, 0)
		p.inNX(2, `,"address":"Hotel A"`)
		p.settle()
		p.wrote(0, 1)
		if p.there.echoes == 0 || p.back.echoes == 0 {
			t.Errorf("%d and %d echoes", p.there.echoes, p.back.echoes)
		}
	})
}
