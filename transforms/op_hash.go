package transforms

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
)

var opHash = Op{
	Name:      "hash",
	Signature: "hash: sha256 | sha512 | sha1 | md5 | {algorithm: sha256, salt: TEXT}",
	Doc: "Replaces a text by its hash in hexadecimal, for keys that must not show what they stand for. The salt is put before the text. " +
		"Use sha256 unless another system computes the same hash with something older.",
	In: Scalar, Out: Text, Errors: []string{codeBadValue},
	Examples: []Example{
		{Field: `{from: a, hash: sha256}`, In: `{"a":"abc"}`, Out: `"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"`},
		{Field: `{from: a, hash: md5}`, In: `{"a":"abc"}`, Out: `"900150983cd24fb0d6963f7d28e17f72"`},
		{Field: `{from: a, hash: {algorithm: sha1, salt: "ab"}}`, In: `{"a":"c"}`, Out: `"a9993e364706816aba3e25717850c26c9cd0d89d"`},
		{Field: `{from: a, hash: md5}`, In: `{"a":[1]}`, Code: codeBadValue},
	},
	parse: func(a arg) *step {
		name, salt := a, ""
		if a.isMap() {
			set := a.settings("algorithm", "salt")
			algorithm, found := set["algorithm"]
			if !found {
				a.problem("needs algorithm")
				return nil
			}
			name = algorithm
			if s, found := set["salt"]; found {
				salt, _ = s.str()
			}
		}
		word, ok := name.oneOf("sha256", "sha512", "sha1", "md5")
		if !ok {
			return nil
		}
		sum := digests[word]
		return &step{run: values(scalar("hash", func(x *exec, s string) (value, *fault) {
			x.buf = append(append(x.buf[:0], salt...), s...)
			return textValue(x.keep(sum(x.room(2*sha512.Size), x.buf))), nil
		}))}
	},
}

// digests append the hexadecimal hash of a text.
var digests = map[string]func(dst, text []byte) []byte{
	"sha256": func(dst, text []byte) []byte { h := sha256.Sum256(text); return hex.AppendEncode(dst, h[:]) },
	"sha512": func(dst, text []byte) []byte { h := sha512.Sum512(text); return hex.AppendEncode(dst, h[:]) },
	"sha1":   func(dst, text []byte) []byte { h := sha1.Sum(text); return hex.AppendEncode(dst, h[:]) },
	"md5":    func(dst, text []byte) []byte { h := md5.Sum(text); return hex.AppendEncode(dst, h[:]) },
}
