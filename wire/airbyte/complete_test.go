package airbyte

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/connector"
)

// A destination that takes complete input only gets no stream that is synced incrementally, and nothing is read of such a
// sync. Its input is complete only where every stream of the catalog says so.
func TestCompleteInputOnly(t *testing.T) {
	complete := func(names ...string) (text string) {
		for _, name := range names {
			text += fmt.Sprintf(`{"type":"TRACE","trace":{"type":"STREAM_STATUS","emitted_at":1,"stream_status":{"stream_descriptor":{"name":%q},"status":"COMPLETE"}}}`+"\n", name)
		}
		return text
	}
	const row = `{"type":"RECORD","record":{"stream":"a","data":{"n":1},"emitted_at":1}}` + "\n"
	full := catalogOf("a", "b")
	for _, c := range []struct {
		name, catalog, input string
		why                  string
		end                  error // what the destination saw; nil: it was not called
		warns                bool
	}{
		{"complete", full, row + complete("a", "b"), "mode x", io.EOF, false},
		{"one says nothing", full, row + complete("a"), "mode x", io.ErrUnexpectedEOF, true},
		{"none says anything", full, row, "mode x", io.ErrUnexpectedEOF, true},
		{"any input will do", full, row, "", io.EOF, false},
		{"incremental", strings.Replace(full, "full_refresh", "incremental", 1), row, "mode x", nil, false},
		{"incremental, any input will do", strings.Replace(full, "full_refresh", "incremental", 1), row, "", io.EOF, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := destination(nil)
			d.Complete = func([]byte) (string, error) { return c.why, nil }
			var end error
			d.Write = func(ctx context.Context, _ []byte, in connector.Reader, _ *slog.Logger) error {
				if err := in.Open(ctx, nil); err != nil {
					return err
				}
				for {
					b, err := in.Read(ctx)
					if err != nil {
						end = err
						return nil
					}
					if err := in.Ack(ctx, deliver(nil, b)); err != nil {
						return err
					}
				}
			}
			code, lines := write(t, d, c.catalog, c.input)
			if !errors.Is(end, c.end) || (c.end == nil) != (end == nil) {
				t.Errorf("the destination saw %v, want %v", end, c.end)
			}
			all := strings.Join(lines, "\n")
			if strings.Contains(all, "was not declared complete") != c.warns {
				t.Errorf("log: %s", all)
			}
			if c.end == nil && (code != exitFailed || !strings.Contains(all, "stream a is synced incrementally, and mode x replaces") || !strings.Contains(all, "config_error")) {
				t.Errorf("exit code %d: %s", code, all)
			}
		})
	}
}
