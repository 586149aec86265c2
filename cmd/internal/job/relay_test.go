package job

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

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
	if p.differs() != "" || len(p.seHolds()) != 2*relayPeople {
		p.t.Fatalf("SocialEpoch holds %v", p.seHolds())
	}
	p.there.total.Delivered, p.back.total.Delivered = 0, 0
	time.Sleep(24 * time.Hour) // of the bubble's time
}

// wrote holds the relays to the writes that they made since the last call.
func (p *pair) wrote(there, back int64) {
	p.t.Helper()
	if text := p.differs(); text != "" {
		p.t.Error(text)
	}
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

// TestRelaysWithoutMemoryAnswer: without the memory, the same change is written back, which is what the tests here look
// for.
func TestRelaysWithoutMemoryAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, 1, "", sesandbox.Webhooks{})
		defer p.close()
		p.begin()
		p.forgetful = true
		p.inSE(1, 2, "Hotel A")
		p.drain()
		if n := p.there.run(t.Context(), false).Delivered; n != 0 { // it lacks the name that NXCloud demands
			t.Errorf("%d rows were delivered", n)
		}
		p.inNX(1, `,"address":"Hotel B"`)
		if n := p.back.run(t.Context(), false).Delivered; n == 0 {
			t.Error("nothing was delivered")
		}
		p.drain()
		p.inSE(1, 0, "Li Na")
		p.drain()
		there := p.there.run(t.Context(), false).Delivered
		time.Sleep(time.Minute)
		if back := p.back.run(t.Context(), false).Delivered; there == 0 || back == 0 {
			t.Errorf("%d rows went there and %d came back", there, back)
		}
	})
}

// TestRelayConverges: people change the same few contacts on both sides at once, webhooks come late, in another order and
// twice, calls fail, runs are killed with all that they had not settled, and a relay may refuse e-mail addresses for a while
// and then read everything again, or what it rejected. Once people rest, the relays fall silent with both sides equal; and a run wrote at most
// one row for each change.
func TestRelayConverges(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue { // each case syncs two stores to the disk
		if err := flag.Set("rapid.checks", "8"); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = flag.Set("rapid.checks", f.DefValue) }()
	}
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		faults := rapid.SampledFrom([]string{"", "", "drop=10%,5xx-after=5%", "429@1s=10%,5xx=10%,malformed=5%", "latency@10ms..3s=40%"}).Draw(rt, "faults")
		hooks := sesandbox.Webhooks{Shuffle: rapid.Bool().Draw(rt, "shuffle"), Vary: rapid.Bool().Draw(rt, "vary"),
			Repeat: rapid.IntRange(0, 3).Draw(rt, "repeat"), MaxItems: rapid.SampledFrom([]int{0, 1, 3}).Draw(rt, "items")}
		synctest.Test(t, func(t *testing.T) {
			p := newPair(t, seed, faults, hooks)
			defer p.close()
			p.begin()
			var inSE, inNX int64
			refusing := []*relay{nil, nil, p.there, p.back}[rapid.IntRange(0, 3).Draw(rt, "refusing")]
			if refusing != nil {
				refusing.emails(5)
				defer refusing.keepLetters()()
			}
			killed := false
			for range rapid.IntRange(1, 25).Draw(rt, "steps") {
				time.Sleep(time.Duration(rapid.IntRange(1000, 20_000).Draw(rt, "ms")) * time.Millisecond)
				who, field := rapid.IntRange(0, relayPeople-1).Draw(rt, "who"), rapid.IntRange(0, len(relayed)-1).Draw(rt, "field")
				value := fmt.Sprintf("v%d@example.com", rapid.IntRange(0, 2).Draw(rt, "value"))
				switch does := rapid.IntRange(0, 5).Draw(rt, "does"); {
				case does <= 1:
					inSE++
					p.inSE(who, field, value)
				case does <= 3:
					inNX++
					p.inNX(who, fmt.Sprintf(`,%q:%q`, relayed[field].nx, value))
				default:
					r, ctx, cancel := p.there, t.Context(), func() {}
					if rapid.Bool().Draw(rt, "back") {
						r = p.back
					}
					lose := rapid.IntRange(0, 3).Draw(rt, "killed") == 0
					if killed = killed || lose; lose {
						ctx, cancel = context.WithTimeout(ctx, time.Duration(rapid.IntRange(1, 400).Draw(rt, "after"))*time.Millisecond)
					}
					r.run(ctx, lose)
					cancel()
				}
			}
			p.settle()
			if refusing != nil {
				refusing.emails(200)
				if rapid.Bool().Draw(rt, "retry") {
					refusing.retry("")
				} else {
					refusing.pos = nil
				}
				p.settle()
			}
			if text := p.differs(); text != "" {
				rt.Errorf("%d changes in SocialEpoch, %d in NXCloud: %s", inSE, inNX, text)
			}
			if there, back := p.there.total.Delivered, p.back.total.Delivered; faults == "" && !killed && refusing == nil && (there > inSE+inNX || back > inSE+inNX) {
				rt.Errorf("%d changes in SocialEpoch and %d in NXCloud made %d and %d writes", inSE, inNX, there, back)
			}
			rest := p.seHolds()
			time.Sleep(24 * time.Hour)
			if p.settle() != 0 || !maps.Equal(rest, p.seHolds()) {
				rt.Errorf("the relays write again on the next day")
			}
		})
	})
}

// TestRelaysFollow: both relays run at once and without end, while people change things on both sides; then all is equal.
func TestRelaysFollow(t *testing.T) {
	for seed := range uint64(4) {
		synctest.Test(t, func(t *testing.T) {
			p := newPair(t, seed, "drop=5%,5xx-after=5%,latency@10ms..3s=40%", sesandbox.Webhooks{Shuffle: true, Repeat: 2})
			defer p.close()
			p.begin()
			ctx, stop := context.WithCancel(t.Context())
			var relays sync.WaitGroup
			for _, r := range []*relay{p.there, p.back} {
				r.follow = true
				relays.Go(func() { r.run(ctx, false) })
			}
			random := rand.New(rand.NewPCG(seed, 9))
			for range 60 {
				time.Sleep(time.Second + time.Duration(random.IntN(300))*time.Second/10)
				who, field, value := random.IntN(relayPeople), random.IntN(len(relayed)), fmt.Sprintf("v%d@example.com", random.IntN(3))
				if random.IntN(2) == 0 {
					p.inSE(who, field, value)
				} else {
					p.inNX(who, fmt.Sprintf(`,%q:%q`, relayed[field].nx, value))
				}
			}
			time.Sleep(time.Hour) // of the bubble's time
			if text := p.differs(); text != "" {
				t.Errorf("seed %d: %s", seed, text)
			}
			stop()
			relays.Wait()
		})
	}
}
