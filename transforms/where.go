package transforms

// parseWhere compiles the condition of a stream: an expression over the record's fields, see opExpr. A row for which it is
// false is filtered.
func parseWhere(a arg) *expression { return parseExpression(a, "a condition") }

// useWhere binds the condition to the record's fields.
func (b *builder) useWhere(w *expression) {
	if w == nil {
		return
	}
	b.where = w
	b.unknownNames(w)
	for _, r := range w.names {
		b.whereIn = append(b.whereIn, b.bind(r))
	}
}

// applyWhere keeps the rows for which the condition holds. A row for which it cannot be told is refused.
func (x *exec) applyWhere() {
	x.keepRows(func(r int32) bool {
		if x.dead[r] {
			return true
		}
		v, err := x.evaluate(x.g.where, x.g.whereIn, r)
		if err != nil {
			x.refuse(r, keyWhere, &fault{codeBadValue, "where: " + shortenTo(err.Error(), shownError)})
			return true
		}
		return bool(v.Truth())
	})
}
