package airbyte

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/connector"
)

// command runs a command without input.
func command(t testing.TB, d Destination, args ...string) (code int, lines []string, stderr string) {
	t.Helper()
	var out buffer
	var errs bytes.Buffer
	code = Main(t.Context(), args, strings.NewReader(""), &out, &errs, d)
	return code, out.lines(), errs.String()
}

func TestCommandLine(t *testing.T) {
	f := files(t, `{"token":"s3cr3t-token"}`, catalogOf("a"))
	config, catalog := f[1], f[3]
	for _, c := range []struct {
		args string
		code int
		kind string // of the only line; "": none
		says string // on standard error
	}{
		{"spec", 0, "SPEC", ""},
		{"spec --debug", 0, "SPEC", ""},
		{"--debug spec --unknown", 0, "SPEC", ""},
		{"check --config " + config, 0, "CONNECTION_STATUS", ""},
		{"check --config=" + config + " --debug", 0, "CONNECTION_STATUS", ""},
		{"--config " + config + " check", 0, "CONNECTION_STATUS", ""},
		{"--switch check --config " + config, 0, "CONNECTION_STATUS", ""},
		{"discover --other value --config " + config, 0, "DESTINATION_CATALOG", ""},
		{"write --catalog " + catalog + " --config " + config, 0, "", ""},
		{"--catalog=" + catalog + " --state x write --config=" + config, 0, "", ""},
		{"--help", 0, "", "usage:"},
		{"", 2, "", "no command"},
		{"read --config " + config, 2, "", `unknown command "read"`},
		{"check", 2, "", "check needs --config FILE"},
		{"check --config", 2, "", "check needs --config FILE"},
		{"check --config=", 2, "", "check needs --config FILE"},
		{"write --config " + config, 2, "", "write needs --catalog FILE"},
		{"spec check", 2, "", `unexpected argument "check"`},
		{"check --config nowhere.json", 1, "TRACE", ""},
		{"write --config " + config + " --catalog nowhere.json", 1, "TRACE", ""},
	} {
		t.Run(c.args, func(t *testing.T) {
			code, lines, stderr := command(t, destination(nil), strings.Fields(c.args)...)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if c.kind == "" && len(lines) > 0 || c.kind != "" && (len(lines) != 1 || len(of(lines, c.kind)) != 1) {
				t.Errorf("output %q, want one %s", lines, c.kind)
			}
			if (c.says == "") != (stderr == "") || !strings.Contains(stderr, c.says) || c.code == 2 && !strings.Contains(stderr, "usage:") {
				t.Errorf("standard error %q, want %q", stderr, c.says)
			}
		})
	}
}

func TestSpecAndDiscoverLines(t *testing.T) {
	_, lines, _ := command(t, destination(nil), "spec")
	var got, want any
	var m struct{ Spec json.RawMessage }
	if json.Unmarshal([]byte(lines[0]), &m) != nil || json.Unmarshal(m.Spec, &got) != nil || json.Unmarshal([]byte(spec), &want) != nil ||
		fmt.Sprint(got) != fmt.Sprint(want) || !strings.Contains(lines[0], "<docs>&more") {
		t.Errorf("got %s", lines[0])
	}
	_, lines, _ = command(t, destination(nil), append([]string{"discover"}, files(t, "{}", "")[:2]...)...)
	equal(t, "line", lines, []string{`{"type":"DESTINATION_CATALOG","destination_catalog":{"operations":[{"object_name":"contact","sync_mode":"append_dedup","matching_keys":[["email"],["phone"]],"json_schema":{"type":"object","properties":{}}}]}}`})
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name, config string
		err          error
		code         int
		says         []string
	}{
		{"good", "{}", nil, 0, []string{`"SUCCEEDED"`}},
		{"wrong secret", "{}", connector.Configf("Set token anew", "the CRM refuses the token"), 0, []string{`"FAILED"`, "the CRM refuses the token. Set token anew"}},
		{"no network", "{}", connector.Transientf("Check the address", "no connection"), 0, []string{`"FAILED"`, "no connection. Check the address"}},
		{"slow down", "{}", &connector.Error{Kind: connector.KindThrottled, What: "busy"}, 0, []string{`"FAILED"`, "busy"}},
		{"defect", "{}", connector.Internalf("Report it", "impossible"), 1, []string{`"TRACE"`, "system_error", "impossible. Report it"}},
		{"plain error", "{}", errors.New("odd"), 1, []string{`"TRACE"`, "system_error", `"internal_message":"odd"`}},
		{"not JSON", "{", nil, 0, []string{`"FAILED"`, "not a JSON object", "broken at byte"}},
		{"a list", "[]", nil, 0, []string{`"FAILED"`, "not a JSON object"}},
		{"null", "null", nil, 0, []string{`"FAILED"`, "not a JSON object"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := destination(nil)
			d.Check = func(context.Context, []byte) error { return c.err }
			code, lines, _ := command(t, d, "check", "--config", files(t, c.config, "")[1])
			if code != c.code || len(lines) != 1 {
				t.Fatalf("exit code %d, output %q", code, lines)
			}
			for _, s := range c.says {
				if !strings.Contains(lines[0], s) {
					t.Errorf("%s does not say %q", lines[0], s)
				}
			}
		})
	}
}

func TestErrorsOfWrite(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		says []string
	}{
		{"config", connector.Configf("Mend it", "wrong: %w", errors.New("cause")), []string{`"failure_type":"config_error"`, `"message":"wrong: cause. Mend it"`}},
		{"wrapped", fmt.Errorf("run: %w", connector.Transientf("Try again", "down")), []string{`"failure_type":"transient_error"`, `"message":"down. Try again"`, `"internal_message":"run: down`}},
		{"throttled", &connector.Error{Kind: connector.KindThrottled, What: "busy"}, []string{`"failure_type":"transient_error"`}},
		{"internal", errors.New("nil map"), []string{`"failure_type":"system_error"`, `"message":"An unexpected error`, `"internal_message":"nil map"`}},
		{"deadline", context.DeadlineExceeded, []string{`"failure_type":"transient_error"`, "Run the sync again"}},
		{"nothing, and the input unread", nil, []string{`"failure_type":"system_error"`, "ended too early"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := destination(nil)
			d.Write = func(context.Context, []byte, connector.Reader, *slog.Logger) error { return c.err }
			code, lines := write(t, d, catalogOf("a"), "")
			if code != 1 || len(lines) != 1 || len(of(lines, "TRACE")) != 1 {
				t.Fatalf("exit code %d, output %q", code, lines)
			}
			for _, s := range c.says {
				if !strings.Contains(lines[0], s) {
					t.Errorf("%s does not say %q", lines[0], s)
				}
			}
		})
	}
	d := destination(nil)
	d.Write = func(context.Context, []byte, connector.Reader, *slog.Logger) error { panic("boom s3cr3t-token") }
	code, lines := write(t, d, catalogOf("a"), "")
	if code != 1 || len(lines) != 1 || !strings.Contains(lines[0], "boom [REDACTED]") || !strings.Contains(lines[0], `"stack_trace":"goroutine`) {
		t.Errorf("a panic: exit code %d, output %q", code, lines)
	}
}

// TestUnfinishedRunIsNoSuccess: a run that says it is done but left something unsettled must not look like success.
func TestUnfinishedRunIsNoSuccess(t *testing.T) {
	d := destination(nil)
	d.Write = func(ctx context.Context, _ []byte, in connector.Reader, _ *slog.Logger) error {
		if err := in.Open(ctx, nil); err != nil {
			return err
		}
		for {
			b, err := in.Read(ctx)
			if err != nil {
				return in.Close() // never acknowledged
			}
			b.Rows.Release()
		}
	}
	input := `{"type":"RECORD","record":{"stream":"a","data":{"n":1},"emitted_at":1}}` + "\n" +
		`{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"a"}},"id":1}}`
	code, lines := write(t, d, catalogOf("a"), input)
	if code != 1 || len(of(lines, "STATE")) != 0 || len(of(lines, "TRACE")) != 1 {
		t.Errorf("exit code %d, output %q", code, lines)
	}
}

func TestCatalogs(t *testing.T) {
	stream := func(more string) string { return `{"streams":[{"stream":{"name":"a"},` + more + `}]}` }
	for _, c := range []struct {
		name, catalog string
		code          int
		kind, says    string
	}{
		{"all nulls", `{"streams":[{"stream":{"name":"a","namespace":null,"json_schema":null},"sync_mode":null,"destination_sync_mode":null,"minimum_generation_id":null}]}`, 0, "", ""},
		{"first generation", stream(`"destination_sync_mode":"append","minimum_generation_id":0`), 0, "", ""},
		{"overwrite", stream(`"destination_sync_mode":"overwrite"`), 0, "LOG", "nothing is deleted"},
		{"refresh", stream(`"destination_sync_mode":"append_dedup","generation_id":1,"minimum_generation_id":1`), 0, "LOG", "nothing is deleted"},
		{"upper case", stream(`"destination_sync_mode":"APPEND_DEDUP"`), 0, "", ""},
		{"update", stream(`"destination_sync_mode":"update"`), 1, "TRACE", "stream a asks for the sync mode update"},
		{"soft delete", stream(`"destination_sync_mode":"soft_delete"`), 1, "TRACE", "config_error"},
		{"no JSON", `{`, 1, "TRACE", "k.json is not JSON: broken at byte 1"},
		{"blank", ``, 1, "TRACE", "k.json is not JSON"},
		{"null", `null`, 1, "TRACE", "k.json is no JSON object but null"},
		{"a list", `[]`, 1, "TRACE", "k.json is no JSON object but a list"},
		{"a text", `"streams"`, 1, "TRACE", "k.json is no JSON object but a text"},
		{"without streams", `{}`, 1, "TRACE", "k.json has no `streams`"},
		{"null streams", `{"streams":null}`, 1, "TRACE", "k.json has no `streams`"},
		{"no stream", `{"streams":[]}`, 1, "TRACE", "k.json has no stream in its `streams`. Choose at least one"},
		{"streams by name", `{"streams":{"a":{}}}`, 1, "TRACE", "k.json has `streams` that are no list but an object"},
		{"stream of another kind", `{"streams":["a"]}`, 1, "TRACE", "k.json cannot be read: `streams` holds a string"},
		{"name of another kind", `{"streams":[{"stream":{"name":1}}]}`, 1, "TRACE", "`streams.stream.name` holds a number"},
		{"no name", `{"streams":[{"stream":{}}]}`, 1, "TRACE", "k.json has no name for stream 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, lines := write(t, destination(nil), c.catalog, "")
			if code != c.code || len(of(lines, "TRACE")) != c.code {
				t.Fatalf("exit code %d, output %q", code, lines)
			}
			if c.code != 0 && !strings.Contains(lines[0], "config_error") {
				t.Errorf("a mistake in the catalog is for a person to mend: %q", lines)
			}
			if c.kind == "" && len(lines) > 0 || c.kind != "" && (len(lines) != 1 || !strings.Contains(of(lines, c.kind)[0], c.says)) {
				t.Errorf("output %q", lines)
			}
		})
	}
}

// TestCountsOfStates: a state that counts otherwise than what came since the last one of its stream is told, once a stream,
// with both figures; it leaves all the same.
func TestCountsOfStates(t *testing.T) {
	record := func(stream string) string {
		return `{"type":"RECORD","record":{"stream":"` + stream + `","data":{"n":1},"emitted_at":1}}` + "\n"
	}
	state := func(stream, stats string) string {
		return `{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"` + stream + `"}}` + stats + `}}` + "\n"
	}
	global := func(n string) string {
		return `{"type":"STATE","state":{"type":"GLOBAL","global":{},"sourceStats":{"recordCount":` + n + `}}}` + "\n"
	}
	says := func(n string) string { return `,"sourceStats":{"recordCount":` + n + `}` }
	for _, c := range []struct {
		name, input string
		states      int
		warns       []string
	}{
		{"equal", record("a") + record("b") + record("a") + state("a", says("2.0")) + record("a") + state("a", says("1")) + state("b", says("1.0")) + state("b", says("0")), 4, nil},
		{"silent", record("a") + state("a", "") + state("a", says("null")) + state("a", says(`"7"`)) + state("a", says("1e400")) + state("a", `,"sourceStats":null`), 5, nil},
		{"lost, told once", record("a") + state("a", says("3.0")) + state("a", says("5.0")) + record("b") + state("b", says("0.0")), 3,
			[]string{"stream=a source_says=3 came=1", "stream=b source_says=0 came=1"}},
		{"since a state that does not count", record("a") + record("a") + state("a", "") + record("a") + state("a", says("1.0")), 2, nil},
		{"several streams", record("a") + record("b") + global("2.0") + record("b") + global("2.0"), 2, []string{"stream=all source_says=2 came=1"}},
	} {
		code, lines := write(t, destination(nil), catalogOf("a", "b"), c.input)
		warns := of(lines, "LOG")
		if code != 0 || len(of(lines, "STATE")) != c.states || len(warns) != len(c.warns) {
			t.Errorf("%s: exit code %d, %q", c.name, code, lines)
			continue
		}
		for i, want := range c.warns {
			if !strings.Contains(warns[i], `"level":"WARN"`) || !strings.Contains(warns[i], want) {
				t.Errorf("%s: got %s, want %s in it", c.name, warns[i], want)
			}
		}
	}
}

// TestUnusableSchema: the rows come all the same, and the fields that the mapping reads are columns.
func TestUnusableSchema(t *testing.T) {
	for _, schema := range []string{`null`, `{}`, `{"type":"object","additionalProperties":true}`, `"text"`, `{"type":"array"}`} {
		s := &sink{}
		d := destination(s)
		var columns []string
		d.Fields = func([]byte) (func(string) []string, error) {
			return func(stream string) []string {
				columns = append(columns, stream)
				return []string{"email", "_ab_cdc_deleted_at"}
			}, nil
		}
		input := `{"type":"RECORD","record":{"stream":"a","data":{"email":[1],"x":1,"_airbyte_meta":1},"emitted_at":1}}`
		code, _ := write(t, d, `{"streams":[{"stream":{"name":"a","json_schema":`+schema+`}}]}`, input)
		equal(t, schema+" row", s.rows, []string{`a {"email":[1],"x":1}`})
		if code != 0 || len(columns) != 1 || columns[0] != "a" {
			t.Errorf("%s: exit code %d, asked for the fields of %q", schema, code, columns)
		}
	}
}

func TestNamespaces(t *testing.T) {
	catalog := `{"streams":[{"stream":{"name":"a","namespace":"one"}},{"stream":{"name":"a","namespace":"two"}},{"stream":{"name":"b","namespace":"one"}}]}`
	record := func(ns, name string) string {
		return `{"type":"RECORD","record":{` + ns + `"stream":"` + name + `","data":{"x":1},"emitted_at":1}}` + "\n"
	}
	s := &sink{}
	if code, lines := write(t, destination(s), catalog, record(`"namespace":"two",`, "a")+record("", "b")+record(`"namespace":"",`, "b")+record(`"namespace":null,`, "b")); code != 0 || len(s.rows) != 4 {
		t.Errorf("exit code %d, rows %q, output %q", code, s.rows, lines)
	}
	if code, lines := write(t, destination(s), catalog, record("", "a")); code != 1 || !strings.Contains(lines[0], `stream \"a\"`) {
		t.Errorf("an ambiguous stream: exit code %d, output %q", code, lines)
	}
}

func TestSocketsAreRefused(t *testing.T) {
	t.Setenv("DATA_CHANNEL_MEDIUM", "SOCKET")
	code, lines := write(t, destination(nil), catalogOf("a"), "")
	if code != 1 || !strings.Contains(lines[0], "config_error") || !strings.Contains(lines[0], "STDIO") {
		t.Errorf("exit code %d, output %q", code, lines)
	}
}

func TestSecretsNeverLeave(t *testing.T) {
	const config = `{"region":"eu-west","token":"to\"k&en+1","vendor":{"kind":"a","key":"key-abcd"},"tokens":["tok-one","tok-one-longer","ends-with\"","李-secret"],"short":"x"}`
	d := destination(nil)
	d.Secrets = func([]byte) []string { return []string{"from-elsewhere"} }
	text := `eu-west to"k&en+1 to%22k%26en%2B1 to\"k&en+1 key-abcd tok-one tok-one-longer from-elsewhere to\"k\u0026en+1 ends-with" ends-with\" 李-secret \u674e-secret`
	d.Write = func(_ context.Context, _ []byte, _ connector.Reader, log *slog.Logger) error {
		log.With("with", text).WithGroup("g").Warn(text, "attr", text, slog.Group("h", "in", text), "secret", connector.NewSecret("hidden"))
		return connector.Configf(text, "%s", text)
	}
	d.Check = func(context.Context, []byte) error { return connector.Configf("", "%s", text) }
	f := files(t, config, catalogOf("a"))
	_, wrote, _ := command(t, d, append([]string{"write"}, f...)...)
	_, checked, _ := command(t, d, "check", "--config", f[1])
	lines := append(wrote, checked...)
	if len(lines) != 3 {
		t.Fatalf("output %q", lines)
	}
	for _, line := range lines {
		for _, secret := range []string{"k&en", "k%26en", "u0026en", "ends-with", "-secret", "key-abcd", "tok-one", "longer", "from-elsewhere", "hidden"} {
			if strings.Contains(line, secret) {
				t.Errorf("%q leaves in %s", secret, line)
			}
		}
		if !strings.Contains(line, "eu-west") || !strings.Contains(line, "[REDACTED]") || !json.Valid([]byte(line)) {
			t.Errorf("got %s", line)
		}
	}
	if !strings.Contains(lines[0], " with=") || !strings.Contains(lines[0], " g.attr=") || !strings.Contains(lines[0], " g.h.in=") {
		t.Errorf("attributes are missing: %s", lines[0])
	}
}

func TestLogLevels(t *testing.T) {
	d := destination(nil)
	d.Write = func(_ context.Context, _ []byte, _ connector.Reader, log *slog.Logger) error {
		log.Debug("d")
		log.Info("i \xff")
		log.Error("e")
		return connector.Configf("", "x")
	}
	for env, want := range map[string][]string{"": {"INFO", "ERROR"}, "DEBUG": {"DEBUG", "INFO", "ERROR"}} {
		if err := os.Unsetenv("LOG_LEVEL"); err != nil {
			t.Fatal(err)
		}
		t.Setenv("LOG_LEVEL", env)
		_, lines := write(t, d, catalogOf("a"), "")
		for i, l := range of(lines, "LOG") {
			if i >= len(want) || !strings.Contains(l, `"level":"`+want[i]+`"`) || !json.Valid([]byte(l)) {
				t.Errorf("LOG_LEVEL=%s, line %d: %s", env, i, l)
			}
		}
	}
}
