package job

import (
	"strings"
	"testing"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/all"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/inbox"
)

// A relay and the Airbyte source choose the same endpoints by the same names.
func TestReadEndpoints(t *testing.T) {
	for _, tc := range []struct {
		names []string
		name  string
		want  bool
	}{
		{[]string{"main"}, "main/flow", true}, {[]string{"main/flow"}, "main/flow", true}, {[]string{"main/flow"}, "main/other", false},
		{[]string{"main"}, "mainly/flow", false}, {[]string{"x", "se"}, "se", true}, {[]string{"flow"}, "main/flow", false},
	} {
		if got := readEndpoints(tc.names)(inbox.Endpoint{Name: tc.name}); got != tc.want {
			t.Errorf("%v of %s: %v", tc.names, tc.name, got)
		}
	}
	if readEndpoints(nil) != nil {
		t.Error("no names choose")
	}
	s := &sourceSync{account: &account{SourceSettings: SourceSettings{Endpoints: []string{"other"}}}}
	w := newTold(t)
	w.change(3)
	read := func(endpoint string) int {
		text := strings.Replace(w.config(), `"_limit":1`, `"endpoints":["`+endpoint+`"]`, 1)
		code, lines := source(t, AirbyteSource(all.Vendors), "read", text, catalogOf("raw_events"), "")
		if code != 0 {
			t.Errorf("exit code %d: %s", code, lines)
		}
		return len(w.records(lines))
	}
	if here, other := read("se"), read(s.Endpoints[0]); here == 0 || other != 0 {
		t.Errorf("%d rows of the endpoint, %d of another", here, other)
	}
}

// An account that cannot be read is told alike for relays and sources.
func TestReadAccountFaults(t *testing.T) {
	var crm config.Choice
	crm.Name = "nobody"
	if _, _, err := readAccount(all.Vendors, &crm); connector.KindOf(err) != connector.KindInternal {
		t.Errorf("got %v", err)
	}
	const settings = `{"vendor":"socialepoch","tenant_id":0}`
	_, airbyte := decodeAccount([]byte(`{"crm":`+settings+`}`), all.Vendors)
	from := FromVendor{}
	err := config.DecodeWith(config.Options{Literal: true}, "config", []byte(`{"crm":`+settings+`,"stream":"contacts"}`), fromVendorFields(all.Vendors), &from)
	if err == nil {
		_, err = from.newSource(t.Context(), all.Vendors, Settings{Offline: true})
	}
	if airbyte == nil || err == nil || airbyte.Error() != err.Error() || connector.KindOf(err) != connector.KindConfig {
		t.Errorf("the source says %v, a relay %v", airbyte, err)
	}
}
