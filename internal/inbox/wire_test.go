package inbox

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/http"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func wirePage() Page {
	at := time.Date(2026, 11, 2, 3, 4, 5, 6, time.UTC)
	a := Endpoint{Name: "main/portrait", Vendor: "socialepoch", Account: "82", Type: "user_sync_portrait"}
	b := Endpoint{Name: "calls", Vendor: "outcall"}
	return Page{
		Last: 12, More: true, Trimmed: 3, Held: 2,
		Damaged: []Damage{{From: 7, To: 9, Reason: reasonLost}},
		Records: []Record{
			{
				Seq: 4, Endpoint: a, ReceivedAt: at, Method: "POST", Body: []byte(`{"data":[1,2,3]}`), Items: 3, seen: []byte{0b101},
				header: appendHeader(nil, http.Header{"Content-Type": {"application/json"}, "X": {"1", "2"}}),
			},
			{Seq: 5, Endpoint: b, ReceivedAt: at, Method: "POST", Body: []byte{}, Items: 1, seen: []byte{0}, header: []byte{0}, Origin: 2},
			{
				Seq: 12, Endpoint: a, ReceivedAt: at, Method: "PUT", Body: bytes.Repeat([]byte{0, 255}, 300), Items: 1, seen: []byte{0},
				header: []byte{0}, Quarantine: "token_reuse", Note: "odd", keys: bytes.Repeat([]byte{9}, keySize),
			},
		},
	}
}

func TestPageRoundTrip(t *testing.T) {
	for _, want := range []Page{{}, {Last: 5}, wirePage()} {
		b, err := want.AppendTo([]byte("before"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParsePage(b[len("before"):])
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("page\n%+v\nwant\n%+v", got, want)
		}
	}
}

// Every cut and every flipped bit is noticed, and none makes the parser fail otherwise.
func TestPageSpoiled(t *testing.T) {
	page := wirePage()
	good, err := page.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	for n := range good {
		if _, err := ParsePage(good[:n]); !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut at %d: %v", n, err)
		}
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[n] ^= 1 << bit
			if _, err := ParsePage(bad); !errors.Is(err, ErrDamaged) {
				t.Fatalf("bit %d of byte %d: %v", bit, n, err)
			}
		}
	}
	if _, err := ParsePage(append(bytes.Clone(good), 0)); !errors.Is(err, ErrDamaged) {
		t.Fatalf("longer: %v", err)
	}
}

func FuzzParsePage(f *testing.F) {
	page := wirePage()
	good, err := page.AppendTo(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(pageMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		// A sum that fits takes the input past the first door.
		if len(b) > 4 {
			body := b[:len(b)-4]
			sealed := binary.LittleEndian.AppendUint32(bytes.Clone(body), crc32.Checksum(body, castagnoli))
			if p, err := ParsePage(sealed); err == nil {
				again, err := p.AppendTo(nil)
				if err != nil {
					t.Fatal(err)
				}
				if q, err := ParsePage(again); err != nil || !reflect.DeepEqual(p, q) {
					t.Fatalf("%v: %+v, %+v", err, p, q)
				}
			}
		}
		_, _ = ParsePage(b)
	})
}

// The checks of records that are on disks already are those of the library.
func TestSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seq, endpoint := rapid.Int64().Draw(t, "sequence"), rapid.Uint32().Draw(t, "endpoint")
		text := rapid.SliceOf(rapid.Byte()).Draw(t, "text")
		number := binary.LittleEndian.AppendUint64(nil, uint64(seq))
		if got, want := sum(seq, text), crc32.Checksum(append(number, text...), castagnoli); got != want {
			t.Errorf("sum %08x, want %08x", got, want)
		}
		if got, want := uint32(tag(seq, endpoint)), sum(seq, binary.LittleEndian.AppendUint32(nil, endpoint)); got != want {
			t.Errorf("tag %08x, want %08x", got, want)
		}
	})
}
