package airbyte

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/go-faster/jx"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// Operation is one entry of DESTINATION_CATALOG: an object and a way to write it.
type Operation struct {
	ObjectName string `json:"object_name"`
	SyncMode   string `json:"sync_mode"`
	// MatchingKeys lists the alternatives by which a record is matched; each is a composite key.
	MatchingKeys [][]string      `json:"matching_keys,omitempty"`
	JSONSchema   json.RawMessage `json:"json_schema"`
}

// message is a message whose payload is encoded rarely, so that clarity counts more than speed.
type message struct {
	Type               string              `json:"type"`
	Spec               json.RawMessage     `json:"spec,omitempty"`
	ConnectionStatus   *connectionStatus   `json:"connectionStatus,omitempty"`
	Catalog            *sourceCatalog      `json:"catalog,omitempty"`
	DestinationCatalog *destinationCatalog `json:"destination_catalog,omitempty"`
	Trace              *trace              `json:"trace,omitempty"`
}

type connectionStatus struct {
	Status  string `json:"status"`
	Message string `json:"message,omitempty"`
}

type destinationCatalog struct {
	Operations []Operation `json:"operations"`
}

type trace struct {
	Type      string       `json:"type"`
	EmittedAt int64        `json:"emitted_at"` // ms
	Error     *traceError  `json:"error,omitempty"`
	Status    *traceStatus `json:"stream_status,omitempty"`
}

type traceError struct {
	Message     string      `json:"message"`
	Internal    string      `json:"internal_message,omitempty"`
	StackTrace  string      `json:"stack_trace,omitempty"`
	FailureType string      `json:"failure_type"`
	Stream      *streamName `json:"stream_descriptor,omitempty"`
}

type traceStatus struct {
	Stream  *streamName    `json:"stream_descriptor"`
	Status  string         `json:"status"`
	Reasons []statusReason `json:"reasons,omitempty"` // with RUNNING only
}

// statusReason says why a stream that runs does not get on.
type statusReason struct {
	Type        string      `json:"type"` // RATE_LIMITED
	RateLimited rateLimited `json:"rate_limited"`
}

type rateLimited struct {
	QuotaReset int64 `json:"quota_reset"` // ms
}

// streamName is a stream_descriptor. A namespace that is absent is another than the empty one.
type streamName struct {
	Name      string  `json:"name"`
	Namespace *string `json:"namespace,omitempty"`
}

// send writes a message; an error means that a raw part of it is not JSON.
func (o *output) send(m message) error {
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return err
	}
	o.write(func(dst []byte) []byte { return append(dst, bytes.TrimSuffix(line.Bytes(), []byte{'\n'})...) })
	return nil
}

func (o *output) sendLog(level, text string) {
	o.write(func(dst []byte) []byte {
		dst = append(dst, `{"type":"LOG","log":{"level":"`...)
		dst = append(dst, level...)
		dst = append(dst, `","message":`...)
		dst = rows.AppendString(dst, strings.ToValidUTF8(text, "\uFFFD"))
		return append(dst, `}}`...)
	})
}

// sendState echoes a state as it came, with the counts of the rows since the state before it.
func (o *output) sendState(raw []byte, committed, rejected int64) {
	o.write(func(dst []byte) []byte {
		dst = append(dst, `{"type":"STATE","state":`...)
		dst = appendState(dst, raw, committed, rejected)
		return append(dst, '}')
	})
}

var statsKey = []byte("destinationStats")

// appendState appends the object raw with its destinationStats set; everything else stays as it is, byte for byte.
func appendState(dst, raw []byte, committed, rejected int64) []byte {
	// A decoded key may be spelled with escapes; then the object goes the slow way, as one that has the key.
	if bytes.Contains(raw, statsKey) || bytes.IndexByte(raw, '\\') >= 0 {
		dst = appendWithoutStats(dst, raw)
	} else {
		raw = bytes.TrimRight(raw, " \t\r\n")
		dst = append(dst, raw[:len(raw)-1]...)
	}
	if last := bytes.TrimRight(dst, " \t\r\n"); last[len(last)-1] != '{' {
		dst = append(dst, ',')
	}
	dst = append(dst, `"destinationStats":{"recordCount":`...)
	dst = appendCount(dst, committed)
	if rejected > 0 {
		dst = append(dst, `,"rejectedRecordCount":`...)
		dst = appendCount(dst, rejected)
	}
	return append(dst, `}}`...)
}

// appendWithoutStats copies the members of raw but destinationStats, and leaves the object open.
func appendWithoutStats(dst, raw []byte) []byte {
	dst = append(dst, '{')
	first := true
	// The object was walked when it was read, so no error can come.
	_ = jx.DecodeBytes(raw).ObjBytes(func(d *jx.Decoder, key []byte) error {
		d.Next() // passes the blanks before the value
		value, err := d.Raw()
		if err != nil || bytes.Equal(key, statsKey) {
			return err
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(rows.AppendString(dst, string(key)), ':')
		dst = append(dst, value...)
		return nil
	})
	return dst
}

// appendCount writes a count as the protocol wants it: a number with a decimal point.
func appendCount(dst []byte, n int64) []byte {
	return append(strconv.AppendInt(dst, n, 10), ".0"...)
}

// failureType is the protocol's word for a kind of error.
func failureType(k connector.Kind) string {
	switch k {
	case connector.KindConfig:
		return "config_error"
	case connector.KindTransient, connector.KindThrottled:
		return "transient_error"
	}
	return "system_error"
}

func now() int64 { return time.Now().UnixMilli() }
