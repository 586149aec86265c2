package transforms

import (
	"fmt"
	"slices"
	"sync"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/sluicehq/sluice/connector"
)

// Options say what a mapping is compiled for.
type Options struct {
	// Preset is the vendor's dialect, a document with the one stream "*"; nil: the canonical columns are the output.
	Preset *Spec
	// Once: what is written does harm when it is written twice, so that a row must not be sent in several parts.
	Once bool
	// Identifiers are the canonical columns by which Plan.Key names a row, the first that has a value.
	Identifiers []string
	// Alloc is what output columns are made with; nil: memory.DefaultAllocator.
	Alloc memory.Allocator
	// Notice takes sentences for the log, each once per stream: fields that are dropped or not found. May be nil; may be
	// called from any goroutine that runs a plan.
	Notice func(msg string)
}

// Mapping is a compiled document. It is safe for concurrent use.
type Mapping struct {
	user *Spec
	opts Options

	mu      sync.Mutex
	noticed map[string]bool // notices that were given; guarded by mu
}

// Compile joins the user's document with the preset and checks both as far as it can be done before a schema is known.
// user nil: source fields go to the preset by their own names. The error lists every fault.
func Compile(user *Spec, o Options) (*Mapping, error) {
	if o.Alloc == nil {
		o.Alloc = memory.DefaultAllocator
	}
	if o.Preset != nil && o.Preset.preset() == nil {
		return nil, connector.Internalf("", "compile: %s must hold exactly one stream, \"*\", with fields", o.Preset.name)
	}
	m := &Mapping{user: user, opts: o, noticed: map[string]bool{}}
	if p := o.Preset.preset(); p != nil && (p.where != nil || p.explode != nil || p.onNull.do != onNullUnset || p.rest != restDrop || p.onDelete != deleteSkip) {
		return nil, connector.Internalf("", "compile: %s: where, explode, on_null, rest and on_delete are the user's to say, not a preset's", o.Preset.name)
	}
	entries := []*streamSpec{nil}
	if user != nil {
		entries = append(entries, user.streams...)
	}
	var problems Problems
	for _, entry := range entries {
		switch {
		case entry == nil:
			_, err := build(o, user, "", nil, nil)
			problems = append(problems, problemsOf(err)...)
		case !entry.skip:
			problems = append(problems, entry.presetOnly()...)
			if entry.explode != nil && o.Once {
				problems = append(problems, entry.explode.field.at.problem(
					"explode makes several rows of one, and what is written here does harm when it is written twice, as a refused row that is sent again in part would be"))
			}
			_, err := build(o, user, entry.pattern, entry, nil)
			problems = append(problems, problemsOf(err)...)
		}
	}
	if err := problems.err(); err != nil {
		return nil, err
	}
	return m, nil
}

// presetOnly reports what a user's document cannot say.
func (s *streamSpec) presetOnly() (problems Problems) {
	if s.identifiers != nil {
		problems = append(problems, s.at.problem("identifiers stand in a vendor's preset only"))
	}
	if s.nulls {
		problems = append(problems, s.at.problem("nulls stands in a vendor's preset only; on_null says what becomes of a field that is null"))
	}
	for _, f := range s.fields {
		if f.clear != nil {
			problems = append(problems, f.clearAt.problem("clear stands in a vendor's preset only; on_null says what becomes of a field that is null"))
		}
	}
	return problems
}

// Fields lists the source fields that a reader without a schema should make columns of: those the mapping reads, or the
// preset's where the mapping names none, and the marks of deleted rows. Of a path both the whole and its head are listed.
func (m *Mapping) Fields(stream string) []string {
	entry := m.user.match(stream)
	var names []string
	add := func(name string) {
		for _, n := range []string{name, headOf(name)} {
			if n != "" && n != connector.ColumnNull && n != connector.ColumnExtra && !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	addSpec := func(s *streamSpec) {
		if s == nil {
			return
		}
		for _, f := range s.fields {
			for _, r := range f.steps[0].source.refs {
				add(r.name)
			}
		}
		if s.where != nil {
			for _, r := range s.where.names {
				add(r.name)
			}
		}
	}
	addSpec(entry)
	if entry != nil && entry.explode != nil {
		add(entry.explode.field.name)
	}
	if entry == nil || len(entry.fields) == 0 || entry.rest == restKeep {
		addSpec(m.opts.Preset.preset())
	}
	for _, name := range m.opts.Identifiers {
		if entry == nil || len(entry.fields) == 0 {
			add(name)
		}
	}
	for _, name := range markerNames {
		add(name)
	}
	return names
}

// Plans binds the mapping to a stream and its schema: one plan, or none where the document skips the stream. The error
// lists every step that does not suit the columns that are there.
func (m *Mapping) Plans(stream string, schema *arrow.Schema) ([]connector.Plan, error) {
	p, err := m.plan(stream, schema)
	if p == nil || err != nil {
		return nil, err
	}
	return []connector.Plan{p}, nil
}

func (m *Mapping) plan(stream string, schema *arrow.Schema) (*plan, error) {
	entry := m.user.match(stream)
	if entry != nil && entry.skip {
		return nil, nil
	}
	if schema == nil {
		return nil, connector.Internalf("", "plans: stream %s has no schema", stream)
	}
	var ex *exploder
	if entry != nil && entry.explode != nil {
		var err error
		if ex, err = newExploder(stream, entry.explode, schema); err != nil {
			return nil, err
		}
		schema = ex.schema
	}
	b, err := build(m.opts, m.user, stream, entry, schema)
	if err != nil {
		return nil, err
	}
	if entry == nil && m.user != nil {
		m.notice(fmt.Sprintf("stream %s: no entry of the mapping fits it; its fields go by their own names", stream))
	}
	for _, msg := range b.notices {
		m.notice(msg)
	}
	p := newPlan(m, b)
	if p.explode = ex; ex != nil {
		ex.serve(b.graph)
	}
	return p, nil
}

// notice hands a sentence on, once.
func (m *Mapping) notice(msg string) {
	if m.opts.Notice == nil {
		return
	}
	m.mu.Lock()
	seen := m.noticed[msg]
	m.noticed[msg] = true
	m.mu.Unlock()
	if !seen {
		m.opts.Notice(msg)
	}
}
