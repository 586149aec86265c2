package connector

import "github.com/apache/arrow/go/v15/arrow"

// Config is a vendor's decoded configuration. Validate reports every fault at once (errors.Join), each naming its field.
type Config interface{ Validate() error }

// Vendor is one CRM. It is a value, not an interface, so that docs, spec.json, discover and the contract suite can walk
// it. All its functions are pure.
type Vendor struct {
	Name  string // lower case; the key in a pipeline file
	Title string
	Doc   string // a paragraph of Markdown: what it is, what it takes

	// NewConfig returns a pointer to a Config filled with defaults; Fields is the table of the same struct.
	NewConfig func() Config
	Fields    []Field
	// Modes are the ways to write, the default first.
	Modes []Mode
	// Mode returns the mode that cfg asks for: the Name of one of Modes.
	Mode func(cfg Config) string

	// Codec makes the codec of one stream, mode and schema; the schema is what the preset's plan produces.
	Codec func(cfg Config, stream, mode string, schema *arrow.Schema) (Codec, error)
	// Preset returns the vendor's dialect as a transforms document (YAML) for this configuration: canonical column →
	// vendor column. It holds exactly one stream, "*".
	Preset func(cfg Config) ([]byte, error)
	// Lookup makes a call, once before a run, whose ParseResponse completes the configuration with what only the CRM
	// knows, such as the ids of custom fields; nil, or a nil Probe: this configuration needs none.
	Lookup func(cfg Config) (Probe, error)
	// Check makes a call that changes nothing and tells whether the credentials work.
	Check func(cfg Config) (Probe, error)
	// Unconfirmed returns what a delivered row is where this configuration takes the vendor's word before the deed, such as
	// "accepted, import not confirmed"; "", or a nil function: the CRM holds the row.
	Unconfirmed func(cfg Config) string
	// Pace is what the vendor documents or, where it documents nothing, what we assume.
	Pace Pace
	// Errors explains every code that the vendor is known to answer.
	Errors []ErrorInfo
	// MatchKeys lists the canonical columns by which the vendor finds an existing record, the first found wins; Required
	// the canonical columns without which it takes no row.
	MatchKeys, Required []string

	// Source is the way back: webhooks and queries; nil: the vendor gives nothing back.
	Source *Source
}

// Mode is one way to write.
type Mode struct {
	Name, Title, Doc string
	// Whole: a call replaces all that the CRM holds of its rows' group, see Grouper. It takes complete input only: all of
	// it is read before the first call.
	Whole bool
	// Once: a row that is sent twice does harm, so a mapping must not make several rows of one (of which some may land and
	// the whole be refused and sent again). Modes whose Limits are not Idempotent have it.
	Once bool
}

// Pace is how fast and how wide to call by default.
type Pace struct {
	RequestsPerSecond float64
	Concurrency       int
	Source            string // where the figures come from, for docs and logs
}

// Probe is one call that changes nothing. A Probe that is a Signer is signed.
type Probe interface {
	AppendRequest(req *Request) error
	// ParseResponse returns nil if the answer shows that the credentials and ids work, else an *Error that says what to mend.
	ParseResponse(resp *Response) error
}

// Class says what to do about a code.
type Class string

const (
	ClassOK     Class = "ok"
	ClassConfig Class = "config"  // the run stops; a person mends the configuration
	ClassRetry  Class = "retry"   // sent again
	ClassRow    Class = "row"     // the row is rejected
	ClassRows   Class = "suspect" // at least one row of the request is bad: bisected
)

// ErrorInfo explains one code.
type ErrorInfo struct {
	Code, Meaning, Cause, Fix string
	Class                     Class
	Assumed                   bool // not in the vendor's documents
}

// Codes of refusals that are ours, not the vendor's.
const (
	CodeBadUTF8      = "bad_utf8"
	CodeBadJSON      = "bad_json"
	CodeBadCSV       = "bad_csv"
	CodeBadType      = "bad_type"
	CodeBadDate      = "bad_date"
	CodeBadPhone     = "bad_phone"
	CodeBadValue     = "bad_value"
	CodeTooLong      = "too_long"
	CodeRequired     = "required"
	CodeIncomplete   = "incomplete"
	CodeNoIdentifier = "no_identifier"
	CodeUnmapped     = "unmapped_value"
	CodeSeparator    = "separator_in_tag"
	CodeUnknownField = "unknown_field"
	CodeDuplicate    = "duplicate"
	CodeDeleted      = "deleted"
	CodeTooBig       = "too_big"
	CodeAmbiguous    = "ambiguous"
)

// LocalErrors explains the codes of refusals that Sluice makes before anything is sent.
var LocalErrors = []ErrorInfo{
	{Code: CodeBadUTF8, Meaning: "the row is not valid UTF-8", Cause: "the file has another encoding, or was cut inside a character", Fix: "convert the file to UTF-8, or set `encoding: gb18030` on the file reader", Class: ClassRow},
	{Code: CodeBadJSON, Meaning: "the row is not a JSON object", Cause: "a broken line, a value of another kind, or text behind the object", Fix: "mend the line at its source, or put a JSON object in its place in an edited copy and give that to `sluice rejects retry --file`", Class: ClassRow},
	{Code: CodeBadCSV, Meaning: "the row does not have the form of its CSV file", Cause: "more or fewer cells than the header, a stray quote, or a value in a column without a name", Fix: "mend the row at its source, or put a JSON object in its place in an edited copy and give that to `sluice rejects retry --file`", Class: ClassRow},
	{Code: CodeBadType, Meaning: "a value does not fit its column's type", Cause: "the schema promises another type than the record holds", Fix: "mend the schema, or convert the value with `type:` in the mapping", Class: ClassRow},
	{Code: CodeBadDate, Meaning: "a date could not be read", Cause: "its layout is not among those of the mapping, or the day does not exist", Fix: "add the layout to `date: {in: [...]}`, or mend the value", Class: ClassRow},
	{Code: CodeBadPhone, Meaning: "a phone number could not be read", Cause: "it holds letters, or too few or too many digits", Fix: "mend the number, or map another field with `from: [a, b]`", Class: ClassRow},
	{Code: CodeBadValue, Meaning: "a value does not suit the step that reads it", Cause: "the mapping expects another kind of value", Fix: "look at the step with `sluice explain`, then mend the mapping or the value", Class: ClassRow},
	{Code: CodeTooLong, Meaning: "a value is longer than the CRM takes", Cause: "the CRM limits the field's length in characters", Fix: "shorten it, or add `truncate: N` to the field", Class: ClassRow},
	{Code: CodeRequired, Meaning: "a field that the CRM demands is missing", Cause: "the source has no value for it, or the mapping does not name it", Fix: "map the field, or give it a `default:`", Class: ClassRow},
	{Code: CodeIncomplete, Meaning: "a change lacks a field that the CRM demands with every write, and the relay does not know its value yet", Cause: "a webhook tells of one field, and nothing has told the contact's name since the echo folder is in use", Fix: "run a query of contacts, or the relay the other way, with the same `echo:` folder, which fills it; then `sluice rejects retry`. A `default:` would overwrite the name that is there", Class: ClassRow},
	{Code: CodeNoIdentifier, Meaning: "the row has nothing by which the CRM could know the person", Cause: "phone, whatsapp and e-mail are all missing", Fix: "map at least one of phone, whatsapp or email", Class: ClassRow},
	{Code: CodeUnmapped, Meaning: "a value is not in the field's `map`", Cause: "the source has a spelling that the mapping does not list", Fix: "add the value to `map:`, or give the field a `default:`", Class: ClassRow},
	{Code: CodeSeparator, Meaning: "a tag holds the separator that the CRM joins tags with", Cause: "the CRM would read it as two tags", Fix: "rename the tag, or replace the separator in the mapping", Class: ClassRow},
	{Code: CodeUnknownField, Meaning: "a custom field is not known to the CRM", Cause: "`rest: custom` met a name without an entry in `custom_fields`", Fix: "add the name to `custom_fields`, or use `rest: drop`", Class: ClassRow},
	{Code: CodeDuplicate, Meaning: "another row of the same key came first", Cause: "the CRM refuses repeats within an import", Fix: "remove the repeat at its source", Class: ClassRow},
	{Code: CodeDeleted, Meaning: "the row is marked deleted at its source", Cause: "`on_delete: reject` was chosen", Fix: "delete the contact in the CRM by hand, or use `on_delete: skip`", Class: ClassRow},
	{Code: CodeTooBig, Meaning: "one row alone is larger than a request may be", Cause: "a very long value", Fix: "shorten it in the mapping with `truncate:`", Class: ClassRow},
	{Code: CodeAmbiguous, Meaning: "nobody knows whether the CRM took the row", Cause: "the reply was lost and a repeat could do harm", Fix: "look the contact up in the CRM, then `sluice rejects retry` the row if it is missing", Class: ClassRow},
}

// Explain finds the explanation of a code: the vendor's first, then the local ones.
func (v *Vendor) Explain(code string) (ErrorInfo, bool) {
	for _, table := range [][]ErrorInfo{v.Errors, LocalErrors} {
		for _, e := range table {
			if e.Code == code {
				return e, true
			}
		}
	}
	return ErrorInfo{}, false
}
