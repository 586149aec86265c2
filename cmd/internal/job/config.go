package job

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/deliver"
)

// Duration is a time.Duration written as text: 200ms, 30s, 15m.
type Duration time.Duration

// D returns d as the standard library's type.
func (d Duration) D() time.Duration { return time.Duration(d) }

// UnmarshalJSON reads a text such as "30s".
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("a duration is a text such as 30s or 200ms")
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a duration; write for example 200ms, 30s or 15m", s)
	}
	*d = Duration(v)
	return nil
}

// MarshalJSON writes the text form.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.D().String()) }

// Delivery is the `delivery:` block: how to call the CRM.
type Delivery struct {
	Concurrency       int      `json:"concurrency"`
	RequestsPerSecond float64  `json:"requests_per_second"`
	Linger            Duration `json:"linger"`
	Timeout           Duration `json:"timeout"`
	OutageLimit       Duration `json:"outage_limit"`
	CAFile            string   `json:"ca_file"`
	CertFile          string   `json:"cert_file"`
	KeyFile           string   `json:"key_file"`
	ServerName        string   `json:"server_name"`
}

const durationPattern = `^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`

// DeliveryFields is the table of Delivery.
var DeliveryFields = []connector.Field{
	{Name: "concurrency", Type: connector.TypeInteger, Title: "Requests in flight", Doc: "How many requests may be under way at once. Without it the CRM's own default holds.", Min: connector.Bound(1), Max: connector.Bound(64)},
	{Name: "requests_per_second", Type: connector.TypeNumber, Title: "Requests per second", Doc: "The pace of calls per endpoint. Without it the CRM's own default holds.", Min: connector.Bound(0.01), Max: connector.Bound(100000)},
	{Name: "linger", Type: connector.TypeString, Title: "Linger", Doc: "How long a row may wait for its request to fill up.", Pattern: durationPattern, Default: "200ms", Advanced: true},
	{Name: "timeout", Type: connector.TypeString, Title: "Timeout", Doc: "The time limit of one call.", Pattern: durationPattern, Default: "30s", Advanced: true},
	{Name: "outage_limit", Type: connector.TypeString, Title: "Outage limit", Doc: "How long an endpoint may answer nothing useful before the run ends.", Pattern: durationPattern, Default: "15m", Advanced: true},
	{Name: "ca_file", Type: connector.TypeString, Title: "CA file", Doc: "PEM file of a certificate authority to trust besides the system's.", Advanced: true},
	{Name: "cert_file", Type: connector.TypeString, Title: "Client certificate", Doc: "PEM file of the client certificate.", Advanced: true},
	{Name: "key_file", Type: connector.TypeString, Title: "Client key", Doc: "PEM file of the client certificate's key.", Advanced: true},
	{Name: "server_name", Type: connector.TypeString, Title: "Server name", Doc: "The name that the server's certificate must carry, where it differs from the host in the URL.", Advanced: true},
}

// orPace fills what the user left open from what the vendor documents.
func (d Delivery) orPace(p connector.Pace) Delivery {
	if d.Concurrency == 0 {
		d.Concurrency = max(1, p.Concurrency)
	}
	if d.RequestsPerSecond == 0 {
		d.RequestsPerSecond = p.RequestsPerSecond
	}
	return d
}

func (d Delivery) tls() deliver.TLSConfig {
	return deliver.TLSConfig{CAFile: d.CAFile, CertFile: d.CertFile, KeyFile: d.KeyFile, ServerName: d.ServerName}
}

// RejectLimits say how many refused rows a run may have.
type RejectLimits struct {
	Max      *int64   `json:"max"`
	MaxRatio *float64 `json:"max_ratio"`
}

// Rejects is the `rejects:` block.
type Rejects struct {
	Dir string `json:"dir"`
	RejectLimits
}

// RejectsFields is the table of Rejects.
var RejectsFields = []connector.Field{
	{Name: "dir", Type: connector.TypeString, Title: "Folder", Doc: "Where refused rows are kept, one JSON line each with its reason. Without it: a folder beside the pipeline file, or under the temporary folder in a container."},
	{Name: "max", Type: connector.TypeInteger, Title: "Most rejects", Doc: "Stop the run once more rows than this have been refused.", Min: connector.Bound(0)},
	{Name: "max_ratio", Type: connector.TypeNumber, Title: "Highest share of rejects", Doc: "Stop the run once more than this share of the rows read has been refused (0.05 is five in a hundred). It counts from 1,000 rows on; 0 is no limit.", Min: connector.Bound(0), Max: connector.Bound(1)},
}
