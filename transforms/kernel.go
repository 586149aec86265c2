package transforms

// kernel runs a step over the live rows of the chunk: it reads one vector and writes another, which may be the same. Every
// live row of dst is written.
type kernel func(x *exec, src, dst *vector)

// perValue is the definition of a step: what becomes of one value that is not missing, or why it is refused.
type perValue func(x *exec, v value) (value, *fault)

// perText is a column kernel over texts: it changes the texts of the rows given where they are, and touches no other. What
// it cannot deal with it leaves, as it was, to the definition with exec.leave. It refuses nothing itself.
type perText func(x *exec, vec *vector, rows []int32)

// values makes the kernel of a definition: missing values stay what they are.
func values(one perValue) kernel {
	return func(x *exec, src, dst *vector) { x.define(one, x.sel, src, dst) }
}

// texts makes the kernel of a definition and of a column kernel that comes to the same for texts, faster.
func texts(fast perText, one perValue) kernel {
	return func(x *exec, src, dst *vector) {
		if x.rowwise {
			x.define(one, x.sel, src, dst)
			return
		}
		if src != dst {
			dst.copyFrom(src)
		}
		x.left = x.left[:0]
		fast(x, dst, x.textRows(dst))
		x.define(one, x.left, dst, dst)
	}
}

// define runs a definition on the rows given.
func (x *exec) define(one perValue, rows []int32, src, dst *vector) {
	for _, r := range rows {
		if k := src.kind[r]; k <= kindNull {
			dst.kind[r] = k
			continue
		}
		v, bad := one(x, src.at(r))
		if bad != nil {
			v = x.fail(r, bad)
		}
		dst.set(r, v)
	}
}

// leave hands a row that a column kernel cannot deal with to the definition of its step.
func (x *exec) leave(row int32) { x.left = append(x.left, row) }

// textRows returns the live rows that hold text. Other values are left, missing ones stay what they are.
func (x *exec) textRows(vec *vector) []int32 {
	for i, r := range x.sel {
		if vec.kind[r] == kindText {
			continue
		}
		x.rows = append(x.rows[:0], x.sel[:i]...)
		for _, r := range x.sel[i:] {
			switch vec.kind[r] {
			case kindText:
				x.rows = append(x.rows, r)
			case kindAbsent, kindNull:
			default:
				x.leave(r)
			}
		}
		return x.rows
	}
	return x.sel
}

// scalar is a definition for what can be seen as text: numbers and booleans are, lists and objects are refused.
func scalar(op string, f func(x *exec, s string) (value, *fault)) perValue {
	return func(x *exec, v value) (value, *fault) {
		s, ok := x.text(v)
		if !ok {
			return v, &fault{codeBadValue, op + " takes text, not " + v.noun()}
		}
		return f(x, s)
	}
}
