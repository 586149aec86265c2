package template

import (
	"fmt"
	"testing"

	"github.com/sluicehq/sluice/connector"
)

// TestAnswers holds the reading of every code to what the table of errors says of it.
func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   string // verdict, code, what the run does, rows; "unreadable"
	}{
		{200, `{"code":0,"message":"ok","id":"7"}`, "delivered 0 none []"},
		{200, `{"code":0,"failed":[{"index":1,"code":102,"message":"digits"}]}`, "delivered 0 none [1 rejected 102]"},
		{200, `{"code":0,"failed":[{"index":0,"code":101},{"index":1,"code":103}]}`, "delivered 0 none [0 rejected 101 1 rejected 103]"},
		{200, `{"code":0,"failed":[{"index":2,"code":102}]}`, "unreadable"},
		{200, `{"code":0,"failed":[{"index":-1,"code":102}]}`, "unreadable"},
		{200, `{"code":0,"failed":[{"index":1,"code":102},{"index":1,"code":102}]}`, "unreadable"},
		{200, `{"code":1,"message":"key"}`, "retry 1 config []"},
		{200, `{"code":2,"message":"account"}`, "retry 2 config []"},
		{200, `{"code":3,"message":"busy"}`, "retry 3 throttled []"},
		{200, `{"code":100,"message":"what?"}`, "suspect 100 none []"},
		{200, `{"code":999,"message":"new"}`, "suspect 999 none []"},
		{500, `{"code":999}`, "retry 999 none []"},
		{502, `<html>`, "retry http_5xx none []"},
		{502, `{"code":0}`, "retry http_5xx none []"},
		{413, ``, "suspect http_413 none []"},
		{200, `<html>`, "unreadable"},
		{200, `{"code":0,"failed":[{"in`, "unreadable"},
		{200, `{}`, "unreadable"},
	} {
		got := "unreadable"
		if o, err := outcome(&connector.Response{Status: c.status, Body: []byte(c.body)}, 2); err == nil {
			does := o.Stop.String()
			if o.Throttled {
				does = "throttled"
			}
			rows := []string{}
			for _, r := range o.Rows {
				rows = append(rows, fmt.Sprintf("%d %v %s", r.Row, r.Verdict, r.Code))
			}
			got = fmt.Sprintf("%v %s %s %v", o.Verdict, o.Code, does, rows)
		}
		if got != c.want {
			t.Errorf("%d %s: %s, want %s", c.status, c.body, got, c.want)
		}
	}
}
