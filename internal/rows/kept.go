package rows

import (
	"strconv"

	"github.com/sluicehq/sluice/connector"
)

// Keeps reports whether the schema is made for rows that are passed on as they are: a column of integers and "_extra",
// nothing else. AppendKept is for such a builder.
func (b *Builder) Keeps() bool {
	return len(b.cols) == 2 && b.extra >= 0 && b.cols[1-b.extra].kind == kindInt
}

// AppendKept adds a row of which n goes to the column of integers and members, as they are, to "_extra". Nobody looks at
// members again: the caller vouches that they are a JSON object on one line, in UTF-8, each name once and none that of the
// column. The Refusal is that of Append for a record that would be too big.
func (b *Builder) AppendKept(n int64, members []byte) *Refusal {
	size := int64(len(members)) + b.fixed
	if b.bytes+size > maxStaged {
		return tooBig()
	}
	b.cols[1-b.extra].appendInt(n)
	b.cols[b.extra].appendBytes(members)
	b.bytes += size
	b.rows++
	return nil
}

// AppendNumbered appends an object of members, with a number as one more that comes first.
func AppendNumbered(dst []byte, name string, n int64, members []byte) []byte {
	dst = strconv.AppendInt(append(AppendString(append(dst, '{'), name), ':'), n, 10)
	if len(members) > len("{}") {
		dst = append(dst, ',')
	}
	return append(dst, members[min(1, len(members)):]...)
}

func tooBig() *Refusal {
	return &Refusal{Code: connector.CodeTooBig, Message: "a record of rows would outgrow 2 GiB; make smaller batches"}
}
