package rows

import (
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/go-faster/jx"

	"github.com/sluicehq/sluice/connector"
)

// Refusal says why an object is not a row. Code is one of connector.CodeBadJSON, CodeBadUTF8, CodeBadType and CodeTooBig;
// Field is the member at fault, where known. Message never quotes the value: it may be personal.
type Refusal struct{ Code, Field, Message string }

func (r *Refusal) Error() string {
	if r.Field == "" {
		return r.Code + ": " + r.Message
	}
	return fmt.Sprintf("%s: field %q: %s", r.Code, r.Field, r.Message)
}

// Result returns the refusal as the verdict on a row of a batch.
func (r *Refusal) Result(row int) connector.RowResult {
	return connector.RowResult{Row: row, Verdict: connector.VerdictRejected, Code: r.Code, Message: r.Message, Field: r.Field}
}

// refuse looks for the reason why a text is not a row, slowly and from the start; nil if it is one.
func refuse(object []byte) *Refusal {
	for i := 0; i < len(object); {
		r, n := utf8.DecodeRune(object[i:])
		if r == utf8.RuneError && n == 1 {
			return &Refusal{Code: connector.CodeBadUTF8, Message: fmt.Sprintf("byte 0x%02x at offset %d is not UTF-8", object[i], i)}
		}
		i += n
	}
	bad := func(format string, args ...any) *Refusal {
		return &Refusal{Code: connector.CodeBadJSON, Message: fmt.Sprintf(format, args...)}
	}
	start := skipSpace(object, 0)
	if start == len(object) {
		return bad("the text is empty, not a JSON object")
	}
	if deep(object, maxDepth) {
		return bad("nested deeper than %d levels", maxDepth)
	}
	raw, err := jx.DecodeBytes(object[start:]).Raw()
	switch err = cause(err); {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return bad("not valid JSON: the text, or a number in it, ends too early")
	case err != nil:
		return bad("not valid JSON: %v", err)
	}
	if end := skipSpace(object, start+len(raw)); end < len(object) {
		return bad("something stands behind the JSON value at offset %d", end)
	}
	if object[start] != '{' {
		return bad("a JSON %s, not an object", jx.Raw(object[start:]).Type())
	}
	if i := loneSurrogate(object); i >= 0 {
		return &Refusal{Code: connector.CodeBadUTF8, Message: fmt.Sprintf("the escape %s at offset %d is half a character", object[i:i+6], i)}
	}
	return nil
}

// cause returns the innermost error: jx wraps one layer around it for every level of nesting.
func cause(err error) error {
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err
}
