package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluicehq/sluice/connector"
)

// MaxFile is the largest configuration file, and the largest file a reference may name, in bytes.
const MaxFile = 4 << 20

// Options change how a document is read. The zero value reads a person's own file.
type Options struct {
	// Literal takes ${…} as plain text. For hosts that hand over a finished configuration: whoever fills in their form
	// must not be able to read this machine's files and variables.
	Literal bool
	// HostKeys drops top-level keys that begin with "_", which hosts add for their own use.
	HostKeys bool
	// Dir is where relative ${file:…} paths start; "": the folder of the document's name.
	Dir string
	// LookupEnv finds a variable; nil: os.LookupEnv.
	LookupEnv func(name string) (string, bool)
	// StandIns puts a value that fits the field in the place of one that refers to a variable or file which is not there,
	// for who looks at a file where its secrets are not.
	StandIns bool
	// At is the top-level key whose value is read, in the place of the whole document, which others read.
	At string
	// Partial writes what has no fault into the struct also where something else has one, for who looks for further faults.
	Partial bool
}

// Decode reads a YAML or JSON document into the struct that into points to, by its table of fields. name is the file's
// name for messages. Fields that the document does not set take their table's default, else they keep what the struct
// holds. If the struct has a Validate method it is called last. The error is of kind Config and holds one line per fault;
// the struct's content is then undefined.
func Decode(name string, data []byte, fields []connector.Field, into any) error {
	return DecodeWith(Options{}, name, data, fields, into)
}

// DecodeWith is Decode with options.
func DecodeWith(o Options, name string, data []byte, fields []connector.Field, into any) error {
	_, err := decode(o, name, data, fields, into)
	return err
}

// Load reads the file at path as Decode does. The warnings are for a person and hold no secret.
func Load(path string, fields []connector.Field, into any) (warnings []string, err error) {
	data, mode, err := readFile(path)
	if err != nil {
		return nil, connector.Configf("Check the path and its permissions", "configuration %s: %w", path, reason(err))
	}
	d, err := decode(Options{}, path, data, fields, into)
	if err != nil {
		return nil, err
	}
	if d.literalSecrets > 0 && mode.Perm()&0o077 != 0 {
		warnings = append(warnings, fmt.Sprintf("%s holds a secret and other users can read it (mode %04o): run `chmod 600 %s`, or write ${env:NAME} or ${file:/path} in its place", path, mode.Perm(), path))
	}
	return warnings, nil
}

func decode(o Options, name string, data []byte, fields []connector.Field, into any) (*decoder, error) {
	rv := reflect.ValueOf(into)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return nil, connector.Internalf("", "config: decode into %T: not a pointer to a struct", into)
	}
	if o.LookupEnv == nil {
		o.LookupEnv = os.LookupEnv
	}
	if o.Dir == "" {
		o.Dir = filepath.Dir(name)
	}
	d := &decoder{Options: o, name: name, data: data}
	root, err := d.parse()
	if err != nil {
		return d, err
	}
	if o.At != "" {
		root = under(root, o.At)
	}
	v := d.object(root, o.At, fields)
	if len(d.faults) == 0 || o.Partial {
		d.assign(rv.Elem(), v)
	}
	if len(d.faults) == 0 {
		d.validate(into, v)
	}
	return d, d.err()
}

// under is the value of a top-level key; an empty mapping where there is none.
func under(root *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(root.Content) && root.Kind == yaml.MappingNode; i += 2 {
		if n := root.Content[i+1]; root.Content[i].Value == key && !isNull(n) {
			if n.Kind == yaml.AliasNode {
				return n.Alias
			}
			return n
		}
	}
	return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: root.Line, Column: root.Column}
}

// decoder reads one document. Faults are gathered, not returned, so that a person sees all of them at once.
type decoder struct {
	Options
	name string
	data []byte
	json bool // the document is JSON: scalars have the type they are written with
	// budget is how many more nodes may be visited: aliases could otherwise unfold a small document into a huge one.
	budget         int
	faults         []fault
	literalSecrets int
}

type fault struct {
	place
	path, text string
}

// place is where something stands in the document, from 1 on; zeros: nowhere.
type place struct{ line, column int }

func placeOf(n *yaml.Node) place { return place{n.Line, n.Column} }

func (d *decoder) fault(at place, path, format string, args ...any) {
	d.faults = append(d.faults, fault{at, path, fmt.Sprintf(format, args...)})
}

// err makes one error of all faults, in the order of lines.
func (d *decoder) err() error {
	if len(d.faults) == 0 {
		return nil
	}
	sort.SliceStable(d.faults, func(i, j int) bool {
		a, b := d.faults[i].place, d.faults[j].place
		return a.line < b.line || a.line == b.line && a.column < b.column
	})
	lines := make([]string, 0, len(d.faults))
	for _, f := range d.faults {
		at := d.name
		if f.line > 0 {
			at += fmt.Sprintf(":%d", f.line)
		}
		if f.column > 0 {
			at += fmt.Sprintf(":%d", f.column)
		}
		if f.path != "" {
			at += ": " + f.path
		}
		lines = append(lines, at+": "+f.text)
	}
	return &connector.Error{Kind: connector.KindConfig, What: strings.Join(lines, "\n")}
}

// validate calls the struct's own check and puts place and path before each of its lines.
func (d *decoder) validate(into any, v *value) {
	own, ok := into.(interface{ Validate() error })
	if !ok {
		return
	}
	if err := own.Validate(); err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			d.fault(v.placeIn(line), v.path, "%s", line)
		}
	}
}

// placeIn finds the member that a message of Validate begins with; without one it is the place of the whole.
func (v *value) placeIn(message string) place {
	name := message[:len(message)-len(strings.TrimLeft(message, "abcdefghijklmnopqrstuvwxyz0123456789_"))]
	for _, m := range v.members {
		if m.name == name && m.v.place.line > 0 {
			return m.v.place
		}
	}
	return v.place
}

// readFile reads a regular file up to MaxFile.
func readFile(path string) ([]byte, fs.FileMode, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	if info.IsDir() {
		return nil, 0, errors.New("is a directory, not a file")
	}
	if info.Size() > MaxFile {
		return nil, 0, fmt.Errorf("is larger than %d MiB", MaxFile>>20)
	}
	data, err := os.ReadFile(path)
	if err == nil && len(data) > MaxFile {
		err = fmt.Errorf("is larger than %d MiB", MaxFile>>20)
	}
	return data, info.Mode(), err
}

// reason strips the operation and path that os errors repeat.
func reason(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}
