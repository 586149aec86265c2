// Package all lists the vendors that are compiled in. It is the only place, besides cmd, that knows their names.
package all

import (
	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/nx"
	"github.com/sluicehq/sluice/connector/outcall"
	"github.com/sluicehq/sluice/connector/socialepoch"
)

// Vendors is every vendor, in the order in which people are shown them.
var Vendors = []connector.Vendor{nx.NXLink, nx.NXCloud, socialepoch.SocialEpoch, outcall.Vendor}

// Lookup finds a vendor by its name.
func Lookup(name string) (connector.Vendor, bool) {
	for _, v := range Vendors {
		if v.Name == name {
			return v, true
		}
	}
	return connector.Vendor{}, false
}

// Names lists the vendors' names, for messages that tell people what they may choose.
func Names() []string {
	names := make([]string, len(Vendors))
	for i, v := range Vendors {
		names[i] = v.Name
	}
	return names
}
