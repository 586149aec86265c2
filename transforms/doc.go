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
// A plan works on 512 rows at a time: each source field is loaded into a [vector], a column of values whose texts alias
// the input's buffers, each step turns one vector into another, and the rows that are left go to the output columns. A
// field that only renames a column shares it with the input, and so does one whose steps turn out to change no text.
// Fields with the same steps of the same source are evaluated once (reuse.go).
//
// # What stands around the fields
//
// `explode` comes first (explode.go): a record is gathered into one with a row for each element of a list, and all else,
// `where` included, speaks of those rows. The rows of one source row go on together or are refused together.
//
// A path is written a.b.0 (a.b[0] reads the same); on the left a name with dots makes an object, and below `custom` the rest
// of the name is one name. A field whose own name looks like a path is found first.
//
// Absent, null and "" are three things. A field that is absent in the source, or that a step refuses with `on_error: null`,
// is left out whatever `on_null` says. One that is null is left out (omit), written as null (keep: a bit in the column
// "_null", refused where the preset does not say `nulls: sent`), or written as the preset's `clear:` says, refused where it
// says nothing. Without a preset clear is null.
//
// Conditions and `expr` are Starlark (expr.go) with a budget of work instead of one of time (expr_guard.go), so that the
// same row gets the same answer on every machine.
//
// # How a step is written
//
// Each step of the language is one file op_<name>.go with its documentation and its examples, which are its tests; the
// list of them is [Ops]. Its parse function reads the argument once, reports what is wrong with it, and returns a step
// whose run is a kernel, made in one of three ways:
//
//   - values(one), where one is the definition of the step: what becomes of one value that is not missing, or why it is
//     refused. Most steps need no more. scalar makes a definition from a function of text.
//   - texts(fast, one) adds a column kernel for texts, which changes them where they stand in the vector, in the rows that
//     hold any: a plain loop, without a call a row, that writes only what changes. It refuses nothing: what it does not know for sure it leaves to the
//     definition (exec.leave), so that it may be as narrow as the common case and never has messages of its own.
//   - a function of vectors, where missing values count too, as in default.
//
// Whatever a step makes is an alias of what came in, or stands in the exec's arena (room, then keep; or store); nothing is
// allocated for a row. Add a new column kernel to kernels in kernel_test.go, with texts that it looks for: there random columns go
// through kernels and through definitions alone, and must come out alike.
package transforms
