package events_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/events"
	"github.com/sluicehq/sluice/internal/inbox"
)

// FuzzPosition: a position is read as what it says, judged by another reader, or is a Config error that names no more of
// it than a person can read. Written out again it is read as the same, and what may be handed back for it was passed.
func FuzzPosition(f *testing.F) {
	for _, seed := range []string{`{"seq":0,"v":1}`, `{"seq":65536,"v":1}`, `{"seq":131071,"v":1}`, `{"seq":9223372036854775806,"v":1}`, `{"v":1,"seq":7}`, ` {"seq":7,"v":1} `,
		`{"seq":1e3,"v":1}`, `{"seq":-0,"v":1}`, `{"SEQ":7,"V":1}`, `{"seq":7,"seq":8,"v":1}`, `{"seq":7,"v":1}x`, `{"seq":7,"v":1}]`, `{"seq":7}`, `{"seq":7,"v":1,"inbox":"0000002a"}`, `{"seq":7,"v":1,"inbox":"2A"}`, `{"seq":7,"v":1,"inbox":null}`, `null`, `[]`, "", "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		at, err := events.ParsePosition(connector.Position(text))
		seq := at.Row
		if text == nil {
			text = []byte{}
		}
		if err != nil {
			if connector.KindOf(err) != connector.KindConfig || len(err.Error()) > 2000 {
				t.Errorf("%q: %v", text, err)
			}
			var p struct{ Seq, V *int64 }
			var members map[string]json.RawMessage
			if json.Unmarshal(text, &p) == nil && json.Unmarshal(text, &members) == nil && len(members) == 2 && members["seq"] != nil && members["v"] != nil &&
				p.Seq != nil && p.V != nil && *p.V == 1 && *p.Seq >= 0 && *p.Seq < math.MaxInt64 {
				t.Errorf("%q is a position and was refused: %v", text, err)
			}
			return
		}
		if !json.Valid(text) {
			t.Errorf("%q is no JSON value and was taken as %d", text, seq)
		}
		var p struct{ Seq, V *int64 }
		if err := json.Unmarshal(text, &p); err != nil || p.Seq == nil || *p.Seq != seq || p.V == nil || *p.V != 1 || seq < 0 || seq == math.MaxInt64 {
			t.Errorf("%q was taken as %d", text, seq)
		}
		written := fmt.Appendf(nil, `{"seq":%d,"v":1}`, seq)
		if at.ID != 0 {
			written = fmt.Appendf(nil, `{"seq":%d,"v":1,"inbox":"%s"}`, seq, at.ID)
		}
		again, err := events.ParsePosition(written)
		if err != nil || again != at {
			t.Errorf("%v is read again as %v, %v", at, again, err)
		}
		request, err := events.Consumed(text, at.ID)
		if last := inbox.RowSeq(request, inbox.ItemsPerRequest-1); err != nil || request < 0 || request > 0 && last > seq || inbox.RowSeq(request+1, inbox.ItemsPerRequest-1) <= seq && request < seq>>16 {
			t.Errorf("at %d requests up to %d may go, %v", seq, request, err)
		}
	})
}
