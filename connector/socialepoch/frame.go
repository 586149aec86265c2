package socialepoch

import (
	"bytes"
	"errors"

	"github.com/sluicehq/sluice/internal/rows"
)

// maxItems is how many items of one request have a number of their own (connector.Received.ItemSeq keeps 16 bits for it).
// What stands behind them in the list is one last item, kept as it is. The vendor sends 50 at the most.
const maxItems = 1<<16 - 1

// nameCallback is the member that asks for a confirmation.
const nameCallback = "callBackUrl"

// frame is the outer object of a webhook's body: where its members stand, as written. The items in it were not looked at.
type frame struct {
	token, tenant, stamp []byte // nil: absent, or there twice
	items                []span // of data: a list, or one object
	hasList              bool
	callback             bool // callBackUrl, however its letters' case, is there and not empty
}

var (
	errNoFrame = errors.New("the body is not a JSON object with a list named data")
	errTwice   = errors.New("the body has several lists named data")
	errItems   = errors.New("the list named data is broken")
)

// itemEnd finds the end of the item at i by brackets and quotes alone; i or less where there is none.
func itemEnd(body []byte, i int) int { return rows.Span(body, i) }

// readFrame finds the members, and the items if there is a function that finds where they end. Of a body that is cut or
// has no list it finds what it can beside the error.
func readFrame(body []byte, item func([]byte, int) int) (f frame, err error) {
	i := rows.SkipSpace(body, 0)
	if i < len(body) && body[i] == '[' { // the list alone, where everything else is in headers
		end, err := f.readList(body, i, item)
		if err == nil && rows.SkipSpace(body, end) != len(body) {
			err = errNoFrame
		}
		return f, err
	}
	if i >= len(body) || body[i] != '{' {
		return f, errNoFrame
	}
	var seen [4]bool
	i = rows.SkipSpace(body, i+1)
	for more := i < len(body) && body[i] != '}'; more; {
		key, value := memberAt(body, i)
		if value < 0 {
			return f, errNoFrame
		}
		var end int
		if string(key) == "data" && (body[value] == '[' || body[value] == '{') {
			if f.hasList {
				return f, errTwice
			}
			end, err = f.readList(body, value, item)
			if err != nil {
				return f, err
			}
		} else if end = rows.Span(body, value); end <= value {
			return f, errNoFrame
		} else {
			f.set(key, body[value:end], &seen)
		}
		i = rows.SkipSpace(body, end)
		if more = i < len(body) && body[i] == ','; more {
			i = rows.SkipSpace(body, i+1)
		}
	}
	if i >= len(body) || body[i] != '}' || rows.SkipSpace(body, i+1) != len(body) || !f.hasList {
		return f, errNoFrame
	}
	return f, nil
}

// readList finds the end of the list, or single item, at i.
func (f *frame) readList(body []byte, i int, item func([]byte, int) int) (end int, err error) {
	f.hasList = true
	if item != nil && body[i] == '[' {
		f.items, end, err = spans(body, i, maxItems, item)
		return end, err
	}
	if end = rows.Span(body, i); end < 0 {
		return end, errNoFrame
	}
	f.items = []span{{i, end}}
	return end, nil
}

// memberAt reads the key at i and finds where its value starts; -1 where there is no member.
func memberAt(body []byte, i int) (key []byte, value int) {
	if i >= len(body) || body[i] != '"' {
		return nil, -1
	}
	end := rows.Span(body, i)
	if end < 0 {
		return nil, -1
	}
	key = body[i+1 : end-1]
	if i = rows.SkipSpace(body, end); i >= len(body) || body[i] != ':' {
		return nil, -1
	}
	if i = rows.SkipSpace(body, i+1); i >= len(body) {
		return nil, -1
	}
	return key, i
}

// set takes one member. What authorises and is there twice authorises nothing: nobody could say which one was meant.
func (f *frame) set(key, value []byte, seen *[4]bool) {
	var target *[]byte
	kind := kindOfName(key)
	switch kind {
	case nameToken:
		target = &f.token
	case nameTenant:
		target = &f.tenant
	case nameStamp:
		target = &f.stamp
	default:
		if len(key) == len(nameCallback) && bytes.EqualFold(key, []byte(nameCallback)) && string(value) != `""` {
			f.callback = true
		}
		return
	}
	if *target = value; seen[kind] {
		*target = nil
	}
	seen[kind] = true
}

// span is an item's place in the body.
type span struct{ from, to int }

// spans finds the items of the list at i, and the end of the list. What stands behind the first most of them is one more.
func spans(body []byte, i, most int, item func([]byte, int) int) (found []span, end int, err error) {
	found = make([]span, 0, min(64, (len(body)-i)/64+1))
	start := i
	for i = rows.SkipSpace(body, i+1); i < len(body) && body[i] != ']'; {
		if len(found) == most {
			if end = rows.Span(body, start); end < 0 {
				return nil, 0, errItems
			}
			return append(found, span{i, end - 1}), end, nil
		}
		to := item(body, i)
		if to <= i {
			return nil, 0, errItems
		}
		found = append(found, span{i, to})
		if i = rows.SkipSpace(body, to); i < len(body) && body[i] == ',' {
			i = rows.SkipSpace(body, i+1)
		} else if i < len(body) && body[i] != ']' {
			return nil, 0, errItems
		}
	}
	if i >= len(body) {
		return nil, 0, errItems
	}
	return found, i + 1, nil
}
