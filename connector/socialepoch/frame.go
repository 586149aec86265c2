package socialepoch

import (
	"errors"

	"github.com/sluicehq/sluice/internal/rows"
)

// maxItems is how many items of one request have a number of their own (connector.Received.ItemSeq keeps 16 bits for it).
// What stands behind them in the list is one last item, kept as it is. The vendor sends 50 at the most.
const maxItems = 1<<16 - 1

// frame is the outer object of a webhook's body: where its members stand, as written. The items in it were not looked at.
type frame struct {
	token, tenant, stamp []byte // nil: absent, or there twice
	list                 []byte // data: a list, or one object
}

var (
	errNoFrame = errors.New("the body is not a JSON object with a list named data")
	errTwice   = errors.New("the body has several lists named data")
	errItems   = errors.New("the list named data is broken")
)

// readFrame finds the members. Of a body that is cut or has no list it finds what it can beside the error.
func readFrame(body []byte) (f frame, err error) {
	i := rows.SkipSpace(body, 0)
	if i < len(body) && body[i] == '[' { // the list alone, where everything else is in headers
		end := rows.Span(body, i)
		if end < 0 || rows.SkipSpace(body, end) != len(body) {
			return f, errNoFrame
		}
		f.list = body[i:end]
		return f, nil
	}
	if i >= len(body) || body[i] != '{' {
		return f, errNoFrame
	}
	var seen [4]bool
	i = rows.SkipSpace(body, i+1)
	for more := i < len(body) && body[i] != '}'; more; {
		key, value, next := member(body, i)
		if next < 0 {
			return f, errNoFrame
		}
		if err := f.set(key, value, &seen); err != nil {
			return f, err
		}
		i = rows.SkipSpace(body, next)
		if more = i < len(body) && body[i] == ','; more {
			i = rows.SkipSpace(body, i+1)
		}
	}
	if i >= len(body) || body[i] != '}' || rows.SkipSpace(body, i+1) != len(body) || f.list == nil {
		return f, errNoFrame
	}
	return f, nil
}

// member reads the member at i; next is -1 where there is none.
func member(body []byte, i int) (key, value []byte, next int) {
	if i >= len(body) || body[i] != '"' {
		return nil, nil, -1
	}
	end := rows.Span(body, i)
	if end < 0 {
		return nil, nil, -1
	}
	key = body[i+1 : end-1]
	if i = rows.SkipSpace(body, end); i >= len(body) || body[i] != ':' {
		return nil, nil, -1
	}
	i = rows.SkipSpace(body, i+1)
	if end = rows.Span(body, i); end <= i {
		return nil, nil, -1
	}
	return key, body[i:end], end
}

// set takes one member. What authorises and is there twice authorises nothing: nobody could say which one was meant.
func (f *frame) set(key, value []byte, seen *[4]bool) error {
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
		if string(key) != "data" {
			return nil
		}
		if seen[nameNone] {
			f.list = nil
			return errTwice
		}
		seen[nameNone] = true
		if value[0] == '[' || value[0] == '{' {
			f.list = value
		}
		return nil
	}
	if *target = value; seen[kind] {
		*target = nil
	}
	seen[kind] = true
	return nil
}

// span is an item's place in the list.
type span struct{ from, to int }

// spans finds the items of a list. What stands behind the first most of them is one more.
func spans(list []byte, most int) ([]span, error) {
	if list[0] == '{' {
		return []span{{0, len(list)}}, nil
	}
	found := make([]span, 0, min(64, len(list)/64+1))
	end := len(list) - 1 // the bracket that closes it
	for i := rows.SkipSpace(list, 1); i < end; {
		if len(found) == most {
			return append(found, span{i, end}), nil
		}
		to := rows.Span(list, i)
		if to <= i || to > end {
			return nil, errItems
		}
		found = append(found, span{i, to})
		if i = rows.SkipSpace(list, to); i < end {
			if list[i] != ',' {
				return nil, errItems
			}
			i = rows.SkipSpace(list, i+1)
		}
	}
	return found, nil
}
