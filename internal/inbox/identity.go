package inbox

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strconv"
)

// Identity tells an inbox from any other, also from one that takes its place in the same folder: there the sequences begin
// again, and who read the one before would pass over what came since. A salvaged inbox keeps it. 0: not known.
type Identity uint32

// String is 8 hexadecimal digits.
func (id Identity) String() string { return fmt.Sprintf("%08x", uint32(id)) }

// ParseIdentity reads what String wrote.
func ParseIdentity(text string) (Identity, error) {
	n, err := strconv.ParseUint(text, 16, 32)
	if err != nil || len(text) != 8 || n == 0 {
		return 0, fmt.Errorf("%q is not the identity of an inbox", text)
	}
	return Identity(n), nil
}

func newIdentity() Identity {
	var b [4]byte
	for {
		_, _ = rand.Read(b[:]) // never fails
		if n := binary.LittleEndian.Uint32(b[:]); n != 0 {
			return Identity(n)
		}
	}
}

// Identity is the inbox's.
func (r *Reader) Identity(ctx context.Context) (id Identity, err error) {
	err = r.view(ctx, func(_ *conn, m meta) error { id = Identity(m.id); return nil })
	return id, err
}
