package casefile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluicehq/sluice/connector"
)

// Update writes what really came out in the place of the expectations that did not hold: of cases in block style, each key
// on lines of its own. Everything else in the file stays as it is, byte by byte. It returns how many it rewrote; those that
// expect another kind of outcome than came out are left for a person.
func (f *File) Update(results []Result) (int, error) {
	lines := strings.SplitAfter(string(f.text), "\n")
	n := 0
	for _, r := range slices.Backward(results) { // from the end, so that line numbers stay right
		if len(r.Wrong) == 0 {
			continue
		}
		for _, key := range []string{"request", "reject", "out"} {
			node, text := r.Case.keys[key], r.Got.expectation(key)
			if node == nil || text == "" {
				continue
			}
			from, to, indent, ok := blockOf(lines, node, key)
			if !ok {
				return 0, connector.Configf("Write the key on a line of its own", "%s:%d: %s cannot be rewritten in its place", f.Path, node.Line, key)
			}
			lines = slices.Replace(lines, from, to, indent+key+": "+text+"\n")
			n++
		}
	}
	if n == 0 {
		return 0, nil
	}
	text := []byte(strings.Join(lines, ""))
	if err := f.sameCases(text); err != nil {
		return 0, err
	}
	return n, replaceFile(f.Path, text)
}

// expectation is what came out, as the value of a key; "": the key does not fit the outcome.
func (o *Outcome) expectation(key string) string {
	switch {
	case key == "reject" && len(o.Rejected) > 0:
		if r := o.Rejected[0]; r.Field != "" {
			return fmt.Sprintf("{code: %s, field: %q}", r.Code, r.Field)
		}
		return o.Rejected[0].Code
	case key == "reject" || len(o.Rejected) > 0 || o.Filtered:
		return ""
	case key == "request" && o.Request != nil:
		return string(asJSON(o.Request))
	case key == "out":
		var list []json.RawMessage
		if json.Unmarshal(o.Out, &list) == nil && len(list) == 1 {
			return string(list[0])
		}
		return string(o.Out)
	}
	return ""
}

// blockOf finds the lines of a key and its value: from the line of the key to the next that is indented no deeper.
func blockOf(lines []string, value *yaml.Node, key string) (from, to int, indent string, ok bool) {
	for from = value.Line - 1; from >= 0; from-- {
		body := strings.TrimLeft(lines[from], " ")
		if strings.HasPrefix(body, key+":") {
			indent = lines[from][:len(lines[from])-len(body)]
			break
		}
		if from < value.Line-2 {
			return 0, 0, "", false
		}
	}
	if from < 0 || indent == "" {
		return 0, 0, "", false
	}
	for to = from + 1; to < len(lines); to++ {
		body := strings.TrimLeft(lines[to], " ")
		if strings.TrimSpace(body) == "" || len(lines[to])-len(body) <= len(indent) {
			break
		}
	}
	return from, to, indent, true
}

// sameCases: the new text has the same cases, with other expectations only.
func (f *File) sameCases(text []byte) error {
	again, err := Parse(f.Path, text)
	if err == nil && len(again.Cases) == len(f.Cases) {
		same := true
		for i := range f.Cases {
			same = same && again.Cases[i].Name == f.Cases[i].Name && bytes.Equal(again.Cases[i].In, f.Cases[i].In)
		}
		if same {
			return nil
		}
	}
	return connector.Configf("Change the expectations by hand", "%s is written in a way that cannot be rewritten in its place", f.Path)
}

// replaceFile writes a file whole or not at all.
func replaceFile(path string, text []byte) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("update: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("update: %w", err)
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.Write(text)
	if cerr := tmp.Chmod(info.Mode().Perm()); err == nil {
		err = cerr
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("update: %w", err)
	}
	return nil
}
