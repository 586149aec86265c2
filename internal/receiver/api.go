package receiver

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/inbox"
	"github.com/sluicehq/sluice/internal/receiver/client"
)

// The API, JSON but for pages, which are inbox.Page's own form; package client is its other side.
//
//	GET    /v1/bounds                    {"head","floor","id"}
//	POST   /v1/read                      client.ReadQuery → page
//	GET    /v1/records/{seq}             → page of one record
//	GET    /v1/endpoints, /v1/consumers  lists
//	GET    /v1/quarantined?after=&n=     list
//	POST   /v1/cursor                    {"consumer","seq","id"}; trims later
//	POST   /v1/drop                      {"consumer"}: forget it
//	POST   /v1/records/{seq}/release     → inbox.Receipt
//	POST   /v1/records/{seq}/replay      → inbox.Receipt

type apiError = client.Fault

const (
	codeForbidden = client.CodeForbidden
	maxPageRows   = 10_000
	maxPageBytes  = 16 << 20
	maxQuestion   = 1 << 20
)

func (r *Receiver) api() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/bounds", handle(r.bounds))
	mux.HandleFunc("POST /v1/read", r.page(r.readPage))
	mux.HandleFunc("GET /v1/records/{seq}", r.page(r.record))
	mux.HandleFunc("GET /v1/endpoints", handle(func(req *http.Request) (any, error) { return r.reader.Endpoints(req.Context()) }))
	mux.HandleFunc("GET /v1/consumers", handle(func(req *http.Request) (any, error) { return r.reader.Consumers(req.Context()) }))
	mux.HandleFunc("GET /v1/quarantined", handle(r.quarantined))
	mux.HandleFunc("POST /v1/cursor", handle(r.cursor))
	mux.HandleFunc("POST /v1/drop", handle(r.drop))
	mux.HandleFunc("POST /v1/records/{seq}/release", handle(r.again(r.box.Release)))
	mux.HandleFunc("POST /v1/records/{seq}/replay", handle(r.again(r.box.Replay)))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		answerError(w, http.StatusNotFound, apiError{Code: client.CodeConfig, Message: "the API has no such call", Fix: "Use the client of the same version, and the admin address without a path"})
	})
	return mux
}

// handle answers with JSON.
func handle(f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		v, err := f(req)
		if err != nil {
			answer(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
}

// page answers with a page.
func (r *Receiver) page(f func(*http.Request) (inbox.Page, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		p, err := f(req)
		var b []byte
		if err == nil {
			b, err = p.AppendTo(nil)
		}
		if err != nil {
			answer(w, err)
			return
		}
		w.Header().Set("Content-Type", client.PageType)
		w.Header().Set("Content-Length", strconv.Itoa(len(b)))
		_, _ = w.Write(b)
	}
}

func answer(w http.ResponseWriter, err error) {
	f := client.FaultOf(err)
	answerError(w, f.Status(), f)
}

func answerError(w http.ResponseWriter, status int, e apiError) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(e)
}

// question reads a JSON body strictly.
func question(req *http.Request, into any) error {
	d := json.NewDecoder(http.MaxBytesReader(nil, req.Body, maxQuestion))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return connector.Configf("Use the client of the same version", "the question cannot be read: %w", err)
	}
	return nil
}

func number(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, connector.Configf("Use a sequence such as 17", "%q is not a sequence", text)
	}
	return n, nil
}

func (r *Receiver) bounds(req *http.Request) (any, error) {
	head, err := r.reader.Head(req.Context())
	if err != nil {
		return nil, err
	}
	floor, err := r.reader.Floor(req.Context())
	if err != nil {
		return nil, err
	}
	id, err := r.reader.Identity(req.Context())
	return client.Bounds{Head: head, Floor: floor, ID: id}, err
}

func (r *Receiver) readPage(req *http.Request) (inbox.Page, error) {
	var q client.ReadQuery
	if err := question(req, &q); err != nil {
		return inbox.Page{}, err
	}
	ask := inbox.Query{
		After: max(q.After, 0), Head: q.Head, Quarantined: q.Quarantined,
		Rows: bound(q.Rows, 1000, maxPageRows), Bytes: int64(bound(int(q.Bytes), 4<<20, maxPageBytes)),
	}
	if len(q.Skip) > 0 {
		skip := map[inbox.Endpoint]bool{}
		for _, e := range q.Skip {
			skip[e] = true
		}
		ask.Endpoint = func(e inbox.Endpoint) bool { return !skip[e] }
	}
	return r.reader.Read(req.Context(), ask)
}

func bound(n, def, most int) int {
	if n <= 0 {
		return def
	}
	return min(n, most)
}

func (r *Receiver) record(req *http.Request) (inbox.Page, error) {
	seq, err := number(req.PathValue("seq"))
	if err != nil {
		return inbox.Page{}, err
	}
	rec, err := r.reader.Get(req.Context(), seq)
	return inbox.Page{Records: []inbox.Record{rec}, Last: seq}, err
}

func (r *Receiver) quarantined(req *http.Request) (any, error) {
	after, err := number("0" + req.FormValue("after"))
	n, err2 := number("0" + req.FormValue("n"))
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	return r.reader.Quarantined(req.Context(), after, bound(int(n), 1000, maxPageRows))
}

func (r *Receiver) cursor(req *http.Request) (any, error) {
	var c client.Cursor
	if err := question(req, &c); err != nil {
		return nil, err
	}
	return struct{}{}, r.box.SetCursor(req.Context(), c.ID, c.Consumer, c.Seq)
}

func (r *Receiver) drop(req *http.Request) (any, error) {
	var c client.Cursor
	if err := question(req, &c); err != nil {
		return nil, err
	}
	err := r.box.DropConsumer(req.Context(), c.Consumer)
	if err == nil {
		r.opts.Log.Warn("a consumer was forgotten: the inbox no longer waits for it", "consumer", c.Consumer)
	}
	return struct{}{}, err
}

func (r *Receiver) again(f func(context.Context, int64) (inbox.Receipt, error)) func(*http.Request) (any, error) {
	return func(req *http.Request) (any, error) {
		seq, err := number(req.PathValue("seq"))
		if err != nil {
			return nil, err
		}
		receipt, err := f(req.Context(), seq)
		r.later.wakeAll() // it may ask for a call
		return receipt, err
	}
}
