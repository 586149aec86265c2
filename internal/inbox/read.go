package inbox

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
)

// Query says what Read returns.
type Query struct {
	After int64 // a request sequence; only what came after it is read
	Head  int64 // nothing behind it is read; 0: the head at the moment of the call
	// Endpoint chooses by endpoint; nil: all.
	Endpoint    func(Endpoint) bool
	Rows        int   // at most so many sequences are looked at; default 1,000
	Bytes       int64 // the page ends with the record that makes it larger; default 4 MiB
	Quarantined bool  // also the records that are quarantined: for people
}

// Page is a stretch of the log.
type Page struct {
	Records []Record // by rising Seq; without those quarantined and those of other endpoints
	// Damaged lists, by rising sequence, records that should be in this stretch and cannot be trusted or have vanished.
	// Where the endpoint can no longer be told they are listed whatever the endpoint asked for.
	Damaged []Damage
	// Trimmed is the last sequence after Query.After that retention had removed before it could be read; 0: none.
	Trimmed int64
	Held    int   // quarantined records that were left out
	Last    int64 // the stretch ends here: the next After
	More    bool  // Last is below the head that was asked for
	ID      Identity
}

// Damage is a stretch of sequences whose records are not served.
type Damage struct {
	From, To int64
	Reason   string
}

const (
	reasonMissing = "it is missing"
	reasonLost    = "it was acknowledged, and then lost with the end of the database"
)

// Read returns the stretch of the log after q.After. The same stretch always holds the same records, until retention
// removes them; what is released or replayed comes in at the end, under a new sequence.
func (r *Reader) Read(ctx context.Context, q Query) (page Page, err error) {
	if q.Rows <= 0 {
		q.Rows = 1000
	}
	if q.Bytes <= 0 {
		q.Bytes = 4 << 20
	}
	err = r.view(ctx, func(c *conn, m meta) error {
		known, err := endpoints(ctx, c)
		if err != nil {
			return err
		}
		if q.Head <= 0 {
			q.Head = m.head
		}
		s := scan{c: c, known: known, q: q, next: q.After + 1}
		if q.After < m.floor {
			s.page.Trimmed, s.next = m.floor, m.floor+1
		}
		if err := s.run(ctx); err != nil {
			return err
		}
		page = s.page
		page.Last, page.ID = max(s.next-1, q.After), Identity(m.id)
		page.More = page.Last < q.Head
		return nil
	})
	return page, err
}

// scan walks the sequences from next on. It expects every one of them: what the walk of SQLite's tree leaves out is
// looked up by itself, and is damaged if it is not found.
type scan struct {
	c     *conn
	known map[uint32]knownEndpoint
	q     Query
	next  int64
	rows  int
	bytes int64
	page  Page
	sink  func(rec Record, endpoint uint32, data []byte) error // takes whole records instead of page; may be nil
}

// errPageFull ends a walk.
var errPageFull = errors.New("page full")

func (s *scan) full() bool { return s.rows >= s.q.Rows || s.bytes >= s.q.Bytes }

func (s *scan) run(ctx context.Context) error {
	text := "SELECT seq, tag, " + s.column() + " FROM record WHERE seq >= ? AND seq <= ? ORDER BY seq LIMIT ?"
	for s.next <= s.q.Head && !s.full() {
		start := s.next
		err := s.c.query(ctx, text, func(row []driver.Value) error { return s.row(ctx, row) },
			s.next, s.q.Head, int64(s.q.Rows-s.rows))
		switch {
		case errors.Is(err, errPageFull):
			return nil
		case err != nil && !isDamage(err):
			return err
		case s.next == start: // nothing there, or a broken page: one step by hand, then walk on behind it
			if err := s.single(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// column loads the bytes only of the records that are asked for.
func (s *scan) column() string {
	if s.q.Endpoint == nil {
		return "data"
	}
	var others []string
	for id, e := range s.known {
		if !e.damaged && !s.q.Endpoint(e.Endpoint) {
			others = append(others, fmt.Sprint(id))
		}
	}
	if len(others) == 0 {
		return "data"
	}
	return "CASE WHEN tag >> 32 IN (" + strings.Join(others, ",") + ") THEN NULL ELSE data END"
}

// row takes one row of the walk.
func (s *scan) row(ctx context.Context, row []driver.Value) error {
	seq, ok := row[0].(int64)
	if !ok || seq < s.next {
		return nil // a broken key: its own sequence is missed and looked up
	}
	for s.next < seq { // some were left out
		if s.full() {
			return errPageFull
		}
		if err := s.single(ctx); err != nil {
			return err
		}
	}
	if s.full() {
		return errPageFull
	}
	if row[2] == nil {
		if id, ok := row[1].(int64); ok && id == tag(seq, uint32(uint64(id)>>32)) {
			s.step(64)
			return nil
		}
		return s.single(ctx) // the tag is broken: the record itself knows its endpoint
	}
	data, _ := row[2].([]byte)
	rec, err := s.decode(seq, data)
	if err != nil {
		return s.single(ctx)
	}
	return s.take(rec, data)
}

// single looks one sequence up by itself.
func (s *scan) single(ctx context.Context) error {
	rec, data, err := s.load(ctx, s.next)
	if err != nil {
		if other := notOfRecord(ctx, err); other != nil {
			return other
		}
		s.damaged(err.Error())
		return nil
	}
	return s.take(rec, data)
}

// notOfRecord returns an error of load that says nothing about the record, but of the disk, of a lock or of who asks.
func notOfRecord(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if codeOf(err) != 0 && !isDamage(err) {
		return err
	}
	return nil
}

func (s *scan) step(bytes int64) {
	s.next++
	s.rows++
	s.bytes += bytes
}

func (s *scan) take(rec Record, data []byte) error {
	s.step(int64(len(data)))
	switch {
	case s.sink != nil:
		return s.sink(rec, endpointOf(data), data)
	case s.q.Endpoint != nil && !s.q.Endpoint(rec.Endpoint):
	case rec.Quarantine != "" && !s.q.Quarantined:
		s.page.Held++
	default:
		s.page.Records = append(s.page.Records, rec)
	}
	return nil
}

func (s *scan) damaged(reason string) {
	list := s.page.Damaged
	if n := len(list); n > 0 && list[n-1].To == s.next-1 && list[n-1].Reason == reason {
		list[n-1].To = s.next
	} else {
		s.page.Damaged = append(list, Damage{From: s.next, To: s.next, Reason: reason})
	}
	s.step(64)
}

// load reads one record by its sequence. The error says what is wrong with it.
func (s *scan) load(ctx context.Context, seq int64) (rec Record, data []byte, err error) {
	found := false
	err = s.c.query(ctx, "SELECT data FROM record WHERE seq = ?", func(row []driver.Value) error {
		found = true
		data, _ = row[0].([]byte)
		rec, err = s.decode(seq, data)
		return err
	}, seq)
	if err == nil && !found {
		err = errors.New(reasonMissing)
	}
	return rec, data, err
}

func (s *scan) decode(seq int64, data []byte) (Record, error) {
	rec, id, err := unseal(seq, data)
	if err != nil {
		return Record{}, err
	}
	e, ok := s.known[id]
	if !ok || e.damaged {
		return Record{}, errors.New("the name of its endpoint is lost")
	}
	rec.Endpoint = e.Endpoint
	return rec, nil
}
