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

// positionAt is the position behind the row seq.
func positionAt(seq int64) connector.Position {
	return append(strconv.AppendInt([]byte(`{"seq":`), seq, 10), fmt.Sprintf(`,"v":%d}`, positionVersion)...)
}

// ParsePosition returns the row sequence behind which a position of a Reader stands, 0 for none. Whatever is not exactly
// such a position is a Config error: to begin again instead would repeat everything, without a word.
func ParsePosition(pos connector.Position) (seq int64, err error) {
	if pos == nil {
		return 0, nil
	}
	var p struct {
		Seq *int64 `json:"seq"`
		V   *int64 `json:"v"`
	}
	d := json.NewDecoder(bytes.NewReader(pos))
	d.DisallowUnknownFields()
	switch err := d.Decode(&p); {
	case err != nil:
		return 0, badPosition(pos, errors.New("it cannot be read"))
	case len(bytes.TrimSpace(pos[d.InputOffset():])) > 0: // Decoder.More passes over a bracket
		return 0, badPosition(pos, errors.New("something follows it"))
	case p.Seq == nil || p.V == nil:
		return 0, badPosition(pos, errors.New("`seq` or `v` is missing"))
	case *p.V != positionVersion:
		return 0, badPosition(pos, fmt.Errorf("it has the format %d, and this version knows %d", *p.V, positionVersion))
	case *p.Seq < 0 || *p.Seq == math.MaxInt64:
		return 0, badPosition(pos, errors.New("`seq` is out of range"))
	}
	return *p.Seq, nil
}

func badPosition(pos connector.Position, why error) error {
	const most = 200
	text := string(pos[:min(len(pos), most)])
	return connector.Configf(connector.ReadAnew+"; a position made by a newer version needs that version",
		"the position %s is none of an event stream: %w", strings.ToValidUTF8(text, "\uFFFD"), why)
}

// Consumed returns the last request of which nothing is needed behind the position any more: what a named consumer may
// hand back as its cursor.
func Consumed(pos connector.Position) (request int64, err error) {
	row, err := ParsePosition(pos)
	if err != nil {
		return 0, err
	}
	return consumed(row), nil
}

func consumed(row int64) int64 {
	request, item := inbox.SplitRowSeq(row)
	if item < lastItem {
		return max(request-1, 0)
	}
	return request
}
