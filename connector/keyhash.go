package connector

// KeyHash makes the hashes of Codec.AppendKeys: FNV-1a, with a last mix because queues use the low bits. A hash is the
// same in every process. Methods return the hash grown by their argument; start from NewKeyHash.
type KeyHash uint64

// NewKeyHash starts a hash; identifiers of different kinds are kept apart by their kind.
func NewKeyHash(kind byte) KeyHash { return 0xcbf29ce484222325 ^ KeyHash(kind) }

// Byte adds one byte.
func (h KeyHash) Byte(b byte) KeyHash { return (h ^ KeyHash(b)) * 0x100000001b3 }

// Text adds a text as it is.
func (h KeyHash) Text(s string) KeyHash {
	for i := range len(s) {
		h = h.Byte(s[i])
	}
	return h
}

// Sum is the finished hash.
func (h KeyHash) Sum() uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return uint64(h ^ h>>33)
}
