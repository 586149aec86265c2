package airbyte

import (
	"io"
	"strings"
	"testing"
)

const pyTail = `"trace":null,"control":null,"destination_catalog":null}`

func TestTranscripts(t *testing.T) {
	for _, c := range []struct {
		name, input  string
		streams      []string
		states, rows []string
	}{
		{
			name: "platform",
			input: `{"type":"RECORD","record":{"stream":"contacts","data":{"email":"a@x.jp","n":9007199254740993},"emitted_at":1790000000000}}
{"type":"RECORD","record":{"stream":"contacts","data":{"email":"bad"},"emitted_at":1790000000001}}
{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"contacts"},"stream_state":{"cursor":"7"}},"sourceStats":{"recordCount":2.0},"id":1}}
`,
			states: []string{`{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"contacts"},"stream_state":{"cursor":"7"}},"sourceStats":{"recordCount":2.0},"id":1,"destinationStats":{"recordCount":1.0,"rejectedRecordCount":1.0}}}`},
			rows:   []string{`contacts {"email":"a@x.jp","n":9007199254740993}`},
		},
		{
			name: "PyAirbyte, explicit nulls, no id",
			input: `{"type":"RECORD","log":null,"spec":null,"connectionStatus":null,"catalog":null,"record":{"namespace":null,"stream":"contacts","data":{"email":null,"n":1,"_airbyte_raw_id":"x","_airbyte_meta":{}},"emitted_at":1754917000,"meta":null,"file_reference":null},"state":null,` + pyTail + `
{"type":"STATE","log":null,"spec":null,"connectionStatus":null,"catalog":null,"record":null,"state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"contacts","namespace":null},"stream_state":{"cursor":"7"}},"global_":null,"data":null,"sourceStats":{"recordCount":1.0,"rejectedRecordCount":null},"destinationStats":null},` + pyTail + `
`,
			states: []string{`{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"contacts","namespace":null},"stream_state":{"cursor":"7"}},"global_":null,"data":null,"sourceStats":{"recordCount":1.0,"rejectedRecordCount":null},"destinationStats":{"recordCount":1.0}}}`},
			rows:   []string{`contacts {"email":null,"n":1}`},
		},
		{
			name: "payload before type, blanks, float time, other messages in between",
			input: ` { "record" : { "emitted_at" : 1754917000.25 , "data" : { "email" : "b" } , "stream" : "contacts" } , "type" : "RECORD" } ` + "\r\n\r\n" + `
{"type":"LOG","log":{"level":"INFO","message":"{"}}
{"type":"CONTROL","control":{}}
{"type":"NEWS","news":[1]}
{"type":"state","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"contacts"},"stream_state":null}}}`,
			states: []string{`{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"contacts"},"stream_state":null},"destinationStats":{"recordCount":1.0}}}`},
			rows:   []string{`contacts {"email":"b"}`},
		},
		{
			name: "unknown members, spellings and numbers of a state stay; old stats are replaced",
			input: `{"type":"STATE","state":{"destinationStats":{"recordCount":99.0},"type":"STREAM","stream":{"stream_descriptor":{"name":"contacts","namespace":""},"stream_state":{"a":1.0,"b":1e400,"c":"<&>é","big":9999999999999999999}},"partition_id":"p","id":7,"future":[null]}}
{"type":"STATE","state":{"id":8,"type":"STREAM","stream":{"stream_descriptor":{"name":"contacts"}},"say":"destinationStats"}}
{"type":"STATE","state":{"id":9,"d\u0065stinationStats":1,"stream":{"stream_descriptor":{"name":"contacts"}}}}
{"type":"STATE","state":{ }}
`,
			states: []string{
				`{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"contacts","namespace":""},"stream_state":{"a":1.0,"b":1e400,"c":"<&>é","big":9999999999999999999}},"partition_id":"p","id":7,"future":[null],"destinationStats":{"recordCount":0.0}}}`,
				`{"type":"STATE","state":{"id":8,"type":"STREAM","stream":{"stream_descriptor":{"name":"contacts"}},"say":"destinationStats","destinationStats":{"recordCount":0.0}}}`,
				`{"type":"STATE","state":{"id":9,"stream":{"stream_descriptor":{"name":"contacts"}},"destinationStats":{"recordCount":0.0}}}`,
				`{"type":"STATE","state":{ "destinationStats":{"recordCount":0.0}}}`,
			},
		},
		{
			name:    "GLOBAL counts all streams",
			streams: []string{"a", "b"},
			input: `{"type":"RECORD","record":{"stream":"a","data":{"n":1},"emitted_at":1}}
{"type":"RECORD","record":{"stream":"b","data":{"n":2},"emitted_at":1}}
{"type":"RECORD","record":{"stream":"b","data":{"email":"bad"},"emitted_at":1}}
{"type":"STATE","state":{"type":"GLOBAL","global":{"shared_state":{},"stream_states":[{"stream_descriptor":{"name":"a"}}]},"id":1}}
{"type":"STATE","state":{"type":"GLOBAL","global":{"stream_states":[]},"id":2}}
`,
			states: []string{
				`{"type":"STATE","state":{"type":"GLOBAL","global":{"shared_state":{},"stream_states":[{"stream_descriptor":{"name":"a"}}]},"id":1,"destinationStats":{"recordCount":2.0,"rejectedRecordCount":1.0}}}`,
				`{"type":"STATE","state":{"type":"GLOBAL","global":{"stream_states":[]},"id":2,"destinationStats":{"recordCount":0.0}}}`,
			},
			rows: []string{`a {"n":1}`, `b {"n":2}`},
		},
		{
			name: "deleted rows are data, and unread ones keep their place",
			input: `{"type":"RECORD","record":{"stream":"contacts","data":{"n":1,"_ab_cdc_deleted_at":"2026-01-01"},"emitted_at":1}}
{"type":"RECORD","record":{"stream":"contacts","data":{"n":"many"},"emitted_at":1}}
{"type":"RECORD","record":{"stream":"contacts","data":{"email":"` + "\xff" + `"},"emitted_at":1}}
{"type":"RECORD","record":{"stream":"contacts","data":null,"emitted_at":1}}
{"type":"RECORD","record":{"stream":"contacts","emitted_at":1}}
{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"contacts"}},"id":1}}
`,
			states: []string{`{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"contacts"}},"id":1,"destinationStats":{"recordCount":1.0,"rejectedRecordCount":4.0}}}`},
			rows:   []string{`contacts {"n":1,"_ab_cdc_deleted_at":"2026-01-01"}`, "contacts bad_type", "contacts bad_utf8", "contacts bad_json", "contacts bad_json"},
		},
		{name: "nothing at all"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.streams == nil {
				c.streams = []string{"contacts"}
			}
			s := &sink{}
			code, lines := write(t, destination(s), catalogOf(c.streams...), c.input)
			if code != 0 {
				t.Errorf("exit code %d: %s", code, lines)
			}
			equal(t, "state", of(lines, "STATE"), c.states)
			equal(t, "row", s.rows, c.rows)
			if len(lines) != len(c.states) {
				t.Errorf("other lines too: %s", lines)
			}
		})
	}
}

// TestEndOfInput: which ends of the input count as complete.
func TestEndOfInput(t *testing.T) {
	status := func(stream, status string) string {
		return `{"type":"TRACE","trace":{"type":"STREAM_STATUS","emitted_at":1,"stream_status":{"stream_descriptor":{"name":"` + stream + `"},"status":"` + status + `"}}}` + "\n"
	}
	for _, c := range []struct {
		name, input string
		want        error
	}{
		{"no status", "", io.EOF},
		{"all complete", status("a", "STARTED") + status("a", "COMPLETE") + status("b", "complete"), io.EOF},
		{"one incomplete", status("a", "COMPLETE") + status("b", "INCOMPLETE"), io.ErrUnexpectedEOF},
		{"one still running", status("a", "RUNNING"), io.ErrUnexpectedEOF},
		{"status of no stream of ours", status("c", "INCOMPLETE"), io.EOF},
		{"other traces", `{"type":"TRACE","trace":{"type":"ERROR","error":{}}}` + "\n" + `{"type":"TRACE","trace":7}`, io.EOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := testReader(t, strings.NewReader(c.input), io.Discard, settings{}, "a", "b")
			for range 2 {
				if _, err := r.Read(t.Context()); err != c.want {
					t.Errorf("got %v, want %v", err, c.want)
				}
			}
		})
	}
}
