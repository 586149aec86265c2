// Package transforms is the declarative mapping language: a document (YAML or JSON) that says which field of a source
// becomes which column, compiled into a [connector.Plan] over Arrow records.
//
//	document ── Parse ──▶ Spec ─┐
//	                            ├─ Compile ──▶ Mapping ── Plans(stream, schema) ──▶ connector.Plan
//	vendor's preset ── Parse ───┘
//
// The user's document makes canonical columns, the preset turns those into the vendor's; both become one graph, with no
// record between. A [Mapping] is checked as far as it can be without a schema when it is compiled, and again, against
// the columns that are really there, when a plan is made. Every fault of a document is reported at once, with its place.
//
// A plan works on 512 rows at a time: each source field is loaded into a vector of small values that alias the input's
// buffers, each step changes a vector in place, and the rows that are left go to the output columns. A field that only
// renames a column shares it with the input.
//
// Each step of the language is one file op_<name>.go with its documentation and its examples, which are its tests. The
// list of them is [Ops].
package transforms
