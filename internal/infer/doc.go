// Package infer proposes a mapping from the names of a sample's columns and from their values.
//
//	objects ── Sample.Add ──▶ columns ── Propose ──▶ Proposal ── YAML ──▶ a mapping, with a comment at every doubt
//
// The name of a column says what it may hold (words.go); its values confirm that, or not (evidence.go, dates.go). They are
// tried with the very steps that a run would use, so what is proposed is what works. A line goes without a comment only
// where name and values leave one meaning; where they leave more, the line says what to look at, and where a wrong choice
// would change data (day or month first, what 1 and 2 mean) it is written as a comment that waits for its reader. Columns
// that nothing is proposed for are listed too. Values are never printed, other than words for genders: a mapping is
// checked in, and a sample is people's data.
package infer
