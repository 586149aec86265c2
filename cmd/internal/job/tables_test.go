package job

import (
	"testing"

	"github.com/sluicehq/sluice/connector/all"
	"github.com/sluicehq/sluice/internal/config"
)

// The tables and the structs that they fill agree.
func TestTables(t *testing.T) {
	config.CheckTable(t, PipelineFields(all.Vendors), &Pipeline{})
	config.CheckTable(t, DestinationFields(all.Vendors), &Destination{})
	config.CheckTable(t, DeliveryFields, &Delivery{})
	config.CheckTable(t, SourceFields(all.Vendors), &SourceSettings{})
	config.CheckTable(t, inboxFolderFields, &InboxFolder{})
	config.CheckTable(t, inboxReceiverFields, &InboxReceiver{})
	config.CheckTable(t, RejectsFields, &Rejects{})
	config.CheckTable(t, ReceiveFields(all.Vendors), &Receive{})
	config.CheckTable(t, fromFileFields, &FromFile{})
	config.CheckTable(t, fromVendorFields(all.Vendors), &FromVendor{})
	for _, v := range all.Vendors {
		config.CheckTable(t, v.Fields, v.NewConfig())
	}
}
