package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/inbox"
)

const positionVersion = 1

// lastItem is the last item that a request may have.
const lastItem = inbox.ItemsPerRequest - 1

// Place is what a position says.
type Place struct {
	Row int64          // the last row that was had, by its sequence; 0: none
	ID  inbox.Identity // of the inbox that it is of; 0: not said
}

// position is the position behind the row seq.
func (r *Reader) position(seq int64) connector.Position {
	b := strconv.AppendInt([]byte(`{"seq":`), seq, 10)
	b = fmt.Appendf(b, `,"v":%d`, positionVersion)
	if r.id != 0 {
		b = fmt.Appendf(b, `,"inbox":"%s"`, r.id)
	}
	return append(b, '}')
}

// ParsePosition reads a position of a Reader. Whatever is not exactly such a position is a Config error: to begin again
// instead would repeat everything, without a word.
func ParsePosition(pos connector.Position) (at Place, err error) {
	if pos == nil {
		return at, nil
	}
	var p struct {
		Seq   *int64  `json:"seq"`
		V     *int64  `json:"v"`
		Inbox *string `json:"inbox"`
	}
	d := json.NewDecoder(bytes.NewReader(pos))
	d.DisallowUnknownFields()
	switch err := d.Decode(&p); {
	case err != nil:
		return at, badPosition(pos, errors.New("it cannot be read"))
	case len(bytes.TrimSpace(pos[d.InputOffset():])) > 0: // Decoder.More passes over a bracket
		return at, badPosition(pos, errors.New("something follows it"))
	case p.Seq == nil || p.V == nil:
		return at, badPosition(pos, errors.New("`seq` or `v` is missing"))
	case *p.V != positionVersion:
		return at, badPosition(pos, fmt.Errorf("it has the format %d, and this version knows %d", *p.V, positionVersion))
	case *p.Seq < 0 || *p.Seq == math.MaxInt64:
		return at, badPosition(pos, errors.New("`seq` is out of range"))
	}
	if p.Inbox != nil {
		if at.ID, err = inbox.ParseIdentity(*p.Inbox); err != nil {
			return Place{}, badPosition(pos, err)
		}
	}
	at.Row = *p.Seq
	return at, nil
}

// of reports whether the place can be one of the inbox with an identity.
func (p Place) of(id inbox.Identity) bool { return p.ID == 0 || id == 0 || p.ID == id }

func badPosition(pos connector.Position, why error) error {
	const most = 200
	text := string(pos[:min(len(pos), most)])
	return connector.Configf(connector.ReadAnew+"; a position made by a newer version needs that version",
		"the position %s is none of an event stream: %w", strings.ToValidUTF8(text, "\uFFFD"), why)
}

// Consumed returns the last request of the inbox with an identity of which nothing is needed behind the position any more:
// what a named consumer may hand back as its cursor. Of a position in another inbox that is none.
func Consumed(pos connector.Position, id inbox.Identity) (request int64, err error) {
	at, err := ParsePosition(pos)
	if err != nil || !at.of(id) {
		return 0, err
	}
	return consumed(at.Row), nil
}

func consumed(row int64) int64 {
	request, item := inbox.SplitRowSeq(row)
	if item < lastItem {
		return max(request-1, 0)
	}
	return request
}
