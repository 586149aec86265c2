package airbyte

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// deletedAt is set by sources that read a database's log: a row that has it no longer exists there. It is a column even
// where the stream's schema forgets it, so that whoever filters deleted rows always sees it.
const deletedAt = "_ab_cdc_deleted_at"

// hostPrefix begins the names of columns that hosts add for themselves.
const hostPrefix = "_airbyte_"

func isHostField(name string) bool { return strings.HasPrefix(name, hostPrefix) }

// configured is a stream of the configured catalog. Every member may be null, absent or unknown to us.
type configured struct {
	Stream struct {
		Name       string          `json:"name"`
		Namespace  *string         `json:"namespace"`
		JSONSchema json.RawMessage `json:"json_schema"`
	} `json:"stream"`
	SyncMode            string          `json:"sync_mode"`
	DestinationSyncMode string          `json:"destination_sync_mode"`
	MinimumGenerationID json.RawMessage `json:"minimum_generation_id"`
}

func (c *configured) namespace() string {
	if c.Stream.Namespace == nil {
		return ""
	}
	return *c.Stream.Namespace
}

// truncates reports whether the host asks to replace what is there.
func (c *configured) truncates() bool {
	if c.DestinationSyncMode == "overwrite" {
		return true
	}
	switch strings.Trim(string(c.MinimumGenerationID), `"`) {
	case "", "null", "0", "0.0":
		return false
	}
	return true
}

// parseCatalog reads the configured catalog; path is for its errors. A catalog without streams is refused: with it every
// record would be one too many, and a sync that may take none is a mistake of whoever wrote the file.
func parseCatalog(path string, data []byte) ([]configured, error) {
	const form = `The host writes this file; one made by hand holds {"streams": [{"stream": {"name": …}, …}]}`
	wrong := func(what string, args ...any) ([]configured, error) {
		return nil, connector.Configf(form, "the catalog %s "+what, append([]any{path}, args...)...)
	}
	var top map[string]json.RawMessage
	if err := json.Unmarshal(data, &top); err != nil {
		var at *json.SyntaxError
		if errors.As(err, &at) {
			return wrong("is not JSON: %w", syntax(err))
		}
		return wrong("is no JSON object but %s", kindOf(data))
	}
	if top == nil {
		return wrong("is no JSON object but null")
	}
	list, ok := top["streams"]
	if !ok || kindOf(list) == "null" {
		return wrong("has no `streams`")
	}
	var streams []configured
	if kind := kindOf(list); kind != "a list" {
		return wrong("has `streams` that are no list but %s", kind)
	}
	if err := json.Unmarshal(list, &streams); err != nil {
		var field *json.UnmarshalTypeError
		if errors.As(err, &field) {
			return wrong("cannot be read: `%s` holds a %s", strings.Trim("streams."+field.Field, "."), field.Value)
		}
		return wrong("cannot be read: %w", err)
	}
	if len(streams) == 0 {
		return nil, connector.Configf("Choose at least one stream in the connection's schema", "the catalog %s has no stream in its `streams`", path)
	}
	for i := range streams {
		if streams[i].Stream.Name == "" {
			return wrong("has no name for stream %d", i+1)
		}
		streams[i].DestinationSyncMode = strings.ToLower(streams[i].DestinationSyncMode)
	}
	return streams, nil
}

// kindOf names the kind of a JSON value.
func kindOf(value []byte) string {
	value = bytes.TrimSpace(value)
	if len(value) == 0 {
		return "nothing"
	}
	switch value[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a text"
	case 't', 'f':
		return "a truth value"
	case 'n':
		return "null"
	}
	return "a number"
}

// checkModes refuses sync modes that would make an upsert do the opposite of what was asked, and tells once that
// nothing is ever deleted. whole says why all input must come in one sync, "" where it need not.
func checkModes(streams []configured, whole string, log *slog.Logger) error {
	var truncated []string
	for i := range streams {
		c := &streams[i]
		if whole != "" && strings.EqualFold(c.SyncMode, "incremental") {
			return connector.Configf("Choose full refresh for it, or another mode of the destination",
				"stream %s is synced incrementally, and %s replaces what the CRM holds by what one sync brings", c.Stream.Name, whole)
		}
		switch c.DestinationSyncMode {
		case "", "append", "append_dedup", "overwrite", "upsert":
		default:
			return connector.Configf("Choose append_dedup (upsert) or append for it", "stream %s asks for the sync mode %s, which this destination does not have",
				c.Stream.Name, c.DestinationSyncMode)
		}
		if whole == "" && c.truncates() {
			truncated = append(truncated, c.Stream.Name)
		}
	}
	if len(truncated) > 0 {
		const most = 5
		names := strings.Join(truncated[:min(most, len(truncated))], ", ")
		if len(truncated) > most {
			names += ", …"
		}
		log.Warn("the host asks to overwrite or refresh streams: their records are upserted, and nothing is deleted from the CRM", "streams", names)
	}
	return nil
}

// schemaOf returns the columns of a stream. A schema that cannot be used gives raw columns: those it names, if that much can
// be read, and those that the mapping reads.
func schemaOf(c *configured, fields func(stream string) []string, log *slog.Logger) *arrow.Schema {
	schema, err := rows.SchemaFromJSON(c.Stream.JSONSchema)
	if err != nil {
		log.Warn("the schema of a stream cannot be used; its fields are taken as they come", "stream", c.Stream.Name, "error", err)
	}
	if err != nil || len(schema.Fields()) == trailing(schema) {
		return rows.RawSchema(rawFields(c, fields))
	}
	return trim(schema)
}

// trailing counts the reserved columns of a schema.
func trailing(schema *arrow.Schema) int {
	n := 0
	for _, f := range schema.Fields() {
		if connector.IsReserved(f.Name) {
			n++
		}
	}
	return n
}

// trim leaves out the host's own columns and sees to it that deletedAt is there.
func trim(schema *arrow.Schema) *arrow.Schema {
	var columns, reserved []arrow.Field
	marked := false
	for _, f := range schema.Fields() {
		switch {
		case connector.IsReserved(f.Name):
			reserved = append(reserved, f)
		case !isHostField(f.Name):
			marked = marked || f.Name == deletedAt
			columns = append(columns, f)
		}
	}
	if !marked {
		columns = append(columns, connector.JSONField(deletedAt))
	}
	meta := schema.Metadata()
	return arrow.NewSchema(append(columns, reserved...), &meta)
}

func rawFields(c *configured, fields func(stream string) []string) []string {
	var names []string
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] && !isHostField(name) && !connector.IsReserved(name) {
			seen[name] = true
			names = append(names, name)
		}
	}
	if fields != nil {
		for _, name := range fields(c.Stream.Name) {
			add(name)
		}
	}
	var s struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if json.Unmarshal(c.Stream.JSONSchema, &s) == nil {
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			add(name)
		}
	}
	add(deletedAt)
	return names
}
