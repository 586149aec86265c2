package airbyte

import (
	"bytes"
	"encoding/json"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/sluicehq/sluice/internal/rows"
)

const (
	masked = "[REDACTED]"
	// A shorter secret is not looked for in texts: it would blank out ordinary words and numbers.
	shortestSecret = 4
)

// masker hides the configuration's secrets in every text that leaves.
type masker struct {
	replacer atomic.Pointer[strings.Replacer]
}

func (m *masker) hide(text string) string {
	if r := m.replacer.Load(); r != nil {
		return r.Replace(text)
	}
	return text
}

// set makes m hide these values, also as they look in a URL, in JSON and quoted in a log line.
func (m *masker) set(values []string) {
	forms := make(map[string]bool)
	for _, v := range values {
		if len(v) < shortestSecret {
			continue
		}
		html, _ := json.Marshal(v) // a string cannot fail
		for _, quoted := range []string{string(html), string(rows.AppendString(nil, v)), strconv.Quote(v), strconv.QuoteToASCII(v)} {
			forms[quoted[1:len(quoted)-1]] = true
		}
		for _, form := range []string{v, url.QueryEscape(v), url.PathEscape(v)} {
			forms[form] = true
		}
	}
	if len(forms) == 0 {
		return
	}
	sorted := make([]string, 0, len(forms))
	for form := range forms {
		sorted = append(sorted, form)
	}
	// Where two match at one place the longer must win, else the rest of it would be seen.
	sort.Slice(sorted, func(i, j int) bool { return len(sorted[i]) > len(sorted[j]) })
	pairs := make([]string, 0, 2*len(sorted))
	for _, form := range sorted {
		pairs = append(pairs, form, masked)
	}
	m.replacer.Store(strings.NewReplacer(pairs...))
}

// secretsOf returns the values in config that the specification marks as airbyte_secret.
func secretsOf(spec, config []byte) []string {
	var s struct {
		Schema any `json:"connectionSpecification"`
	}
	var value any
	dec := json.NewDecoder(bytes.NewReader(config))
	dec.UseNumber()
	if json.Unmarshal(spec, &s) != nil || dec.Decode(&value) != nil {
		return nil
	}
	return walkSecrets(nil, s.Schema, value)
}

func walkSecrets(found []string, schema, value any) []string {
	node, ok := schema.(map[string]any)
	if !ok {
		return found
	}
	if node["airbyte_secret"] == true {
		return appendScalars(found, value)
	}
	if object, ok := value.(map[string]any); ok {
		properties, _ := node["properties"].(map[string]any)
		for name, property := range properties {
			if v, there := object[name]; there {
				found = walkSecrets(found, property, v)
			}
		}
		for _, v := range object {
			found = walkSecrets(found, node["additionalProperties"], v)
		}
	}
	if list, ok := value.([]any); ok {
		for _, v := range list {
			found = walkSecrets(found, node["items"], v)
		}
	}
	variants, _ := node["oneOf"].([]any)
	for _, variant := range variants {
		found = walkSecrets(found, variant, value)
	}
	return found
}

func appendScalars(found []string, value any) []string {
	switch v := value.(type) {
	case string:
		return append(found, v)
	case json.Number:
		return append(found, v.String())
	case []any:
		for _, e := range v {
			found = appendScalars(found, e)
		}
	case map[string]any:
		for _, e := range v {
			found = appendScalars(found, e)
		}
	}
	return found
}
