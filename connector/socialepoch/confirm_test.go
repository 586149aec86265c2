package socialepoch

import (
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
)

func confirmer(t *testing.T) connector.Hook {
	t.Helper()
	cfg := source.NewConfig().(*SourceConfig)
	cfg.TenantID, cfg.WebhookSecrets = 500975, []connector.Secret{connector.NewSecret("f9a40a4780f5e1306c46f1c8daecee3b"), connector.NewSecret("old-secret-that-goes")}
	h, err := newPortraitHook(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestConfirm(t *testing.T) {
	c, ok := confirmer(t).(connector.Confirmer)
	if !ok {
		t.Fatal("the hook confirms nothing")
	}
	for _, body := range []string{"", "x", "[]", `{"data":[{"id":"a"}]}`, `{"callBackUrl":"","data":[]}`, `{"callBackUrl":7}`,
		`{"data":[{"callBackUrl":"https://api.example/cb"}]}`, `{"callBackUrl":null,"data":[]}`} {
		var req connector.Request
		if asked, err := c.AppendConfirm(&req, []byte(body), time.Now()); asked || err != nil || req.URL != "" {
			t.Errorf("%s: %v, %v, %q", body, asked, err, req.URL)
		}
	}
	for _, body := range []string{`{"callBackUrl":"u"}`, `{"data":[],"CallbackURL" : "u"}`, `{"callBackUrl":"","callBackUrl":"u","data":[]}`} {
		var req connector.Request
		if asked, err := c.AppendConfirm(&req, []byte(body), time.Now()); !asked || err != nil || req.URL != "u" {
			t.Errorf("%s: %v, %v, %q", body, asked, err, req.URL)
		}
	}
	var req connector.Request
	asked, err := c.AppendConfirm(&req, []byte(`{"callBackUrl":"https://api.example/cb","data":[{"id":"a"},{"id":7},{},{"id":"b"}]}`), time.UnixMilli(1666942813620))
	if !asked || err != nil {
		t.Fatal(asked, err)
	}
	// The token is the one of the vendor's own example.
	want := `{"tenantId":500975,"timestamp":1666942813620,"accessToken":"df98eda524132837317c5ea7e4f67ef4224dedc3f01548b6cb211b08eb0328c5","successData":["a","b"],"failData":[]}`
	if string(req.Body) != want || req.Method != "POST" || req.URL != "https://api.example/cb" {
		t.Errorf("%s %s\n%s, want\n%s", req.Method, req.URL, req.Body, want)
	}
}

func TestConfirmAnswers(t *testing.T) {
	c := confirmer(t).(connector.Confirmer)
	for body, want := range map[string]connector.Verdict{
		`{"code":200}`: connector.VerdictDelivered, `{"code":509,"message":"database"}`: connector.VerdictRetry,
		`{"code":507}`: connector.VerdictRejected, `{"code":508}`: connector.VerdictRejected, `{}`: connector.VerdictRejected,
	} {
		o, err := c.ParseConfirm(&connector.Response{Status: 200, Body: []byte(body)})
		if err != nil || o.Verdict != want {
			t.Errorf("%s: %v, %v, want %v", body, o.Verdict, err, want)
		}
	}
	if o, err := c.ParseConfirm(&connector.Response{Status: 502, Body: []byte("<html>")}); err != nil || o.Verdict != connector.VerdictRetry {
		t.Error(o, err)
	}
	if _, err := c.ParseConfirm(&connector.Response{Status: 200, Body: []byte("<html>")}); err == nil {
		t.Error("a page of HTML is read")
	}
}
