package sandbox

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/sandbox"
)

// TestService holds the stand-in to the vendor's pages, without the codec.
func TestService(t *testing.T) {
	svc := New()
	rt := sandbox.Transport(sandbox.New(sandbox.Options{}, svc))
	call := func(method, path, key, body string) string {
		t.Helper()
		req, err := http.NewRequest(method, "http://crm"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Api-Key", key)
		resp, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	contacts := func(list string) string { return `{"account":"` + Account + `","contacts":` + list + `}` }
	long := strings.Repeat("x", 81)
	for _, c := range []struct{ method, path, key, body, want string }{
		{"GET", "/v1/account?account=" + Account, APIKey, "", `"code":0`},
		{"GET", "/v1/account?account=other", APIKey, "", `"code":2`},
		{"GET", "/v1/account?account=" + Account, "other", "", `"code":1`},
		{"POST", "/v1/contacts", "other", contacts(`[{"phone":"12345"}]`), `"code":1`},
		{"POST", "/v1/contacts", APIKey, `{"account":"other","contacts":[{"phone":"12345"}]}`, `"code":2`},
		{"POST", "/v1/contacts", APIKey, contacts(`[]`), `"code":100`},
		{"POST", "/v1/contacts", APIKey, `{`, `"code":100`},
		{"POST", "/v1/contacts", APIKey, contacts(`[{"phone":12345}]`), `"code":100`},
		{"POST", "/v1/contacts", APIKey, contacts(`[{"phone":"12345","sex":"m"}]`), `"code":100`},
		{"POST", "/v1/contacts", APIKey, contacts(`[{"phone":"12345","name":"A","note":"n"},{"phone":"1"},{"phone":"12345x"},{"phone":"12345","name":"` + long + `"}]`),
			`"code":0,"failed":[{"index":1,"code":102,"message":"phone"},{"index":2,"code":102,"message":"phone"},{"index":3,"code":101`},
		{"POST", "/v1/contacts", APIKey, contacts(`[{"phone":"12345","gender":"2"},{"phone":"12345","birthday":"1990-02-30"}]`), `{"index":0,"code":103,"message":"gender"},{"index":1,"code":103`},
		{"POST", "/v1/contacts", APIKey, contacts(`[{"phone":"12345","name":"B"}]`), `"code":0,"failed":null`},
	} {
		if got := call(c.method, c.path, c.key, c.body); !strings.Contains(got, c.want) {
			t.Errorf("%s %s %s: %s, want %s", c.method, c.path, c.body, got, c.want)
		}
	}
	if got := strings.Join(svc.Contents(), "\n"); got != `{"phone":"12345","name":"B","note":"n"}` {
		t.Errorf("the CRM holds %s", got)
	}
	svc.Reset()
	if got := svc.Contents(); len(got) != 0 {
		t.Errorf("after a reset the CRM holds %v", got)
	}
}
