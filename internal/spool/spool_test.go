package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
)

// draw makes batches with rows of every kind, of two streams that share no agent and one that is skipped.
func draw(rnd *rand.Rand) []input {
	var list []input
	for n := range 1 + rnd.IntN(12) {
		in := input{stream: []string{"a", "b", "skipped"}[rnd.IntN(3)], schema: testSchema, noPos: rnd.IntN(3) == 0, noInput: rnd.IntN(8) == 0}
		for i := range rnd.IntN(9) {
			r := row{fmt.Sprintf("%s%d", in.stream, rnd.IntN(4)), []string{"keep", "keep", "keep", "twice", "filter", "reject", "refuse"}[rnd.IntN(7)], fmt.Sprintf(`"%d.%d"`, n, i)}
			if rnd.IntN(10) == 0 {
				r.agent = ""
			}
			in.rows = append(in.rows, r)
		}
		list = append(list, in)
	}
	return list
}

// TestGroups: whatever fits into memory, each group is one batch with all its rows in order, and each inner batch is acked
// once, in order, with the verdicts on its own rows.
func TestGroups(t *testing.T) {
	for seed := range uint64(150) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		src := &source{mem: mem, batches: draw(rnd)}
		r := open(t, src, 1000, []int64{1, 2000, 1 << 20}[seed%3])
		m := newModel(src.batches)
		for n := 0; ; n++ {
			b, err := r.Read(t.Context())
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			s := m.receive(t, b, rnd)
			if b.Rows != nil {
				b.Rows.Release()
			}
			if len(src.acked) > 0 {
				t.Fatalf("seed %d: an inner batch was acked before the last one was handed out", seed)
			}
			if err := r.Ack(t.Context(), s); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		m.check(t, src)
		if r.Withheld() != 0 {
			t.Errorf("%d rows were withheld", r.Withheld())
		}
		if err := r.Close(); err != nil || src.closed != 1 {
			t.Errorf("close: %v, %d times", err, src.closed)
		}
		mem.AssertSize(t, 0)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// model knows what has to be handed out and acked.
type model struct {
	groups   map[string][]string // agent → rows in order
	order    []string            // agents by first row
	loose    []string            // rows without a group
	at       map[string][2]int   // row → inner batch and row
	want     []connector.Settled
	lastPos  connector.Position
	received []string // agents
	ended    bool
}

func newModel(batches []input) *model {
	m := &model{groups: map[string][]string{}, at: map[string][2]int{}}
	for n, in := range batches {
		s := connector.Settled{Rows: len(in.rows)}
		if in.noInput {
			s.Rows, in.rows = 0, nil
		}
		if !in.noPos {
			s.Pos = connector.Position(fmt.Sprint(n + 1))
		}
		m.lastPos = s.Pos
		for i, r := range in.rows {
			m.at[r.String()] = [2]int{n, i}
			if (r.what == "keep" || r.what == "twice") && r.agent != "" && in.stream != "skipped" {
				if m.groups[r.agent] == nil {
					m.order = append(m.order, r.agent)
				}
				m.groups[r.agent] = append(m.groups[r.agent], r.String())
				continue
			}
			m.loose = append(m.loose, r.String())
			if r.what == "filter" || in.stream == "skipped" {
				s.Filtered++
			}
		}
		m.want = append(m.want, s)
	}
	return m
}

// receive checks a batch and answers it as the pipeline would, with some rows rejected by the vendor.
func (m *model) receive(t *testing.T, b connector.Batch, rnd *rand.Rand) connector.Settled {
	t.Helper()
	if m.ended {
		t.Error("a batch came behind the last one")
	}
	if b.Rows == nil {
		m.ended = true
		if string(b.Pos) != string(m.lastPos) {
			t.Errorf("the last position is %s, want %s", b.Pos, m.lastPos)
		}
		return connector.Settled{Pos: b.Pos}
	}
	s := connector.Settled{Rows: b.NumRows()}
	list, refused := rowsOf(b.Rows), b.Refused
	var names []string
	for i, r := range list {
		names = append(names, r.String())
		verdict := connector.RowResult{Row: i, Verdict: connector.VerdictRejected, Code: "28", Message: r.raw}
		switch {
		case len(refused) > 0 && refused[0].Row == i:
			if r.what != "refuse" || refused[0].Message != r.raw {
				t.Errorf("row %s is called refused: %+v", r, refused[0])
			}
			if refused = refused[1:]; b.Stream == "skipped" {
				s.Filtered++
				continue
			}
		case r.what == "refuse":
			t.Errorf("row %s is not called refused", r)
		case b.Stream == "skipped", r.what == "filter":
			s.Filtered++
			continue
		case r.what == "reject", r.agent == "":
		case rnd.IntN(4) > 0:
			continue
		}
		s.Rejected = append(s.Rejected, verdict)
		at := m.at[r.String()]
		verdict.Row = at[1]
		m.want[at[0]].Rejected = append(m.want[at[0]].Rejected, verdict)
	}
	if want := m.groups[list[0].agent]; slices.Contains(m.loose, names[0]) {
		m.loose = slices.DeleteFunc(m.loose, func(name string) bool { return slices.Contains(names, name) })
	} else {
		m.received = append(m.received, list[0].agent)
		if !slices.Equal(names, want) || b.Pos != nil {
			t.Errorf("a batch holds %v, want %v; position %s", names, want, b.Pos)
		}
	}
	return s
}

func (m *model) check(t *testing.T, src *source) {
	t.Helper()
	if !m.ended || len(m.loose) > 0 || !slices.Equal(m.received, m.order) {
		t.Errorf("ended %t, rows that never came: %v, groups %v, want %v", m.ended, m.loose, m.received, m.order)
	}
	for i := range m.want {
		slices.SortFunc(m.want[i].Rejected, func(a, b connector.RowResult) int { return a.Row - b.Row })
	}
	if !reflect.DeepEqual(src.acked, m.want) {
		t.Errorf("acked  %+v\nwant %+v", src.acked, m.want)
	}
}

// ended runs a spool to its first error.
func ended(t *testing.T, src *source, limit int) (int64, error) {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	src.mem = mem
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	src.onRead = func(n int) {
		if src.end == context.Canceled && n == len(src.batches) {
			cancel()
		}
	}
	r := open(t, src, limit, 1)
	b, err := r.Read(ctx)
	if b.Rows != nil || err == nil {
		t.Fatalf("rows were handed out: %v, %v", b, err)
	}
	if _, again := r.Read(ctx); again != err {
		t.Errorf("read again: %v, then %v", err, again)
	}
	withheld := r.Withheld()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	return withheld, err
}

func in(stream string, rows ...row) input {
	return input{stream: stream, schema: testSchema, rows: rows}
}

// TestNothingIsHandedOut: input that is not known to be complete, or cannot go as one call a group.
func TestNothingIsHandedOut(t *testing.T) {
	wider := arrow.NewSchema(append(slices.Clone(testSchema.Fields()), arrow.Field{Name: "more", Type: arrow.BinaryTypes.String, Nullable: true}), nil)
	disk := errors.New("disk on fire")
	for _, tc := range []struct {
		name    string
		batches []input
		end     error
		kind    connector.Kind
		says    string
	}{
		{"cut", []input{in("a", keep("ann", "1", "2")...)}, io.ErrUnexpectedEOF, connector.KindTransient, "broke off after 2 rows; nothing was sent"},
		{"cut deeper down", nil, fmt.Errorf("gzip: %w", io.ErrUnexpectedEOF), connector.KindTransient, "broke off after 0 rows"},
		{"wrapped end", nil, fmt.Errorf("line 7: %w", io.EOF), connector.KindTransient, "broke off"},
		{"signal", []input{in("a", keep("ann", "1")...)}, context.Canceled, connector.KindTransient, "context canceled"},
		{"error", []input{in("a", keep("ann", "1")...)}, disk, connector.KindInternal, "after 1 rows of input an error came up, and nothing was sent"},
		{"bad input", nil, connector.Configf("Mend it", "no such file"), connector.KindConfig, "no such file. Mend it"},
		{"too many", []input{in("a", keep("ann", "1", "2", "3")...), in("a", keep("ben", "1")...), in("a", keep("ann", "4")...)}, nil, connector.KindConfig, "ann has 4 contacts and one request takes 3"},
		{"too many of one row", []input{in("a", row{"ann", "twice", `"1"`}, row{"ann", "twice", `"2"`})}, nil, connector.KindConfig, "ann has 4 contacts"},
		{"too large", []input{in("a", keep("ben", "1")...), in("a", keep("ann", "1", "a text of 64 bytes, which is more than three rows of it may have")...)}, nil, connector.KindConfig,
			"the 2 contacts of ann make one request of 69 bytes, and it may have 60"},
		{"two streams", []input{in("a", keep("ann", "1")...), in("b", keep("ann", "2")...)}, nil, connector.KindConfig, `the streams "a" and "b" both have contacts of ann`},
		{"two schemas", []input{in("a", keep("ann", "1")...), {stream: "a", schema: wider, noInput: false}}, nil, connector.KindConfig, `stream "a" changes its columns`},
		{"two mappings", []input{in("doubled", keep("ann", "1")...)}, nil, connector.KindConfig, "mapped 2 times"},
		{"mapping fails", []input{in("a", row{"ann", "break", `"1"`})}, nil, connector.KindConfig, "on_error: fail"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			want := int64(0)
			for i := range tc.batches {
				if tc.batches[i].schema == wider {
					tc.batches[i].rows = keep("ann", "2")
				}
				want += int64(len(tc.batches[i].rows))
			}
			src := &source{batches: tc.batches, end: tc.end}
			withheld, err := ended(t, src, 3)
			if connector.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v (%v), want %q", err, connector.KindOf(err), tc.says)
			}
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				t.Error("the error looks like the end of the input")
			}
			if len(src.acked) != 0 || src.closed != 1 || withheld != want {
				t.Errorf("acked %v, closed %d times, withheld %d of %d", src.acked, src.closed, withheld, want)
			}
		})
	}
}

// TestSignalBetweenGroups: what is not handed out stays withheld, and nothing is acked.
func TestSignalBetweenGroups(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	src := &source{mem: mem, batches: []input{in("a", append(keep("ann", "1"), keep("ben", "2", "3")...)...)}}
	r := open(t, src, 10, 1)
	ctx, cancel := context.WithCancel(t.Context())
	b, err := r.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	b.Rows.Release()
	cancel()
	if _, err := r.Read(ctx); !errors.Is(err, context.Canceled) || r.Withheld() != 2 {
		t.Errorf("%v, %d rows withheld", err, r.Withheld())
	}
	if err := r.Ack(t.Context(), connector.Settled{Rows: 1}); err != nil || len(src.acked) != 0 {
		t.Errorf("%v, acked %v", err, src.acked)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestAcksThatMakeNoSense(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	for _, s := range []connector.Settled{{Rows: 7}, {Rows: 1, Filtered: 1}} {
		r := open(t, &source{mem: mem, batches: []input{in("a", keep("ann", "1")...)}}, 10, 1<<20)
		b, err := r.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		b.Rows.Release()
		if err := r.Ack(t.Context(), s); connector.KindOf(err) != connector.KindInternal {
			t.Errorf("%+v: %v", s, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	r := New(Config{Reader: &source{}})
	if err := r.Open(t.Context(), connector.Position("1")); connector.KindOf(err) != connector.KindInternal {
		t.Errorf("opened at a position: %v", err)
	}
}

// TestNoInput: nothing read, nothing handed out.
func TestNoInput(t *testing.T) {
	r := open(t, &source{}, 10, 1)
	if _, err := r.Read(t.Context()); err != io.EOF {
		t.Errorf("got %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// TestFile: the file is its owner's alone, and has no name while it is used.
func TestFile(t *testing.T) {
	dir := t.TempDir()
	d, err := newDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	info, err := d.file.Stat()
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 && d.own == "" {
		t.Errorf("the folder holds %v, %v", left, err)
	}
	if err := d.close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("the folder holds %v, %v", left, err)
	}
}

// TestDiskFaults: a folder that is not there and a disk that is full are errors that say so, and rows that cannot be read
// back are no end of the input.
func TestDiskFaults(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	for name, spoil := range map[string]func(r *Reader){
		"cannot be kept in": func(r *Reader) { r.conf.Dir = filepath.Join(r.conf.Dir, "nowhere") },
		"has no room": func(r *Reader) {
			full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			if r.disk, err = newDisk(r.conf.Dir); err != nil {
				t.Fatal(err)
			}
			if err := r.disk.file.Close(); err != nil {
				t.Fatal(err)
			}
			r.disk.file = full
			r.disk.buf.Reset(full)
		},
	} {
		src := &source{mem: mem, batches: []input{in("a", keep("ann", "1", "2")...), in("a", keep("ben", "3")...)}}
		r := open(t, src, 10, 1)
		spoil(r)
		_, err := r.Read(t.Context())
		if connector.KindOf(err) != connector.KindTransient || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "nothing was sent") {
			t.Errorf("%s: %v", name, err)
		}
		if r.Withheld() == 0 || len(src.acked) > 0 {
			t.Errorf("%d withheld, acked %v", r.Withheld(), src.acked)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	r := open(t, &source{mem: mem, batches: []input{in("a", keep("ann", "1", "2")...)}}, 10, 1)
	if err := r.fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.disk.file.Truncate(20); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(t.Context()); connector.KindOf(err) != connector.KindTransient || errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "cannot be read back") {
		t.Errorf("cut file: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
