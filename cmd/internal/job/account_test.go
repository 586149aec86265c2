package job

import (
	"testing"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/all"
	"github.com/sluicehq/sluice/internal/config"
)

// An account that cannot be read is told alike for relays and sources.
func TestReadAccountFaults(t *testing.T) {
	var crm config.Choice
	crm.Name = "nobody"
	if _, _, err := readAccount(all.Vendors, &crm); connector.KindOf(err) != connector.KindInternal {
		t.Errorf("got %v", err)
	}
	const settings = `{"vendor":"socialepoch","tenant_id":0}`
	_, airbyte := decodeAccount(t.Context(), []byte(`{"crm":`+settings+`}`), all.Vendors)
	from := FromVendor{}
	err := config.DecodeWith(config.Options{Literal: true}, "config", []byte(`{"crm":`+settings+`,"stream":"contacts"}`), fromVendorFields(all.Vendors), &from)
	if err == nil {
		_, err = from.newSource(t.Context(), all.Vendors, Settings{Offline: true})
	}
	if airbyte == nil || err == nil || airbyte.Error() != err.Error() || connector.KindOf(err) != connector.KindConfig {
		t.Errorf("the source says %v, a relay %v", airbyte, err)
	}
}
