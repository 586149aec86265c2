package file

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/wire/wiretest"
)

// contract is an input of 45 rows with two bad ones.
func contract(t *testing.T, csv bool) wiretest.Harness {
	h := wiretest.Harness{MaxRows: 7, MaxBytes: 4 << 20, MaxAhead: 1 << 20, Age: time.Second}
	var text strings.Builder
	if csv {
		text.WriteString("\ufeffname,n,note\n")
	}
	for i := range 45 {
		line := fmt.Sprintf(`{"name":"N %d","n":%d,"note":"x\ny"}`, i, i)
		row := wiretest.Row{Stream: "contacts", JSON: line}
		if csv {
			line = fmt.Sprintf("N %d,%d,\"x\ny\"", i, i)
			row.JSON = fmt.Sprintf(`{"name":"N %d","n":"%d","note":"x\ny"}`, i, i)
		}
		if i == 5 || i == 44 {
			line = `{"broken ` + fmt.Sprint(i)
			row.JSON, row.Code = line, connector.CodeBadJSON
			if csv {
				row.Code = connector.CodeBadCSV
			}
		}
		if i%10 == 9 {
			text.WriteString("\n")
		}
		text.WriteString(line + "\n")
		h.Rows = append(h.Rows, row)
	}
	h.Input = []byte(text.String())
	return h
}

func TestContract(t *testing.T) {
	for name, pack := range map[string]func(string) string{
		"a.jsonl": nil, "a.csv": nil, "a.jsonl.gz": zip, "a.csv.gz": zip, "gb.csv": func(s string) string { return gb(t, s) },
	} {
		h := contract(t, strings.Contains(name, "csv"))
		cfg := Config{BatchRows: 7, Path: "-"}
		text := string(h.Input)
		if pack != nil {
			text = pack(text)
		}
		if strings.HasPrefix(name, "gb") {
			cfg.Encoding = GB18030
		}
		t.Run(name, func(t *testing.T) {
			h := h
			cfg := cfg
			h.Fixed, h.Positions = true, true
			cfg.Path = write(t, name, text)
			h.New = func(mem memory.Allocator, _ io.Reader) connector.Reader {
				return NewReader(cfg, columns("name", "n"), mem)
			}
			wiretest.RunReader(t, h)
		})
		if pack != nil {
			continue // cut at half, gzip and double bytes are another input
		}
		t.Run("stdin "+name, func(t *testing.T) {
			h.New = func(mem memory.Allocator, in io.Reader) connector.Reader {
				cfg := cfg
				cfg.Stdin = in
				return NewReader(cfg, columns("name", "n"), mem)
			}
			wiretest.RunReader(t, h)
		})
	}
}
