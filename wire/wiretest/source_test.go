package wiretest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// modelSource emits 25 records of the stream a with a state after each ten, and three of b, which has no cursor.
func modelSource(defect string) SourceHarness {
	syncs := 0
	return SourceHarness{Streams: []string{"a", "b"}, Read: func(state []byte) ([]string, int) {
		syncs++
		var file []struct {
			Stream struct {
				Descriptor struct{ Name string } `json:"stream_descriptor"`
				State      struct{ N int }       `json:"stream_state"`
			}
		}
		_ = json.Unmarshal(state, &file)
		from := 0
		for _, m := range file {
			if m.Stream.Descriptor.Name == "a" {
				from = m.Stream.State.N
			}
		}
		if defect == "lost at a resume" && from%25 > 0 {
			from++
		}
		if defect == "begins anew" && from < 25 {
			from = 0
		}
		if defect == "differs" && syncs%2 == 0 {
			from++
		}
		return append(modelA(from, defect), modelB()...), 0
	}}
}

func sourceStatus(stream, status string) string {
	return fmt.Sprintf(`{"type":"TRACE","trace":{"type":"STREAM_STATUS","emitted_at":1,"stream_status":{"stream_descriptor":{"name":%q},"status":%q}}}`, stream, status)
}

func sourceRecord(stream string, n int) string {
	return fmt.Sprintf(`{"type":"RECORD","record":{"stream":%q,"data":{"n":%d},"emitted_at":1}}`, stream, n)
}

func sourceState(stream, state string, count int) string {
	return fmt.Sprintf(`{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":%q},"stream_state":%s},"sourceStats":{"recordCount":%d.0}}}`, stream, state, count)
}

func modelA(from int, defect string) []string {
	lines := []string{sourceStatus("a", "STARTED"), sourceStatus("a", "RUNNING")}
	since := 0
	for n := from + 1; n <= 25; n++ {
		lines = append(lines, sourceRecord("a", n))
		if since++; n%10 == 0 && n < 25 {
			lines = append(lines, sourceState("a", fmt.Sprintf(`{"n":%d}`, n), since))
			since = 0
		}
	}
	lines = append(lines, sourceState("a", `{"n":25}`, since), sourceStatus("a", "COMPLETE"))
	swap := func(at int) { lines[at], lines[at+1] = lines[at+1], lines[at] }
	at := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, `"STATE"`) })
	switch defect {
	case "state early":
		swap(at - 1)
	case "state late":
		swap(at)
	case "state repeated":
		lines = slices.Insert(lines, at+1, sourceState("a", `{"n":10}`, 0))
	case "count kept on":
		lines[at] = strings.Replace(lines[at], `10.0`, `11.0`, 1)
	case "count without a point":
		lines[at] = strings.Replace(lines[at], `10.0`, `10`, 1)
	case "last state left out":
		lines = slices.Delete(lines, len(lines)-2, len(lines)-1)
	case "runs unsaid":
		lines = slices.Delete(lines, 1, 2)
	case "complete unsaid":
		lines = lines[:len(lines)-1]
	case "record behind complete":
		lines = append(lines, sourceRecord("a", 26))
	case "empty state":
		lines[at] = strings.Replace(lines[at], `{"n":10}`, `{}`, 1)
	case "legacy state":
		lines[at] = strings.Replace(lines[at], `"STREAM",`, `"LEGACY",`, 1)
	case "empty record":
		lines[at-1] = strings.Replace(lines[at-1], `{"n":10}`, `{}`, 1)
	case "print":
		lines = append(lines, "done.")
	case "another stream":
		lines = slices.Insert(lines, 2, sourceRecord("c", 1))
	}
	return lines
}

func modelB() []string {
	return []string{sourceStatus("b", "STARTED"), sourceStatus("b", "RUNNING"), sourceRecord("b", 1), sourceRecord("b", 2), sourceRecord("b", 3),
		sourceState("b", `{"__ab_full_refresh_sync_complete":true}`, 3), sourceStatus("b", "COMPLETE")}
}

func TestSourceDefectsAreCaught(t *testing.T) {
	if err := checkSource(modelSource("")); err != nil {
		t.Fatal(err)
	}
	for _, defect := range []string{"state early", "state late", "state repeated", "count kept on", "count without a point", "last state left out", "runs unsaid", "complete unsaid",
		"record behind complete", "empty state", "legacy state", "empty record", "print", "another stream", "lost at a resume", "begins anew", "differs"} {
		if err := checkSource(modelSource(defect)); err == nil {
			t.Errorf("%s: not caught", defect)
		}
	}
}
