package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluicehq/sluice/connector"
)

// StandIn is a value that a field takes, for who does not know the true one.
func StandIn(f *connector.Field) any {
	switch {
	case len(f.Examples) > 0:
		return f.Examples[0]
	case len(f.Enum) > 0:
		return f.Enum[0]
	}
	switch f.Type {
	case connector.TypeInteger, connector.TypeNumber:
		if f.Min != nil {
			return *f.Min
		}
		return 1
	case connector.TypeBoolean:
		return true
	}
	return "0123456789abcdef0123456789abcdef" // as long as secrets have to be
}

// refers tells what a string refers to: nothing, something that is there, something that is not.
type refers uint8

const (
	nowhere refers = iota
	found
	missing
)

// expand resolves the references of a string. lenient: that one is missing is told, and is no fault.
func (d *decoder) expand(n *yaml.Node, path string, lenient bool) (s string, r refers, ok bool) {
	if d.Literal || !strings.Contains(n.Value, "${") {
		return n.Value, nowhere, true
	}
	var b strings.Builder
	rest := n.Value
	ok = true
	for {
		i := strings.Index(rest, "${")
		if i < 0 {
			b.WriteString(rest)
			return b.String(), r, ok
		}
		if i > 0 && rest[i-1] == '$' { // $${ is a plain ${
			b.WriteString(rest[:i-1] + "${")
			rest = rest[i+2:]
			continue
		}
		b.WriteString(rest[:i])
		ref, tail, closed := strings.Cut(rest[i+2:], "}")
		if !closed {
			d.fault(placeOf(n), path, "a reference ${ has no closing }; for a plain ${ write $${")
			return "", r, false
		}
		text, there, fault := d.reference(ref)
		if fault != "" && (there || !lenient) {
			d.fault(placeOf(n), path, "%s", fault)
			ok = false
		}
		if r = max(r, found); !there {
			r = missing
		}
		b.WriteString(text)
		rest = tail
	}
}

// reference resolves what stands between ${ and }. It never quotes what it cannot read as a reference: that may be part
// of a secret. What is not there is a fault too.
func (d *decoder) reference(ref string) (text string, there bool, fault string) {
	if name, ok := strings.CutPrefix(ref, "env:"); ok {
		v, set := d.LookupEnv(name)
		if !set {
			return "", false, fmt.Sprintf("the environment variable %s is not set; set it, or write ${file:/path} to read the value from a file", name)
		}
		return v, true, ""
	}
	if name, ok := strings.CutPrefix(ref, "file:"); ok {
		file := name
		if !filepath.IsAbs(file) {
			file = filepath.Join(d.Dir, file)
		}
		data, _, err := readFile(file)
		switch {
		case os.IsNotExist(err):
			return "", false, fmt.Sprintf("the file %s does not exist; check the path, a relative one starts at this file's folder", file)
		case err != nil:
			return "", true, fmt.Sprintf("the file %s: %v", file, reason(err))
		}
		return strings.TrimRight(string(data), "\r\n"), true, ""
	}
	return "", true, "unknown reference: ${env:NAME} and ${file:/path} are known; for a plain ${ write $${"
}
