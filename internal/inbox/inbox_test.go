package inbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("SLUICE_INBOX_CHILD"); dir != "" {
		child(dir)
		return
	}
	if dir := os.Getenv("SLUICE_INBOX_READER"); dir != "" {
		childReads(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

const day = 24 * time.Hour

var (
	ctx      = context.Background()
	profiles = Endpoint{Name: "profiles", Vendor: "socialepoch", Account: "a1", Type: "portrait"}
	follows  = Endpoint{Name: "follows", Vendor: "socialepoch", Account: "a1", Type: "follow"}
)

// clock is a clock that moves when told.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func open(t testing.TB, opts Options) *Inbox {
	t.Helper()
	i, err := Open(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	return i
}

func request(at Endpoint, body string, keys ...string) Request {
	return Request{Endpoint: at, Method: "POST", Body: []byte(body), Keys: keys}
}

func add(t testing.TB, i *Inbox, req Request) Receipt {
	t.Helper()
	r, err := i.Append(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// readAll reads everything after after, page by page.
func readAll(t testing.TB, r *Reader, q Query) (all Page) {
	t.Helper()
	for {
		page, err := r.Read(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		all.Records = append(all.Records, page.Records...)
		all.Damaged = append(all.Damaged, page.Damaged...)
		all.Trimmed = max(all.Trimmed, page.Trimmed)
		all.Held += page.Held
		if all.Last = page.Last; !page.More {
			return all
		}
		if page.Last <= q.After {
			t.Fatalf("a page ends at %d, where it began", page.Last)
		}
		q.After = page.Last
	}
}

// copyDir copies the files of an inbox that is open. Another process does it: one that closes a file drops all locks
// that it holds on it.
func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if out, err := exec.Command("cp", "-r", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return to
}

func TestAppendAndRead(t *testing.T) {
	clk := newClock()
	dir := t.TempDir()
	i := open(t, Options{Dir: dir, Clock: clk.Now})
	body := []byte("{\"not\": json\x00\xff,}")
	r := add(t, i, Request{
		Endpoint: profiles, Method: "POST", Body: body, Keys: []string{"e1", "e2", "e1"}, Note: "remark",
		Header: http.Header{"Tenant_id": {"7"}, "X-A": {"1", "2"}}, ReceivedAt: clk.Now().Add(-time.Second),
	})
	if r != (Receipt{Seq: 1, Items: 3, Seen: 1}) {
		t.Errorf("receipt %+v", r)
	}
	body[0] = 'X' // the request is the caller's again
	add(t, i, request(follows, ""))
	if r := add(t, i, request(profiles, "other", "e2", "e3")); r != (Receipt{Seq: 3, Items: 2, Seen: 1}) {
		t.Errorf("receipt %+v", r)
	}
	if r := add(t, i, request(profiles, "again", "e3", "e1")); r != (Receipt{Seq: 3, Items: 2, Seen: 2, Duplicate: true}) {
		t.Errorf("receipt of a repeat %+v", r)
	}
	if r := add(t, i, request(follows, "")); r != (Receipt{Seq: 2, Items: 1, Seen: 1, Duplicate: true}) {
		t.Errorf("receipt of a repeated body %+v", r)
	}

	check := func(r *Reader) {
		t.Helper()
		page := readAll(t, r, Query{})
		if len(page.Records) != 3 || len(page.Damaged) != 0 || page.Last != 3 {
			t.Fatalf("page %+v", page)
		}
		got := page.Records[0]
		if got.Seq != 1 || got.Endpoint != profiles || got.Method != "POST" || got.Note != "remark" || got.Items != 3 ||
			string(got.Body) != "{\"not\": json\x00\xff,}" || !got.ReceivedAt.Equal(clk.Now().Add(-time.Second)) {
			t.Errorf("record %+v", got)
		}
		if got.Seen(0) || got.Seen(1) || !got.Seen(2) || got.Seen(99) {
			t.Error("the third item was seen before, and only that")
		}
		if h := got.Header(); len(h) != 2 || h["Tenant_id"][0] != "7" || strings.Join(h["X-A"], ",") != "1,2" {
			t.Errorf("header %v", h)
		}
		if empty := page.Records[1]; len(empty.Body) != 0 || len(empty.Header()) != 0 || empty.Items != 1 {
			t.Errorf("an empty request became %+v", empty)
		}
		if r := page.Records[2]; !r.Seen(0) || r.Seen(1) {
			t.Error("the first item of the third request was seen before, and only that")
		}
		only := readAll(t, r, Query{Endpoint: func(e Endpoint) bool { return e.Type == "follow" }})
		if len(only.Records) != 1 || only.Records[0].Seq != 2 || only.Last != 3 {
			t.Errorf("of one endpoint %+v", only)
		}
	}
	check(i.Reader())
	if err := i.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := i.Append(ctx, request(follows, "late")); !errors.Is(err, ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	ended, err := OpenReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	check(ended)
	if err := ended.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, Options{Dir: dir, Clock: clk.Now})
	check(again.Reader())
	if r := add(t, again, request(profiles, "x", "e1", "e9")); r.Seq != 4 || r.Seen != 1 {
		t.Errorf("after a restart %+v", r)
	}
}

func TestRowSeq(t *testing.T) {
	if RowSeq(1, 0) != 65536 || RowSeq(2, 0) <= RowSeq(1, ItemsPerRequest-1) {
		t.Error("rows of one request must lie before those of the next")
	}
	if seq, item := SplitRowSeq(RowSeq(12, 34)); seq != 12 || item != 34 {
		t.Errorf("%d, %d", seq, item)
	}
}

func TestTooLarge(t *testing.T) {
	i := open(t, Options{Dir: t.TempDir()})
	for _, req := range []Request{{Body: make([]byte, maxBody+1)}, {Keys: make([]string, ItemsPerRequest+1)}} {
		if _, err := i.Append(ctx, req); !errors.Is(err, ErrTooLarge) {
			t.Error(err)
		}
	}
}

// TestDedupeEnds: a key counts as seen for a week, and no longer.
func TestDedupeEnds(t *testing.T) {
	clk := newClock()
	i := open(t, Options{Dir: t.TempDir(), Clock: clk.Now, DedupeFor: time.Hour}) // too short to be taken
	add(t, i, request(profiles, "1", "k"))
	add(t, i, request(follows, "1", "k")) // another endpoint's key
	if h, _ := i.Reader().Head(ctx); h != 2 {
		t.Fatalf("head %d", h)
	}
	clk.add(7 * day)
	if trimmed, err := i.Trim(ctx); err != nil || trimmed.Keys != 0 {
		t.Errorf("%+v, %v", trimmed, err)
	}
	if r := add(t, i, request(profiles, "2", "k")); !r.Duplicate {
		t.Errorf("within a week %+v", r)
	}
	clk.add(time.Millisecond)
	if r := add(t, i, request(profiles, "3", "k")); r.Duplicate || r.Seen != 0 || r.Seq != 3 {
		t.Errorf("after a week %+v", r)
	}
	if r := add(t, i, request(profiles, "4", "k")); !r.Duplicate || r.Seq != 3 {
		t.Errorf("repeated after a week %+v", r)
	}
	if trimmed, err := i.Trim(ctx); err != nil || trimmed.Keys != 1 {
		t.Errorf("%+v, %v: the other endpoint's key alone is old", trimmed, err)
	}
}

// TestOverload: what waits is bounded in bytes and in age, and jobs of the owner pass.
func TestOverload(t *testing.T) {
	clk := newClock()
	q := newQueue(Options{QueueBytes: 3000, QueueAge: time.Second, Clock: clk.Now})
	big := func() *entry { return newEntry(Request{Body: make([]byte, 2000)}) }
	huge := newEntry(Request{Body: make([]byte, 5000)})
	if err := q.put(huge); err != nil {
		t.Errorf("one dearer than the queue, when it is empty: %v", err)
	}
	if err := q.put(newEntry(Request{})); !errors.Is(err, ErrOverload) {
		t.Errorf("full: %v", err)
	}
	if err := q.put(&entry{job: func() (Receipt, error) { return Receipt{}, nil }}); err != nil {
		t.Errorf("a job: %v", err)
	}
	group := q.take(10)
	if len(group) != 2 {
		t.Fatalf("%d entries", len(group))
	}
	if err := q.put(big()); !errors.Is(err, ErrOverload) {
		t.Errorf("what the writer has taken still counts: %v", err)
	}
	q.settle(group)
	if err := q.put(big()); err != nil {
		t.Error(err)
	}
	clk.add(time.Second + 1)
	if err := q.put(newEntry(Request{})); !errors.Is(err, ErrOverload) {
		t.Errorf("too deep in time: %v", err)
	}
	if err := q.put(&entry{job: func() (Receipt, error) { return Receipt{}, nil }}); err != nil {
		t.Errorf("a job: %v", err)
	}
	if connector.KindOf(ErrOverload) != connector.KindTransient {
		t.Error("an overload passes")
	}
}

// TestCloseDrains: what was queued before Close is written and answered.
func TestCloseDrains(t *testing.T) {
	entered, goOn := make(chan bool, 100), make(chan bool)
	dir := t.TempDir()
	i := open(t, Options{Dir: dir, hook: func(point string) error {
		if point == "append: before commit" {
			entered <- true
			<-goOn
		}
		return nil
	}})
	errs := make(chan error, 10)
	for n := range 10 {
		go func() {
			_, err := i.Append(ctx, request(profiles, fmt.Sprint(n)))
			errs <- err
		}()
	}
	<-entered
	for { // until all ten wait or are in the first group
		if _, n, _ := i.queue.load(); n == 10 {
			break
		}
	}
	closed := make(chan error)
	go func() { closed <- i.Close() }()
	close(goOn)
	for range 10 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if page := readAll(t, open(t, Options{Dir: dir}).Reader(), Query{}); len(page.Records) != 10 {
		t.Errorf("%d records", len(page.Records))
	}
}

// TestCancelledAppend: a caller that no longer waits does not harm the others, and its request may be there.
func TestCancelledAppend(t *testing.T) {
	entered, goOn := make(chan bool), make(chan bool)
	var once sync.Once
	i := open(t, Options{Dir: t.TempDir(), hook: func(point string) error {
		if point == "append: before commit" {
			once.Do(func() { close(entered); <-goOn })
		}
		return nil
	}})
	c, cancel := context.WithCancel(ctx)
	result := make(chan error)
	go func() {
		_, err := i.Append(c, request(profiles, "1"))
		result <- err
	}()
	<-entered
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(goOn)
	if r := add(t, i, request(profiles, "1")); !r.Duplicate || r.Seq != 1 {
		t.Errorf("sent again %+v", r)
	}
	if _, err := i.Append(c, request(profiles, "2")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestSecondWriter: one folder has one writer.
func TestSecondWriter(t *testing.T) {
	dir := t.TempDir()
	i := open(t, Options{Dir: dir})
	if _, err := Open(ctx, Options{Dir: dir}); connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("second writer: %v", err)
	}
	add(t, i, request(profiles, "still works"))
}

// TestRefusedFolders: what is not an inbox, or is one of the future, is left alone.
func TestRefusedFolders(t *testing.T) {
	for _, c := range []struct{ name, sql, want string }{
		{"another database", "CREATE TABLE x (y)", "something else"},
		{"another application", "PRAGMA application_id = 7", "something else"},
		{"of the future", "PRAGMA user_version = 99; PRAGMA application_id = " + fmt.Sprint(applicationID), "format 99"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, databaseFile)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := dial(path, "mode=rw")
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.exec(c.sql), db.close()); err != nil {
			t.Fatal(err)
		}
		_, err = Open(ctx, Options{Dir: dir})
		if connector.KindOf(err) != connector.KindConfig || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	garbage := t.TempDir()
	if err := os.WriteFile(filepath.Join(garbage, databaseFile), bytes.Repeat([]byte("garbage!"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(ctx, Options{Dir: garbage}); !errors.Is(err, ErrDamaged) {
		t.Errorf("garbage: %v", err)
	}
	if _, err := OpenReader(t.TempDir()); connector.KindOf(err) != connector.KindConfig {
		t.Errorf("an empty folder: %v", err)
	}
}

// TestAssert: a database that is not as durable as promised is refused.
func TestAssert(t *testing.T) {
	for _, pragma := range []string{"synchronous(NORMAL)", "synchronous(OFF)", "locking_mode(EXCLUSIVE)", "mmap_size(1048576)"} {
		path := filepath.Join(t.TempDir(), databaseFile)
		c, err := dial(path, "mode=rwc", "synchronous(FULL)", "journal_mode(WAL)", pragma)
		if err != nil {
			t.Fatal(err)
		}
		if err := assert(c, "3.53.4"); connector.KindOf(err) != connector.KindConfig {
			t.Errorf("%s: %v", pragma, err)
		}
		if err := c.close(); err != nil {
			t.Fatal(err)
		}
	}
	plain, err := dial(filepath.Join(t.TempDir(), databaseFile), "mode=rwc", "synchronous(FULL)")
	if err != nil {
		t.Fatal(err)
	}
	if err := assert(plain, "3.53.4"); connector.KindOf(err) != connector.KindConfig {
		t.Errorf("without a write-ahead log: %v", err)
	}
	c, err := dial(filepath.Join(t.TempDir(), databaseFile), "mode=rwc", writerPragmas...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = errors.Join(c.close(), plain.close()) }()
	for version, ok := range map[string]bool{"3.51.3": true, "3.51.2": false, "3.7.0": false, "3.53": true, "4.0.0": true, "new": false} {
		if err := assert(c, version); (err == nil) != ok {
			t.Errorf("version %s: %v", version, err)
		}
	}
}
