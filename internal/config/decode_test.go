package config

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/connector"
)

var update = flag.Bool("update", false, "rewrite testdata")

// theSecret stands wherever a fixture holds a secret; no error may show it.
const theSecret = "S3CR3T-canary"

func testEnv(name string) (string, bool) {
	v, ok := map[string]string{"HOST": "crm.example", "PORT": "8080", "TOKEN": theSecret, "EMPTY": "", "ON": "true", "NESTED": "${env:HOST}"}[name]
	return v, ok
}

// load decodes a fixture and its choice, and returns what a reader of the struct sees.
func load(o Options, path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	o.LookupEnv = testEnv
	o.Dir = "testdata/config"
	s := sample{Port: 80, On: true, Mode: "upsert"}
	if err := DecodeWith(o, filepath.Base(path), data, sampleFields, &s); err != nil {
		return "", err
	}
	doc := map[string]any{"config": s, "secret_is": s.Secret.Reveal() == theSecret, "to": s.To.Name, "mapping": string(s.Mapping.Text)}
	delete(doc, "x")
	if s.To.Name == "alpha" {
		var c crm
		if err := s.To.Decode(&c); err != nil {
			return "", err
		}
		doc["alpha"] = map[string]any{"pages": c.Pages, "token_is": c.Token.Reveal() == theSecret}
	}
	out, err := json.MarshalIndent(doc, "", "  ")
	return string(out) + "\n", err
}

// TestGood reads every good fixture and compares with what it must give.
func TestGood(t *testing.T) {
	for _, path := range fixtures(t, "good") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			got, err := load(Options{HostKeys: strings.Contains(path, "host")}, path)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, path+".want", got)
		})
	}
}

// TestBad reads every bad fixture, one per rule, and compares the whole text of its error.
func TestBad(t *testing.T) {
	for _, path := range fixtures(t, "bad") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			_, err := load(Options{}, path)
			if err == nil {
				t.Fatal("no error")
			}
			if connector.KindOf(err) != connector.KindConfig {
				t.Errorf("kind %v", connector.KindOf(err))
			}
			if strings.Contains(err.Error(), "S3CR3T") {
				t.Errorf("the error shows a secret: %v", err)
			}
			golden(t, path+".want", err.Error()+"\n")
		})
	}
}

func fixtures(t *testing.T, kind string) []string {
	t.Helper()
	var all []string
	for _, ext := range []string{"yaml", "json"} {
		list, err := filepath.Glob("testdata/config/*." + kind + "." + ext)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, list...)
	}
	if len(all) < 5 {
		t.Fatalf("only %d fixtures", len(all))
	}
	return all
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestLiteralTakesReferencesAsText(t *testing.T) {
	s := sample{}
	err := DecodeWith(Options{Literal: true}, "c.json", []byte(`{"name": "${file:/etc/passwd}", "secret": "a${env:HOME}"}`), sampleFields[:1], &struct {
		Name string `json:"name"`
	}{})
	if err == nil || !strings.Contains(err.Error(), "unknown key") {
		t.Errorf("got %v", err)
	}
	if err := DecodeWith(Options{Literal: true}, "c.json", []byte(`{"name": "${file:/etc/passwd}"}`), sampleFields, &s); err != nil {
		t.Fatal(err)
	}
	if s.Name != "${file:/etc/passwd}" {
		t.Errorf("name %q", s.Name)
	}
}

func TestFileReference(t *testing.T) {
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte(theSecret+"\r\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := filepath.Join(dir, "p.yaml")
	for _, ref := range []string{"token", token} {
		if err := os.WriteFile(cfg, []byte("name: x\nsecret: ${file:"+ref+"}\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		var s sample
		warnings, err := Load(cfg, sampleFields, &s)
		if err != nil || len(warnings) > 0 || s.Secret.Reveal() != theSecret {
			t.Errorf("%s: %v, %q, secret matches: %v", ref, err, warnings, s.Secret.Reveal() == theSecret)
		}
	}
	for _, c := range []struct{ ref, want string }{
		{"${file:" + dir + "}", "is a directory, not a file"},
		{"${file:none}", "none does not exist"},
	} {
		err := Decode(cfg, []byte("name: x\nsecret: "+c.ref), sampleFields, &sample{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.ref, err)
		}
	}
}

func TestLoadWarnsOfReadableSecrets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.yaml")
	for _, c := range []struct {
		text string
		mode os.FileMode
		want int
	}{
		{"name: x\nsecret: " + theSecret, 0o644, 1},
		{"name: x\nsecret: " + theSecret, 0o600, 0},
		{"name: x\n", 0o644, 0},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		warnings, err := Load(path, sampleFields, &sample{})
		if err != nil || len(warnings) != c.want || strings.Contains(fmt.Sprint(warnings), theSecret) {
			t.Errorf("%q %o: %v %q", c.text, c.mode, err, warnings)
		}
	}
}

func TestLoadFaults(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ path, want string }{
		{dir, "is a directory, not a file"},
		{filepath.Join(dir, "none.yaml"), "no such file"},
	} {
		_, err := Load(c.path, sampleFields, &sample{})
		if connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.path, err)
		}
	}
}

type validated struct {
	Name string `json:"name"`
}

func (v *validated) Validate() error {
	return errors.Join(errors.New("name: is odd"), errors.New("name: is long"))
}

func TestValidateIsCalled(t *testing.T) {
	err := Decode("p.yaml", []byte("name: x"), sampleFields[:1], &validated{})
	if want := "p.yaml:1:7: name: is odd\np.yaml:1:7: name: is long"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestRawKeepsItsPlaces: however a block is written, what is wrong in it can be told with its place in the file.
func TestRawKeepsItsPlaces(t *testing.T) {
	for name, doc := range map[string]string{
		"block":   "name: x\n\nmapping:\n  streams:\n    '*': {fields: {a: b}}   # why\n\n    more: |\n      text\nport: 9\n",
		"flow":    "name: x\n\nmapping:\n  {streams: {'*': {fields: {a: b}}, more: \"text\\n\"}}\nport: 9\n",
		"aliased": "name: &n x\n\nmapping:\n  streams:\n    '*': {fields: {a: b}}\n    more: *n\n",
		"json":    "{\"name\": \"x\",\n\n\n\"mapping\": {\"streams\":\n  {\"*\": {\"fields\": {\"a\": \"b\"}}}}}",
	} {
		var s sample
		if err := Decode(name+".yaml", []byte(doc), sampleFields, &s); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		n := s.Mapping.Node
		if n == nil || s.Mapping.IsZero() || s.Mapping.Name != name+".yaml" {
			t.Fatalf("%s: %+v", name, s.Mapping)
		}
		for _, key := range []string{"streams", "*", "fields"} {
			line := 1 + strings.Count(doc[:strings.Index(doc, key)], "\n")
			text := strings.Split(doc, "\n")[n.Content[0].Line-1]
			if k := n.Content[0]; k.Value != key || k.Line != line || !strings.HasPrefix(strings.TrimLeft(text[k.Column-1:], `"'`), key) {
				t.Errorf("%s: %s is at %d:%d", name, key, k.Line, k.Column)
			}
			n = n.Content[1]
		}
	}
}

// TestPartial: what has no fault is there for whoever looks for more.
func TestPartial(t *testing.T) {
	var s sample
	doc := "nmae: x\nport: y\nmode: insert\nmapping: {a: b}\nto: {alpha: {tokn: z}}\n"
	err := DecodeWith(Options{Partial: true}, "p.yaml", []byte(doc), sampleFields, &s)
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("got %v, want three faults", err)
	}
	if s.Mode != "insert" || s.Mapping.Node == nil || s.To.Name != "alpha" {
		t.Errorf("got %+v", s)
	}
}

// TestStandIns: what is not there is taken as given, whatever its field wants; what is there is judged, and so are
// references that are none, and a whole block, which nothing can stand in for.
func TestStandIns(t *testing.T) {
	const doc = `
name: ${env:NONE}
secret: ${file:/nowhere/at/all}
port: ${env:NONE}
ratio: ${env:NONE}
on: ${env:NONE}
mode: ${env:NONE}
url: https://${env:NONE}/${env:HOST}
tags: ["${env:NONE}"]
custom: {a: "${env:NONE}"}
to: {alpha: {token: "${env:NONE}"}}
`
	o := Options{StandIns: true, LookupEnv: testEnv}
	var s sample
	if err := DecodeWith(o, "p.yaml", []byte(doc), sampleFields, &s); err != nil {
		t.Fatal(err)
	}
	if s.Name == "" || len(s.Secret.Reveal()) < 16 || s.Port != 1 || s.Ratio == nil || !s.On || s.Mode != "upsert" || s.URL != "https://example.com" || len(s.Tags) != 1 || s.Custom["a"] == "" {
		t.Errorf("got %+v", s)
	}
	var c crm
	if err := s.To.Decode(&c); err != nil || c.Token.IsZero() {
		t.Errorf("got %+v, %v", c, err)
	}
	for text, want := range map[string]string{
		"name: x\nport: ${env:EMPTY}":             "port: the value is not a whole decimal number",
		"name: ${envv:NONE}":                      "unknown reference",
		"name: ${env:NONE":                        "no closing }",
		"name: ${env:NONE}${envv:X}":              "unknown reference",
		"name: x\nmapping: ${file:/nowhere.yaml}": "the file /nowhere.yaml does not exist",
	} {
		err := DecodeWith(o, "p.yaml", []byte(text), sampleFields, &sample{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

// TestAt reads one part of a document, with the places of the whole.
func TestAt(t *testing.T) {
	var s sample
	doc := "other: [1]\nmine:\n  name: x\n  prt: 1\n"
	err := DecodeWith(Options{At: "mine"}, "p.yaml", []byte(doc), sampleFields, &s)
	if want := "p.yaml:4:3: mine.prt: unknown key; did you mean port?"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	for _, doc := range []string{"other: 1", "mine:", ""} {
		err := DecodeWith(Options{At: "mine"}, "p.yaml", []byte(doc), sampleFields, &s)
		if err == nil || !strings.Contains(err.Error(), "mine.name: required, but missing") {
			t.Errorf("%q: %v", doc, err)
		}
	}
}

func TestDecodeIntoWrongTarget(t *testing.T) {
	for _, into := range []any{nil, sample{}, (*sample)(nil)} {
		if err := Decode("p.yaml", nil, sampleFields, into); connector.KindOf(err) != connector.KindInternal {
			t.Errorf("%T: %v", into, err)
		}
	}
	if err := (Choice{}).Decode(&crm{}); connector.KindOf(err) != connector.KindInternal {
		t.Errorf("empty choice: %v", err)
	}
}

func TestAliasesCannotUnfoldForEver(t *testing.T) {
	var b strings.Builder
	b.WriteString("name: x\nmapping:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&b, "  a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	for _, doc := range []string{b.String(), "name: x\nmapping: &m\n  self: *m\n"} {
		err := Decode("p.yaml", []byte(doc), sampleFields, &sample{})
		if err == nil || !strings.Contains(err.Error(), "unfold") {
			t.Errorf("got %v", err)
		}
	}
}

// FuzzDecode: whatever the document, no panic, an error of kind Config, and no secret in it.
func FuzzDecode(f *testing.F) {
	for _, kind := range []string{"good", "bad"} {
		for _, ext := range []string{"yaml", "json"} {
			list, _ := filepath.Glob("testdata/config/*." + kind + "." + ext)
			for _, path := range list {
				data, err := os.ReadFile(path)
				if err != nil {
					f.Fatal(err)
				}
				f.Add(string(data))
			}
		}
	}
	f.Fuzz(func(t *testing.T, doc string) {
		var s sample
		o := Options{LookupEnv: testEnv}
		if strings.Contains(doc, "${file:") {
			o.Literal = true // a fuzzer must not read this machine's files
		}
		err := DecodeWith(o, "p.yaml", []byte(doc), sampleFields, &s)
		if err != nil && connector.KindOf(err) != connector.KindConfig {
			t.Errorf("kind %v: %v", connector.KindOf(err), err)
		}
		if err == nil && s.To.Name == "alpha" {
			if err := s.To.Decode(&crm{}); err != nil {
				t.Errorf("a checked choice does not decode: %v", err)
			}
		}
	})
}
