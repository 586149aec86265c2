package airbyte

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/go-faster/jx"
)

// envelope is one message, as far as a destination reads it. Its slices belong to the line it was read from.
type envelope struct {
	kind      []byte
	hasRecord bool
	stream    []byte
	namespace []byte
	data      []byte // record.data as it stands; nil if there is none
	state     []byte
	trace     []byte
}

// walker reads envelopes. Its decoder and callbacks are made once.
type walker struct {
	dec         jx.Decoder
	env         envelope
	top, record func(d *jx.Decoder, key []byte) error
}

func newWalker() *walker {
	w := &walker{}
	w.top, w.record = w.onTop, w.onRecord
	return w
}

var errTrailing = errors.New("something follows the object")

// walk reads a line that begins with an object. The data of a record is passed over, not looked into.
func (w *walker) walk(line []byte) (*envelope, error) {
	w.env = envelope{}
	w.dec.ResetBytes(line)
	if err := w.dec.ObjBytes(w.top); err != nil {
		return nil, rootCause(err)
	}
	if err := w.dec.Skip(); !errors.Is(err, io.EOF) {
		return nil, errTrailing
	}
	return &w.env, nil
}

func (w *walker) onTop(d *jx.Decoder, key []byte) (err error) {
	switch string(key) {
	case "type":
		w.env.kind, err = text(d)
	case "record":
		if d.Next() != jx.Object {
			return d.Skip()
		}
		w.env.hasRecord = true
		err = d.ObjBytes(w.record)
	case "state":
		w.env.state, err = object(d)
	case "trace":
		w.env.trace, err = object(d)
	default:
		err = d.Skip()
	}
	return err
}

func (w *walker) onRecord(d *jx.Decoder, key []byte) (err error) {
	switch string(key) {
	case "stream":
		w.env.stream, err = text(d)
	case "namespace":
		w.env.namespace, err = text(d)
	case "data":
		d.Next() // passes the blanks before the value
		w.env.data, err = d.Raw()
	default:
		err = d.Skip()
	}
	return err
}

// text reads a string; null is none.
func text(d *jx.Decoder) ([]byte, error) {
	if d.Next() == jx.Null {
		return nil, d.Null()
	}
	return d.StrBytes()
}

// object returns an object as it stands; anything else is none.
func object(d *jx.Decoder) ([]byte, error) {
	if d.Next() != jx.Object {
		return nil, d.Skip()
	}
	return d.Raw()
}

// rootCause drops the decoder's words of context, one per level of nesting.
func rootCause(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

// descriptor reads a stream_descriptor; what is not an object names no stream.
func descriptor(d *jx.Decoder) (name, namespace string, err error) {
	if d.Next() != jx.Object {
		return "", "", d.Skip()
	}
	err = d.ObjBytes(func(d *jx.Decoder, key []byte) (err error) {
		var b []byte
		switch string(key) {
		case "name":
			b, err = text(d)
			name = string(b)
		case "namespace":
			b, err = text(d)
			namespace = string(b)
		default:
			err = d.Skip()
		}
		return err
	})
	return name, namespace, err
}

// scope is which rows a state waits for.
type scope struct {
	one             bool // a single stream: the one named
	name, namespace string
	// told is how many records the source says that it emitted since the state before; -1: it does not say.
	told float64
}

// scopeOf reads as much of a state as its order needs.
func scopeOf(state []byte) (scope, error) {
	s := scope{told: -1}
	var kind string
	stream := func(d *jx.Decoder, key []byte) (err error) {
		if string(key) != "stream_descriptor" {
			return d.Skip()
		}
		s.name, s.namespace, err = descriptor(d)
		return err
	}
	err := jx.DecodeBytes(state).ObjBytes(func(d *jx.Decoder, key []byte) (err error) {
		switch {
		case string(key) == "type":
			var b []byte
			b, err = text(d)
			kind = string(b)
		case string(key) == "stream" && d.Next() == jx.Object:
			err = d.ObjBytes(stream)
		case string(key) == "sourceStats" && d.Next() == jx.Object:
			err = d.ObjBytes(func(d *jx.Decoder, key []byte) (err error) {
				if string(key) != "recordCount" || d.Next() != jx.Number {
					return d.Skip()
				}
				n, err := d.Raw()
				if told, ferr := strconv.ParseFloat(string(n), 64); err == nil && ferr == nil {
					s.told = told
				}
				return err
			})
		default:
			err = d.Skip()
		}
		return err
	})
	s.one = s.name != "" && (kind == "" || strings.EqualFold(kind, "STREAM"))
	return s, err
}

// status is a TRACE STREAM_STATUS.
type status struct {
	name, namespace, status string
}

// statusOf reads a trace; ok is false for every other kind of trace.
func statusOf(trace []byte) (s status, ok bool) {
	var kind []byte
	err := jx.DecodeBytes(trace).ObjBytes(func(d *jx.Decoder, key []byte) (err error) {
		switch {
		case string(key) == "type":
			kind, err = text(d)
		case string(key) == "stream_status" && d.Next() == jx.Object:
			err = d.ObjBytes(func(d *jx.Decoder, key []byte) (err error) {
				switch {
				case string(key) == "status":
					var b []byte
					b, err = text(d)
					s.status = string(b)
				case string(key) == "stream_descriptor":
					s.name, s.namespace, err = descriptor(d)
				default:
					err = d.Skip()
				}
				return err
			})
		default:
			err = d.Skip()
		}
		return err
	})
	return s, err == nil && bytes.EqualFold(kind, []byte("STREAM_STATUS")) && s.name != ""
}
