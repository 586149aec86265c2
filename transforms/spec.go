package transforms

import (
	"slices"

	"github.com/sluicehq/sluice/connector"
)

// Spec is a parsed document. It is never changed and may be shared.
type Spec struct {
	name    string
	streams []*streamSpec
}

type onError uint8

const (
	onErrorUnset onError = iota
	onErrorReject
	onErrorNull
	onErrorFail
)

type rest uint8

const (
	restDrop rest = iota
	restKeep
	restCustom
)

type onDelete uint8

const (
	deleteSkip onDelete = iota
	deleteReject
)

// onNull says what becomes of a field that is null; one that is absent is always left out.
type onNull uint8

const (
	onNullUnset onNull = iota
	onNullOmit         // left out, as if it were absent
	onNullClear        // written in the vendor's own form for a field that is to be emptied
	onNullKeep         // written as null
)

// nullRule is `on_null:` and where it stands.
type nullRule struct {
	do onNull
	at pos
}

// streamSpec is one entry of `streams:`.
type streamSpec struct {
	pattern     string
	at          pos
	skip        bool
	explode     *explodeSpec
	where       *expression
	fields      []*fieldSpec
	identifiers []ref
	rest        rest
	onDelete    onDelete
	onNull      nullRule
	nulls       bool // of a preset: the codec writes explicit nulls
}

// fieldSpec is one entry of `fields:`; its first step is a source.
type fieldSpec struct {
	name     string
	at       pos
	steps    []*step
	onError  onError
	onNull   nullRule
	clear    *value // of a preset: the wire form of a field that is to be emptied
	clearAt  pos
	required bool
}

// match finds the entry for a stream: the one of that very name, else the first whose glob fits; nil for none.
func (s *Spec) match(stream string) *streamSpec {
	if s == nil {
		return nil
	}
	for _, entry := range s.streams {
		if entry.pattern == stream {
			return entry
		}
	}
	for _, entry := range s.streams {
		if globMatch(entry.pattern, stream) {
			return entry
		}
	}
	return nil
}

// globMatch matches the whole name: * stands for any text, ? for one character, everything else for itself.
func globMatch(pattern, name string) bool {
	p, n := []rune(pattern), []rune(name)
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(n) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == n[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}

// Override returns the preset s with the fields of over laid over it: a field of the same name is replaced whole, a new
// one is added. over holds one stream, "*", like the preset; its identifiers, if any, replace the preset's.
func (s *Spec) Override(over *Spec) (*Spec, error) {
	base := s.preset()
	if base == nil {
		return nil, connector.Internalf("", "override: %s is no preset", s.name)
	}
	var probs Problems
	merged := *base
	merged.fields = slices.Clone(base.fields)
	for _, entry := range over.streams {
		if entry.pattern != "*" || entry.skip || entry.where != nil || entry.explode != nil {
			probs = append(probs, entry.at.problem(`changes to a preset stand under the one stream "*", as fields only`))
			continue
		}
		for _, f := range entry.fields {
			if i := slices.IndexFunc(merged.fields, func(old *fieldSpec) bool { return old.name == f.name }); i >= 0 {
				merged.fields[i] = f
			} else {
				merged.fields = append(merged.fields, f)
			}
		}
		merged.nulls = merged.nulls || entry.nulls
		if entry.identifiers != nil {
			merged.identifiers = entry.identifiers
		}
	}
	if err := probs.err(); err != nil {
		return nil, err
	}
	return &Spec{name: s.name, streams: []*streamSpec{&merged}}, nil
}

// preset returns the one stream of a preset, nil where the document is none.
func (s *Spec) preset() *streamSpec {
	if s == nil || len(s.streams) != 1 || s.streams[0].pattern != "*" || s.streams[0].skip {
		return nil
	}
	return s.streams[0]
}
