package transforms

import "sort"

// Op is one step of the language: what `sluice` documents, checks and runs.
type Op struct {
	Name      string
	Signature string // how it is written
	Doc       string // Markdown: what it does, what it leaves alone
	In, Out   Kinds  // what it takes and makes; Out 0: the kind that came in
	Source    bool   // it makes a value from fields of the record instead of changing one
	Errors    []string
	Examples  []Example

	parse func(a arg) *step
}

// Example is a field, a record and what becomes of it. It stands in the reference and is run as a test.
type Example struct {
	Field string // the field as it is written in a document
	In    string // the record, as JSON
	Out   string // the value as JSON; "" : nothing comes out
	Code  string // the code with which the record is refused; Out is empty then
}

// Ops lists the language in the order in which shortcut keys take effect.
func Ops() []Op {
	return []Op{
		opFrom, opValue, opTemplate, opExpr, opName, opJSON, opTrim, opCase, opReplace, opExtract, opSplit, opEach, opMap, opGender, opTags, opDate, opPhone,
		opKeys, opUnique, opSort, opJoin, opHash, opDefault, opTruncate, opMaxLength, opType,
	}
}

// step is one op with its arguments, ready to run. It depends on no schema and is never changed after Parse.
type step struct {
	op   string
	args string // as written, shortened, for Explain
	key  string // op and arguments in full: steps of one key do the same; "" compares with none
	at   pos
	rank int // place in the order of shortcut keys

	source *source     // not nil: the step makes the value
	expr   *expression // of the source, where it is one
	run    kernel

	in     Kinds
	passes Kinds // taken, and left as it is: of no use where nothing else can come
	why    string
	out    func(in Kinds) Kinds

	checks   bool // values come out as they went in, or not at all
	fallback bool // it fills missing values: a map before it leaves unknown ones to it
	table    *mapTable
	plus     plus
}

// source is a step at the head of a field.
type source struct {
	refs []ref
	out  func(in []Kinds) Kinds
	// fill makes the value of every live row from the inputs, which stand in the order of refs.
	fill func(x *exec, in []input, vec *vector)
	// plain: the first input that is not missing, nothing more; such a field may share its column.
	plain bool
}

// ref names a field of the record, or a column made before.
type ref struct {
	name string
	at   pos
}

func sameKinds(in Kinds) Kinds            { return in }
func always(k Kinds) func(in Kinds) Kinds { return func(Kinds) Kinds { return k } }
func union(in []Kinds) (all Kinds) {
	for _, k := range in {
		all |= k
	}
	return all
}

// opNames returns the names of all ops and field settings, for hints.
func (p *parser) opNames() []string {
	names := []string{keySteps, keyOnError, keyOnNull, keyRequired}
	for name := range p.ops {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// rankLast is the place of steps that come after all others.
const rankLast = 1000

// sortSteps puts shortcut keys into their one order.
func sortSteps(steps []*step) {
	sort.SliceStable(steps, func(i, j int) bool { return steps[i].rank < steps[j].rank })
}
