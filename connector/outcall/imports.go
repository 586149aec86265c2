package outcall

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strconv"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// imports asks about the configured imports, one after another: a connector.Puller and Signer. An import that is done
// takes two calls, one for the address of its list and one for the list.
type imports struct {
	importReader
	config *Config
	ids    []string
}

func newImports(c *SourceConfig) *imports {
	p := &imports{importReader: newImportReader(c), config: c.account()}
	for _, one := range c.Imports {
		p.ids = append(p.ids, one.ID)
	}
	return p
}

// importPosition is the import to ask about, and what is known of it.
type importPosition struct {
	Of       string          `json:"of"` // the account
	ID       string          `json:"id"`
	Callback json.RawMessage `json:"callback,omitempty"` // says where its list is
}

// maxCallback bounds what a position holds, in bytes.
const maxCallback = 8 << 10

// read gives the position with its place in the list.
func (p *imports) read(from connector.Position) (at importPosition, place int, err error) {
	if from == nil {
		return importPosition{Of: p.config.UserID, ID: p.ids[0]}, 0, nil
	}
	if err := readPosition(from, &at, streamImports); err != nil {
		return at, 0, err
	}
	for i, id := range p.ids {
		if id == at.ID && at.Of == p.config.UserID {
			return at, i, nil
		}
	}
	return at, 0, connector.Configf(connector.ReadAnew, "the saved position is at the import %q of the account %q, which is not configured", at.ID, at.Of)
}

func readPosition(from connector.Position, at any, stream string) error {
	d := json.NewDecoder(bytes.NewReader(from))
	d.DisallowUnknownFields()
	if err := d.Decode(at); err != nil || d.More() {
		return connector.Configf(connector.ReadAnew, "the saved position of %s cannot be read", stream)
	}
	return nil
}

// AppendQuery asks what became of an import, or for its list.
func (p *imports) AppendQuery(req *connector.Request, from connector.Position) error {
	at, _, err := p.read(from)
	if err != nil {
		return err
	}
	if at.Callback != nil {
		found, err := p.AppendFetch(req, at.Callback)
		if err == nil && !found {
			return connector.Configf(connector.ReadAnew, "the saved position of %s says of no list where it is", streamImports)
		}
		return err
	}
	query := url.Values{}
	if p.config.SubUserID != "" {
		query.Set("sub_user_id", p.config.SubUserID)
	}
	get(req, "identification", withQuery(p.config.userURL()+"/identification/"+at.ID, query))
	return nil
}

// Format keeps the token out of every verb.
func (p *imports) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "outcall imports") }

// ParsePage makes the row of an import, or goes on to its list.
func (p *imports) ParsePage(resp *connector.Response, from connector.Position, out connector.Rows) (connector.Page, connector.Outcome, error) {
	at, place, err := p.read(from)
	if err != nil {
		return connector.Page{}, connector.Outcome{}, err
	}
	found, state := at.Callback, stateImported
	var o connector.Outcome
	if at.Callback != nil {
		var whole []byte
		if whole, o, err = p.ParseFetch(nil, resp, at.Callback); whole != nil {
			found = whole
		}
	} else {
		found, o, err = p.identify(resp, at.ID)
	}
	switch {
	case err != nil:
		return connector.Page{}, o, err
	case o.Code == strconv.Itoa(codeMissing):
		o, state = connector.Outcome{Verdict: connector.VerdictDelivered, Code: o.Code}, stateUnknown
	case o.Verdict != connector.VerdictDelivered:
		return connector.Page{}, o, nil
	case found == nil:
		state = stateWaiting
	}
	c := callback{id: at.ID}
	if found != nil {
		if c, err = readCallback(found); err != nil {
			return connector.Page{}, o, err
		}
		c.id = at.ID // what was asked about, whatever the answer repeats
	}
	if at.Callback == nil && c.url != "" && !c.listed {
		return p.toList(at, c.url, found)
	}
	page, err := p.behind(place)
	if err == nil {
		err = p.yield(out, c, state, found)
	}
	if err != nil {
		return connector.Page{}, o, err
	}
	return page, o, nil
}

// identify reads the answer about an import: a callback, nil where it is not done yet. The vendor's page does not show
// it: the callback is expected, in the envelope or not, or its data alone.
func (p *imports) identify(resp *connector.Response, id string) (json.RawMessage, connector.Outcome, error) {
	body := p.codec.clean(resp.Body)
	o, err := asked(resp, body)
	if err != nil || o.Verdict != connector.VerdictDelivered {
		return nil, o, err
	}
	for range 3 {
		var a struct {
			importAnswer
			Type json.RawMessage `json:"type"`
			ID   json.RawMessage `json:"unique_id"`
		}
		if json.Unmarshal(body, &a) != nil {
			break
		}
		switch {
		case a.Type != nil || a.ID != nil:
			return body, o, nil
		case a.Numbers != nil || a.URL != "" || flexText(a.Number) != "":
			b := append(rows.AppendString([]byte(`{"unique_id":`), id), `,"data":`...)
			return append(append(b, body...), '}'), o, nil
		}
		body = a.Data
	}
	if _, enveloped := readReply(resp.Body); !enveloped {
		return nil, o, unreadable(resp.Status, resp.Body)
	}
	return nil, o, nil
}

// toList goes on to the list of an import, if its address may be called.
func (p *imports) toList(at importPosition, address string, found json.RawMessage) (connector.Page, connector.Outcome, error) {
	if _, err := p.address(address); err != nil {
		return connector.Page{}, connector.Outcome{Verdict: connector.VerdictRejected, Stop: connector.KindConfig, Code: codeForeign, Message: err.Error()}, nil
	}
	if len(found) > maxCallback {
		return connector.Page{}, connector.Outcome{}, fmt.Errorf("outcall: the answer about an import is %d bytes, which no position can hold", len(found))
	}
	at.Callback = found
	next, err := marshal(at)
	if err != nil {
		return connector.Page{}, connector.Outcome{}, fmt.Errorf("outcall: position: %w", err)
	}
	return connector.Page{Next: next, More: true}, connector.Outcome{Verdict: connector.VerdictDelivered}, nil
}

// behind is the import behind a place in the list.
func (p *imports) behind(place int) (connector.Page, error) {
	if place+1 == len(p.ids) {
		return connector.Page{}, nil
	}
	next, err := marshal(importPosition{Of: p.config.UserID, ID: p.ids[place+1]})
	if err != nil {
		return connector.Page{}, fmt.Errorf("outcall: position: %w", err)
	}
	return connector.Page{Next: next, More: true}, nil
}

func (p *imports) yield(out connector.Rows, c callback, state string, raw []byte) error {
	if state == stateImported && !c.listed {
		state = stateWaiting // an answer without address and list
	}
	var o rows.Object
	o.Text("tenant_id", p.config.UserID)
	o.Text("state", state)
	if err := p.appendTo(&o, c, raw); err != nil {
		return err
	}
	return out.AppendJSON(streamImports, o.Bytes())
}
