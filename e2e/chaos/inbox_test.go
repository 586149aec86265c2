//go:build chaos

package chaos

import (
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the audit reads the file by SQL, not by the inbox's own reader
)

// findings are what an inbox holds beside what its senders know.
type findings struct {
	records   int
	unasked   int // requests that nobody was told of: stored, and the answer lost
	lost      int // acknowledged requests of which an item is not there
	twice     int // items that would be applied more than once
	strangers int // items that nobody sent, or in other words
	broken    []string
}

func (f *findings) String() string {
	return fmt.Sprintf("records %d, stored and not acked %d, lost %d, duplicates %d, damaged %d", f.records, f.unasked, f.lost, f.twice, f.strangers+len(f.broken))
}

func (f *findings) hold(t *testing.T) {
	t.Helper()
	if f.lost+f.twice+f.strangers+len(f.broken) > 0 {
		t.Fatalf("%s\n%s", f, strings.Join(f.broken[:min(10, len(f.broken))], "\n"))
	}
}

func (f *findings) breaks(format string, args ...any) {
	f.broken = append(f.broken, fmt.Sprintf(format, args...))
}

// auditInbox reads an inbox with a reader of its own: SQL, the documented frame, its checksum.
func auditInbox(t *testing.T, dir string, sent []delivery) *findings {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "inbox.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	f := &findings{}
	var whole string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&whole); err != nil || whole != "ok" {
		f.breaks("integrity_check: %s, %v", whole, err)
	}
	names := endpointNames(t, db, f)
	rows, err := db.Query("SELECT seq, data FROM record ORDER BY seq")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	account := map[int]string{} // item → endpoint
	items := 0
	for _, d := range sent {
		for i := range d.n {
			account[d.first+i] = fmt.Sprintf("sender%d/user_sync_portrait", d.account)
		}
		items += d.n
	}
	times := make([]uint8, items)
	next := int64(1)
	head, settled := headOf(db, f)
	known := knownKeys(t, db)
	for rows.Next() {
		var (
			seq  int64
			data []byte
		)
		if err := rows.Scan(&seq, &data); err != nil {
			t.Fatal(err)
		}
		if seq != next {
			f.breaks("%d follows %d", seq, next-1)
		}
		next = seq + 1
		f.records++
		f.record(seq, data, names, account, times)
		for _, k := range freshKeys(data) {
			if seq <= settled && !known[k] {
				f.breaks("a key of record %d is not in its table, and the head row says that they are up to %d", seq, settled)
			}
		}
	}
	if err := rows.Err(); err != nil {
		f.breaks("the records: %v", err)
	}
	f.compare(sent, times, head, next-1)
	return f
}

// compare holds what was found against what was sent.
func (f *findings) compare(sent []delivery, times []uint8, head, last int64) {
	if head != last {
		f.breaks("the head row says %d, the last record is %d", head, last)
	}
	for _, d := range sent {
		there := 0
		for i := range d.n {
			if n := times[d.first+i]; n > 0 {
				there++
				f.twice += int(n) - 1
			}
		}
		switch {
		case d.acked && there < d.n:
			f.lost++
		case !d.acked && there == d.n:
			f.unasked++
		case there > 0 && there < d.n:
			f.breaks("of the request with the items from %d on, %d of %d are there", d.first, there, d.n)
		}
	}
}

// record takes one frame apart: crc32c | version | flags | endpoint | received | origin | items | seen bits | 16 bytes an item |
// three texts | headers | body.
func (f *findings) record(seq int64, b []byte, names map[uint32]string, account map[int]string, times []uint8) {
	if len(b) < 30 || binary.LittleEndian.Uint32(b) != checksum(seq, b[4:]) {
		f.breaks("record %d does not match its checksum", seq)
		return
	}
	if b[4] != 1 || b[5]&^2 != 4 { // 2: a call is to be made; 4: the keys of the items are here
		f.breaks("record %d has version %d, flags %d", seq, b[4], b[5])
		return
	}
	name, n := names[binary.LittleEndian.Uint32(b[6:])], int(binary.LittleEndian.Uint32(b[26:]))
	seen, rest := b[30:30+(n+7)/8], b[30+(n+7)/8+16*n:]
	text := func() (out []byte) {
		size, k := binary.Uvarint(rest)
		out, rest = rest[k:k+int(size)], rest[k+int(size):]
		return out
	}
	for range 3 {
		text()
	}
	headers, k := binary.Uvarint(rest)
	rest = rest[k:]
	for range 2 * headers {
		text()
	}
	var body struct {
		Data []json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(rest, &body); err != nil || len(body.Data) != n {
		f.breaks("record %d: %v, %d items of %d: %.80s", seq, err, len(body.Data), n, rest)
		return
	}
	for i, raw := range body.Data {
		var item struct {
			ID string `json:"id"`
		}
		_ = json.Unmarshal(raw, &item)
		id, err := strconv.Atoi(strings.TrimPrefix(item.ID, "e-"))
		switch {
		case err != nil || id >= len(times) || string(raw) != hookItem(id) || account[id] != name:
			f.strangers++
		case seen[i/8]&(1<<(i%8)) == 0:
			times[id]++
		case times[id] == 0:
			f.breaks("record %d calls item %d seen, and none before it has it", seq, id)
		}
	}
}

// freshKeys are the keys in a frame of the items that were not seen before.
func freshKeys(b []byte) (keys []string) {
	if len(b) < 30 || b[5]&4 == 0 {
		return nil
	}
	n := int(binary.LittleEndian.Uint32(b[26:]))
	for i := range n {
		if at := 30 + (n+7)/8 + 16*i; at+16 <= len(b) && b[30+i/8]&(1<<(i%8)) == 0 {
			keys = append(keys, string(b[at:at+16]))
		}
	}
	return keys
}

func knownKeys(t *testing.T, db *sql.DB) map[string]bool {
	t.Helper()
	rows, err := db.Query("SELECT key FROM seen")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	known := map[string]bool{}
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			t.Fatal(err)
		}
		known[key] = true
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return known
}

func checksum(seq int64, b []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(binary.LittleEndian.AppendUint64(nil, uint64(seq)), table), table, b)
}

func endpointNames(t *testing.T, db *sql.DB, f *findings) map[uint32]string {
	t.Helper()
	rows, err := db.Query("SELECT id, data FROM endpoint")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names := map[uint32]string{}
	for rows.Next() {
		var (
			id   int64
			data []byte
			at   struct{ Name string }
		)
		if err := rows.Scan(&id, &data); err != nil {
			t.Fatal(err)
		}
		if len(data) < 4 || binary.LittleEndian.Uint32(data) != checksum(id, data[4:]) || json.Unmarshal(data[4:], &at) != nil {
			f.breaks("endpoint %d is damaged", id)
		}
		names[uint32(id)] = at.Name
	}
	if err := rows.Err(); err != nil {
		f.breaks("the endpoints: %v", err)
	}
	return names
}

// headOf reads the last sequence that was given from the head row, and up to which record all keys are in their table.
func headOf(db *sql.DB, f *findings) (head, settled int64) {
	var b []byte
	if err := db.QueryRow("SELECT data FROM meta WHERE id = 1").Scan(&b); err != nil || len(b) < 52 || binary.LittleEndian.Uint32(b) != checksum(0, b[4:]) {
		f.breaks("the head row is damaged: %v", err)
		return -1, 0
	}
	return int64(binary.LittleEndian.Uint64(b[4:])), int64(binary.LittleEndian.Uint64(b[44:]))
}
