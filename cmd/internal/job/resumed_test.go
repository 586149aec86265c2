package job

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector/all"
	crm "github.com/sluicehq/sluice/connector/outcall/sandbox"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// killer is the way to the CRM. Once the CRM has taken so many requests, the way is cut, the reply on it is lost, and the
// run is stopped: to the CRM the same as a process that is killed.
type killer struct {
	to    http.RoundTripper
	after atomic.Int64
	stop  context.CancelFunc
}

func (k *killer) RoundTrip(req *http.Request) (*http.Response, error) {
	if k.cut() {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	resp, err := k.to.RoundTrip(req)
	if err == nil && k.cut() {
		_ = resp.Body.Close()
		return nil, io.ErrUnexpectedEOF
	}
	return resp, err
}

func (k *killer) cut() bool { return k.after.Load() <= 0 }

func (k *killer) Write(line []byte) (int, error) {
	var e sandbox.Entry
	if err := json.Unmarshal(line, &e); err != nil {
		return 0, err
	}
	if e.Committed && k.after.Add(-1) == 0 {
		k.stop()
	}
	return len(line), nil
}

// TestKilledSyncsSendNothingTwice: a sync into a CRM that takes a number as often as it is sent is killed and run again,
// as Airbyte does, from the start and without a word; nothing is there twice. The log does not call delivered what was
// only accepted.
func TestKilledSyncsSendNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rows, kills = 1200, 5
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		defer mem.AssertSize(t, 0)
		service, kill := crm.New(crm.Options{}), &killer{}
		faults, err := sandbox.ParseFaults("drop=20%,latency@5ms..400ms=50%")
		if err != nil {
			t.Fatal(err)
		}
		kill.to = sandbox.Transport(sandbox.New(sandbox.Options{Seed: 5, Clock: time.Now, Faults: faults, Journal: kill}, service))
		var log bytes.Buffer
		sync := func(after int64) error {
			d, err := DecodeDestination("config", fmt.Appendf(nil, `{"crm":{"vendor":"outcall","token":%q,"user_id":%q,"task_id":%q,"base_url":"http://127.0.0.1",
				"settle":"accepted","number_add_suffix":true},"rejects":{"dir":%q}}`, crm.Token, crm.UserID, crm.TaskID, t.TempDir()), all.Vendors)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			kill.stop = cancel
			kill.after.Store(after)
			l := slog.New(slog.NewTextHandler(&log, nil))
			target, err := d.Target(ctx, all.Vendors, Settings{Transport: kill, Log: l})
			if err != nil {
				t.Fatal(err)
			}
			in := &list{mem: mem, batch: 170, fields: target.Mapping.Fields("contacts")}
			for i := range rows {
				in.lines = append(in.lines, fmt.Appendf(nil, `{"phone":"138%08d","external_id":"row-%d"}`, i, i))
			}
			return d.write(ctx, target, in, l)
		}
		for n := range kills {
			if err := sync(1); err == nil {
				t.Errorf("sync %d was not cut short", n)
			}
		}
		log.Reset()
		if err := sync(1 << 40); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * crm.ImportDelay) // of the bubble's time
		state := service.State()
		if state.RowsTwice != 0 || state.Twice != 0 || state.Imported != rows {
			t.Errorf("%d rows, %d kills: %+v", rows, kills, state.Totals)
		}
		if text := log.String(); !strings.Contains(text, "1200 read = 1200 accepted, import not confirmed + 0 filtered") || strings.Contains(text, " delivered") {
			t.Errorf("log:\n%s", text)
		}
	})
}
