package casefile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// diff lists where two JSON values differ, one line each, by their paths. Numbers are equal where they are spelled alike.
func diff(want, got []byte) []string {
	w, werr := decode(want)
	g, gerr := decode(got)
	if werr != nil || gerr != nil {
		if bytes.Equal(want, got) {
			return nil
		}
		return []string{fmt.Sprintf("want %s, got %s", want, got)}
	}
	return compare(nil, "", w, g)
}

func decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

func compare(out []string, path string, want, got any) []string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			break
		}
		names := map[string]bool{}
		for name := range w {
			names[name] = true
		}
		for name := range g {
			names[name] = true
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			wv, inWant := w[name]
			gv, inGot := g[name]
			at := name
			if path != "" {
				at = path + "." + name
			}
			switch {
			case !inGot:
				out = append(out, fmt.Sprintf("%s: want %s, got nothing", at, shown(wv)))
			case !inWant:
				out = append(out, fmt.Sprintf("%s: want nothing, got %s", at, shown(gv)))
			default:
				out = compare(out, at, wv, gv)
			}
		}
		return out
	case []any:
		g, ok := got.([]any)
		if !ok {
			break
		}
		for i := range max(len(w), len(g)) {
			at := fmt.Sprintf("%s[%d]", path, i)
			switch {
			case i >= len(g):
				out = append(out, fmt.Sprintf("%s: want %s, got nothing", at, shown(w[i])))
			case i >= len(w):
				out = append(out, fmt.Sprintf("%s: want nothing, got %s", at, shown(g[i])))
			default:
				out = compare(out, at, w[i], g[i])
			}
		}
		return out
	}
	if w, g := shown(want), shown(got); w != g {
		if path != "" {
			path += ": "
		}
		out = append(out, fmt.Sprintf("%swant %s, got %s", path, w, g))
	}
	return out
}

// shown writes a value as JSON, with its members in order.
func shown(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}
