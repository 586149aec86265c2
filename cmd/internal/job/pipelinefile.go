package job

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/transforms"
	"github.com/sluicehq/sluice/wire/file"
)

// Pipeline is a pipeline file: where rows come from, what happens to them, where they go.
type Pipeline struct {
	Path string `json:"-"` // of the file itself

	From       config.Choice `json:"from"`
	Transforms config.Raw    `json:"transforms"`
	To         config.Choice `json:"to"`
	Preset     config.Raw    `json:"preset"`
	Delivery   Delivery      `json:"delivery"`
	Rejects    Rejects       `json:"rejects"`
	State      string        `json:"state"`
	Echo       string        `json:"echo"`
}

// FromFile is `from: {file: …}`.
type FromFile struct {
	Path        string `json:"path"`
	Format      string `json:"format"`
	Compression string `json:"compression"`
	Encoding    string `json:"encoding"`
	Delimiter   string `json:"delimiter"`
	Stream      string `json:"stream"`
}

var fromFileFields = []connector.Field{
	{Name: "path", Type: connector.TypeString, Title: "Path", Doc: "The file to read, or - for standard input. A relative path starts at the pipeline file's folder.", Required: true},
	{Name: "format", Type: connector.TypeString, Title: "Format", Doc: "auto goes by the name, then by the first line.", Enum: []string{file.Auto, file.JSONL, file.CSV}, Default: file.Auto},
	{Name: "compression", Type: connector.TypeString, Title: "Compression", Doc: "auto goes by the first bytes.", Enum: []string{file.Auto, file.None, file.Gzip}, Default: file.Auto, Advanced: true},
	{Name: "encoding", Type: connector.TypeString, Title: "Encoding", Doc: "gb18030 also reads GBK and GB2312.", Enum: []string{file.UTF8, file.GB18030}, Default: file.UTF8, Advanced: true},
	{Name: "delimiter", Type: connector.TypeString, Title: "Delimiter", Doc: "Of CSV. Without it: the one of comma, semicolon, tab and bar that the header holds most.", Advanced: true},
	{Name: "stream", Type: connector.TypeString, Title: "Stream", Doc: "The name of the stream that the rows belong to.", Default: "contacts", Advanced: true},
}

// PipelineFields is the table of Pipeline for these vendors.
func PipelineFields(vendors []connector.Vendor) []connector.Field {
	return []connector.Field{
		{Name: "from", Type: connector.TypeObject, Title: "Input", Doc: "Where the rows come from.", Required: true, Discriminator: "wire",
			OneOf: []connector.Variant{
				{Name: "file", Title: "File", Doc: "A file of JSON lines or CSV.", Fields: fromFileFields},
				{Name: "vendor", Title: "CRM", Doc: "A stream of another CRM.", Fields: fromVendorFields(vendors)},
			}},
		{Name: "transforms", Type: connector.TypeObject, Title: "Mapping", Doc: "How a row becomes a contact: `streams:` and what follows, or the path of a file that holds it."},
		{Name: "to", Type: connector.TypeObject, Title: "CRM", Doc: "Where the rows go.", Required: true, Discriminator: "vendor", OneOf: vendorVariants(vendors)},
		{Name: "preset", Type: connector.TypeObject, Title: "Preset", Doc: "Changes to single fields of the CRM's preset, in the language of the mapping.", Advanced: true},
		{Name: "delivery", Type: connector.TypeObject, Title: "Delivery", Doc: "How to call the CRM.", Fields: DeliveryFields},
		{Name: "rejects", Type: connector.TypeObject, Title: "Rejects", Doc: "What becomes of refused rows.", Fields: RejectsFields},
		{Name: "state", Type: connector.TypeString, Title: "State", Doc: "Folder that keeps the position between runs. Without it: beside the pipeline file.", Advanced: true},
		{Name: "echo", Type: connector.TypeString, Title: "Echo", Doc: "Where two pipelines keep two CRMs in step with each other: a folder that both name, so that what one writes does not come back through the other. A relative path starts at the pipeline file's folder."},
	}
}

func vendorVariants(vendors []connector.Vendor) []connector.Variant {
	out := make([]connector.Variant, len(vendors))
	for i, v := range vendors {
		out[i] = connector.Variant{Name: v.Name, Title: v.Title, Doc: v.Doc, Fields: v.Fields}
	}
	return out
}

// LoadPipeline reads and checks a pipeline file. Warnings are for the log.
func LoadPipeline(path string, vendors []connector.Vendor) (p *Pipeline, warnings []string, err error) {
	p = &Pipeline{Path: path}
	warnings, err = config.Load(path, PipelineFields(vendors), p)
	if err != nil {
		return nil, warnings, err
	}
	return p, warnings, nil
}

// Target compiles the pipeline's mapping and configures its vendor. Faults of both are reported together.
func (p *Pipeline) Target(ctx context.Context, vendors []connector.Vendor, s Settings) (*Target, error) {
	v, cfg, err := choose(vendors, p.To)
	user, uerr := p.mapping(p.Transforms)
	preset, perr := p.mapping(p.Preset)
	if err := errors.Join(err, uerr, perr); err != nil {
		return nil, asConfig(err)
	}
	s.Mapping, s.Preset, s.Delivery = user, preset, p.Delivery
	return NewTarget(ctx, v, cfg, s)
}

// mapping parses a block that is either a document or the path of a file that holds one.
func (p *Pipeline) mapping(raw config.Raw) (*transforms.Spec, error) {
	if raw.IsZero() {
		return nil, nil
	}
	if raw.Node != nil {
		return transforms.ParseNode(raw.Name, raw.Node)
	}
	if path, ok := singleLine(raw.Text); ok {
		return LoadMapping(p.Resolve(path))
	}
	return transforms.Parse(raw.Name, []byte(raw.Text))
}

// LoadMapping reads a mapping: a file with top-level `streams:`, or a pipeline file with `transforms:`.
func LoadMapping(path string) (*transforms.Spec, error) {
	text, err := readMapping(path)
	if err != nil {
		return nil, err
	}
	return transforms.Parse(path, text)
}

func readMapping(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, connector.Configf("Check the path of the mapping", "cannot read the mapping: %w", err)
	}
	return text, nil
}

// Resolve makes a path relative to the pipeline file's folder.
func (p *Pipeline) Resolve(path string) string {
	if path == "-" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(p.Path), path)
}

func (f *FromFile) config() file.Config {
	return file.Config{Path: f.Path, Format: f.Format, Compression: f.Compression, Encoding: f.Encoding, Delimiter: f.Delimiter, Stream: f.Stream}
}

// RejectsDir is where the run keeps its refused rows: a folder of this pipeline's own, because a retry sends what lies
// there into this pipeline's CRM.
func (p *Pipeline) RejectsDir() string {
	if p.Rejects.Dir != "" {
		return p.Resolve(p.Rejects.Dir)
	}
	return p.Resolve(filepath.Base(p.Path) + ".rejects")
}

// StateDir is where the run keeps its position.
func (p *Pipeline) StateDir() string {
	if p.State != "" {
		return p.Resolve(p.State)
	}
	return p.Resolve(filepath.Base(p.Path) + ".state")
}

// choose finds the vendor that a choice names and decodes its configuration.
func choose(vendors []connector.Vendor, c config.Choice) (*connector.Vendor, connector.Config, error) {
	for i := range vendors {
		if vendors[i].Name == c.Name {
			cfg := vendors[i].NewConfig()
			if err := c.Decode(cfg); err != nil {
				return nil, nil, err
			}
			return &vendors[i], cfg, nil
		}
	}
	return nil, nil, connector.Internalf("", "no vendor %q", c.Name)
}

// asConfig keeps joined faults a Config error as a whole.
func asConfig(err error) error {
	if connector.KindOf(err) == connector.KindConfig {
		return err
	}
	return &connector.Error{Kind: connector.KindConfig, What: err.Error()}
}

// Warn logs what LoadPipeline found worth a word.
func Warn(log *slog.Logger, warnings []string) {
	for _, w := range warnings {
		log.Warn(w)
	}
}

// singleLine returns the text of a block that holds just one line without a colon and a blank: a path.
func singleLine(text string) (string, bool) {
	s := strings.TrimSpace(text)
	for i := range len(s) {
		if s[i] == '\n' || s[i] == ':' && (i+1 == len(s) || s[i+1] == ' ') || s[i] == '{' {
			return "", false
		}
	}
	return s, s != ""
}
