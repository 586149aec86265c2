package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/inbox"
)

// An error means the same on both sides of the wire.
func TestFaults(t *testing.T) {
	for _, want := range []error{
		inbox.ErrNotFound, inbox.ErrNotHeld, inbox.ErrDamaged, inbox.ErrOverload, inbox.ErrClosed, inbox.ErrStore,
		connector.Configf("Do that", "this is wrong"), connector.Transientf("Wait", "not now"),
		errors.New("something else"),
	} {
		text, err := json.Marshal(FaultOf(want))
		if err != nil {
			t.Fatal(err)
		}
		var f Fault
		if err := json.Unmarshal(text, &f); err != nil {
			t.Fatal(err)
		}
		got := f.Err()
		for _, sentinel := range []error{inbox.ErrNotFound, inbox.ErrNotHeld, inbox.ErrDamaged} {
			if errors.Is(got, sentinel) != errors.Is(want, sentinel) {
				t.Errorf("%v became %v", want, got)
			}
		}
		kind := connector.KindOf(want)
		if f.Code != CodeInternal && f.Code != CodeNotFound && f.Code != CodeNotHeld && f.Code != CodeDamaged && connector.KindOf(got) != kind {
			t.Errorf("%v (%v) became %v", want, kind, got)
		}
		if f.Status() < 400 {
			t.Errorf("%v has the status %d", want, f.Status())
		}
	}
}

// What is no receiver, or spoils its pages, is never taken for one.
func TestStrangeServers(t *testing.T) {
	page, err := (&inbox.Page{Last: 7}).AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]struct {
		status int
		body   string
		kind   connector.Kind
	}{
		"a page of HTML":         {200, "<html>", connector.KindTransient},
		"half a page":            {200, string(page[:len(page)/2]), connector.KindTransient},
		"an unknown refusal":     {418, "teapot", connector.KindConfig},
		"a redirect":             {302, "", connector.KindConfig},
		"a fault it cannot name": {500, `{"code":"new","message":"x"}`, connector.KindInternal},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer the-token" {
				t.Errorf("%s: no token", name)
			}
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(v.status)
			_, _ = w.Write([]byte(v.body))
		}))
		c, err := New(Config{URL: srv.URL, Token: connector.NewSecret("the-token")})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(t.Context(), inbox.Query{}); connector.KindOf(err) != v.kind {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := c.Head(t.Context()); err == nil {
			t.Errorf("%s passes for a head", name)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.Head(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		if err := errors.Join(c.Close(), c.Close()); err != nil {
			t.Error(err)
		}
		srv.Close()
	}
}
