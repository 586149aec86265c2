package file

import (
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// Values of Config.Format, Config.Compression and Config.Encoding.
const (
	Auto    = "auto"
	JSONL   = "jsonl"
	CSV     = "csv"
	None    = "none"
	Gzip    = "gzip"
	UTF8    = "utf-8"
	GB18030 = "gb18030"
)

const (
	defaultRows  = 1000
	defaultBytes = 1 << 20
	defaultAge   = time.Second
	maxLine      = 64 << 20
)

// Config says what to read and how to cut it into batches. The zero value of every field but Path has a meaning.
type Config struct {
	Path        string // "-": standard input
	Format      string // jsonl, csv, or auto (default): by the name, else by the first line
	Compression string // none, gzip, or auto (default): by the first bytes
	Encoding    string // utf-8 (default) or gb18030, which holds GBK and GB2312
	Delimiter   string // of CSV; default: the one of , ; tab | that the header holds most
	Stream      string // default "contacts"
	Follow      bool   // at the end of the file wait for more; not for gzip

	BatchRows  int           // default 1,000
	BatchBytes int64         // a batch is cut once it holds so much; default 1 MiB
	BatchAge   time.Duration // on an input that stalls, rows wait no longer than this; default 1 s

	Stdin io.Reader // what "-" means; default os.Stdin. Closed by Reader.Close if it can be
	max   int       // longest line; tests make it small
}

// withDefaults fills the zero values and checks the rest.
func (c Config) withDefaults() (Config, error) {
	if c.Path == "" {
		return c, connector.Configf("Set `path` to a file, or to - for standard input", "no input file is given")
	}
	one := func(value *string, name, fallback string, allowed ...string) error {
		if *value = strings.ToLower(*value); *value == "" {
			*value = fallback
		}
		for _, a := range allowed {
			if *value == a {
				return nil
			}
		}
		return connector.Configf("Use one of: "+strings.Join(allowed, ", "), "%s %q is not known", name, *value)
	}
	if err := one(&c.Format, "format", Auto, Auto, JSONL, CSV); err != nil {
		return c, err
	}
	if err := one(&c.Compression, "compression", Auto, Auto, None, Gzip); err != nil {
		return c, err
	}
	if c.Follow && (c.Compression == Gzip || c.Compression == Auto && strings.HasSuffix(c.Path, ".gz")) {
		return c, connector.Configf("Unpack it, or run without --follow", "%s is gzip data, which cannot be followed", c.Path)
	}
	switch strings.ToLower(c.Encoding) {
	case "utf8":
		c.Encoding = UTF8
	case "gbk", "gb2312", "gb-18030":
		c.Encoding = GB18030
	}
	if err := one(&c.Encoding, "encoding", UTF8, UTF8, GB18030); err != nil {
		return c, err
	}
	if len(c.Delimiter) > 1 || strings.ContainsAny(c.Delimiter, "\"\r\n") || c.Delimiter > "~" {
		return c, connector.Configf("Use one ASCII character, such as , or ;", "delimiter %q cannot separate fields", c.Delimiter)
	}
	if c.Format == Auto {
		c.Format = formatOf(c.Path)
	}
	if c.Stream == "" {
		c.Stream = "contacts"
	}
	if c.BatchRows <= 0 {
		c.BatchRows = defaultRows
	}
	if c.BatchBytes <= 0 {
		c.BatchBytes = defaultBytes
	}
	if c.BatchAge <= 0 {
		c.BatchAge = defaultAge
	}
	if c.max <= 0 {
		c.max = maxLine
	}
	return c, nil
}

// formatOf tells the format by the file's name; Auto if the name does not.
func formatOf(path string) string {
	name := strings.TrimSuffix(strings.ToLower(filepath.Base(path)), ".gz")
	switch filepath.Ext(name) {
	case ".jsonl", ".ndjson", ".json":
		return JSONL
	case ".csv", ".tsv":
		return CSV
	}
	return Auto
}
