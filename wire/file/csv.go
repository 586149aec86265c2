package file

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// records finds where a CSV record ends: at a newline outside of quotes. It sees quotes as encoding/csv does: they open
// only at the start of a field. Its state lives from piece to piece of one record.
type records struct {
	delim byte
	state quoting
}

type quoting uint8

const (
	atStart quoting = iota // of a field
	atMark                 // of a file that may begin with a byte order mark
	plain
	quoted
	closing // behind a quote within a quoted field: its end, or the first of two
)

func (r *records) find(piece []byte) int {
	state := r.state
	for i, c := range piece {
		switch {
		case state == quoted:
			if c == '"' {
				state = closing
			}
		case c == '\n':
			r.state = atStart
			return i
		case c == r.delim:
			state = atStart
		case c == '"' && state != plain:
			state = quoted
		case c == '\r' && state == closing: // the newline follows
		case c >= 0x80 && state == atMark: // the mark
		default:
			state = plain
		}
	}
	r.state = state
	return -1
}

// open reports whether the record that was searched ends inside a quoted field, and makes ready for the next record.
func (r *records) open() bool {
	open := r.state == quoted
	r.state = atStart
	return open
}

// table turns CSV records into JSON objects by the names of a header.
type table struct {
	delim  byte
	names  []string
	keys   [][]byte // `"name":`
	feed   feed
	parser *csv.Reader
	object []byte
}

// feed hands the parser one record at a time.
type feed struct {
	rest    []byte
	newline bool
}

func (f *feed) Read(p []byte) (int, error) {
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	if n < len(p) && f.newline {
		p[n] = '\n'
		f.newline = false
		n++
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (t *table) reset() {
	t.parser = csv.NewReader(&t.feed)
	t.parser.Comma = rune(t.delim)
	t.parser.FieldsPerRecord = -1
	t.parser.ReuseRecord = true
}

// cells parses one record. The cells' slice is valid until the next call.
func (t *table) cells(record []byte) ([]string, error) {
	if t.parser == nil {
		t.reset()
	}
	before := t.parser.InputOffset()
	t.feed = feed{record, true}
	cells, err := t.parser.Read()
	if err == nil && t.parser.InputOffset()-before != int64(len(record))+1 {
		err = csv.ErrQuote
	}
	if err != nil {
		t.parser = nil // what is left of the record in its buffer must not become the next one
	}
	return cells, err
}

// newTable reads the header.
func newTable(path string, delim byte, header []byte) (*table, error) {
	if !utf8.Valid(header) {
		return nil, connector.Configf("Set `encoding: gb18030` if it is a Chinese file, or convert it to UTF-8", "the header of %s is not UTF-8", path)
	}
	t := &table{delim: delim}
	cells, err := t.cells(header)
	if err != nil {
		return nil, connector.Configf("Mend the quotes in the first line", "the header of %s cannot be read: %w", path, cause(err))
	}
	seen := make(map[string]int, len(cells))
	for i, name := range cells {
		name = strings.Clone(strings.TrimSpace(name))
		if strings.ContainsRune(name, '\r') {
			return nil, connector.Configf("Save the file with line ends of Unix or Windows", "%s separates its lines by a carriage return alone", path)
		}
		if name == "" {
			t.names, t.keys = append(t.names, ""), append(t.keys, nil)
			continue
		}
		if first, twice := seen[name]; twice {
			return nil, connector.Configf("Rename one of them in the file", "columns %d and %d of %s are both called %q", first+1, i+1, path, name)
		}
		seen[name] = i
		t.names = append(t.names, name)
		t.keys = append(t.keys, append(rows.AppendString(nil, name), ':'))
	}
	return t, nil
}

// delimiterOf returns the configured delimiter or, of those in use, the one that the header holds most.
func delimiterOf(configured string, header []byte) byte {
	if configured != "" {
		return configured[0]
	}
	best, most := byte(','), 0
	for _, c := range []byte(",;\t|") {
		if n := bytes.Count(header, []byte{c}); n > most {
			best, most = c, n
		}
	}
	return best
}

// toObject returns the record as a JSON object, without its empty cells; it is valid until the next call.
func (t *table) toObject(record []byte) ([]byte, *rows.Refusal) {
	if !utf8.Valid(record) {
		return nil, &rows.Refusal{Code: connector.CodeBadUTF8, Message: "the row is not valid UTF-8"}
	}
	cells, err := t.cells(record)
	if err != nil {
		return nil, &rows.Refusal{Code: connector.CodeBadCSV, Message: "the row is not CSV: " + cause(err).Error()}
	}
	out := append(t.object[:0], '{')
	for i, cell := range cells {
		if cell == "" {
			continue
		}
		if i >= len(t.keys) {
			return nil, countRefusal(len(cells), len(t.names))
		}
		if t.keys[i] == nil {
			return nil, &rows.Refusal{Code: connector.CodeBadCSV, Message: "the row has a value in a column that has no name in the header"}
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, t.keys[i]...)
		out = rows.AppendString(out, cell)
	}
	t.object = append(out, '}')
	if len(cells) < len(t.names) {
		return nil, countRefusal(len(cells), len(t.names))
	}
	return t.object, nil
}

func countRefusal(cells, names int) *rows.Refusal {
	return &rows.Refusal{Code: connector.CodeBadCSV, Message: "the row has " + plural(cells, "cell") + " where the header has " + plural(names, "column")}
}

// cause drops the line and column of a parse error: they count within the record.
func cause(err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		switch parse.Err {
		case csv.ErrBareQuote:
			return errors.New(`a quote stands inside a field that is not quoted; double it and quote the field`)
		case csv.ErrQuote:
			return errors.New(`something follows the closing quote of a field; a quote inside a field must be doubled`)
		}
		return parse.Err
	}
	if err == csv.ErrQuote {
		return errors.New("its quotes do not match")
	}
	return err
}
