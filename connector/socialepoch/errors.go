package socialepoch

import (
	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/restapi"
)

// codePartial: the answer says or implies that rows failed, and not why.
const codePartial = "partial"

// Codes of the vendor that this package treats by name.
const (
	codeOK         = 200
	codeFailed     = 500
	codeParameter  = -1
	codeTooMany    = 19
	codeProcessing = 56
	codeAttachment = 59
)

const (
	fixSetup = "add it in the vendor's console, or map the value to one that is there with `map:`"
	fixRow   = "mend the value at its source or in the mapping, then `sluice rejects retry` the row"
)

// vendorErrors explains every code that the vendor is known to answer.
var vendorErrors = append([]connector.ErrorInfo{
	{Code: "200", Meaning: "success", Cause: "the vendor read the request; its data says which contacts it took", Fix: "nothing to do", Class: connector.ClassOK},
	{Code: "500", Meaning: "the vendor failed", Cause: "a fault on the vendor's side that it does not explain",
		Fix: "nothing to do; the rows are sent again", Class: connector.ClassRetry, Assumed: true},
	{Code: "-1", Meaning: "parameter error", Cause: "api_key and tenant_id do not belong together, the clock of this machine is wrong, the account may not import, or a proxy dropped the header tenant_id because of its underscore",
		Fix: "read the vendor's message; check tenant_id, api_key and this machine's clock, and that the account is an agent's and not the administrator's", Class: connector.ClassConfig},
	{Code: "10", Meaning: "the gender is not understood", Cause: "sex is not male, female or unknown", Fix: "map `gender` to male, female or unknown", Class: connector.ClassRow},
	{Code: "14", Meaning: "the source is not known", Cause: "`source` names none of the customer sources of the company", Fix: fixSetup, Class: connector.ClassRow},
	{Code: "15", Meaning: "the stage is not known", Cause: "`stage` names none of the customer stages of the company", Fix: fixSetup, Class: connector.ClassRow},
	{Code: "16", Meaning: "the language is not known", Cause: "`language` is none of the values of the vendor's import template", Fix: "map `language` to a value of the template's second sheet, such as Auto", Class: connector.ClassRow},
	{Code: "19", Meaning: "too many contacts in one request", Cause: "the request holds more than 10,000 contacts", Fix: "nothing to do; the request is split", Class: connector.ClassRows},
	{Code: "21", Meaning: "an extension field is too long", Cause: "the value has more characters than the field takes", Fix: "shorten it with `truncate:` in the mapping", Class: connector.ClassRow},
	{Code: "22", Meaning: "a required field is missing", Cause: "the company's settings demand a field that the row does not have", Fix: "map the field or give it a `default:`, or make it optional in the vendor's console", Class: connector.ClassRow},
	{Code: "23", Meaning: "a number is not understood", Cause: "an extension field of the type number holds something else", Fix: fixRow, Class: connector.ClassRow},
	{Code: "24", Meaning: "a date is not understood", Cause: "the birthday or an extension field of the type date is not written as year/month/day", Fix: "for an extension field set its type to date in field_types, or use `date:` in the mapping", Class: connector.ClassRow},
	{Code: "25", Meaning: "a time is not understood", Cause: "an extension field of the type time is not written as hours:minutes:seconds", Fix: fixRow, Class: connector.ClassRow},
	{Code: "26", Meaning: "a single choice is not understood", Cause: "the option is not set up, or several were given", Fix: fixSetup + "; if the option is there, try another value of single_select", Class: connector.ClassRow},
	{Code: "27", Meaning: "a multiple choice is not understood", Cause: "one of the options is not set up", Fix: fixSetup, Class: connector.ClassRow},
	{Code: "28", Meaning: "the WhatsApp number is wrong", Cause: "it is not made of digits with the country code first", Fix: "mend the number, or map another field with `from: [a, b]`", Class: connector.ClassRow},
	{Code: "29", Meaning: "the WhatsApp number is missing", Cause: "the row has neither whatsapp nor phone", Fix: "map one of them", Class: connector.ClassRow},
	{Code: "51", Meaning: "the country is not known", Cause: "the country is empty, or none that the vendor lists", Fix: fixRow, Class: connector.ClassRow},
	{Code: "56", Meaning: "the contact is being processed", Cause: "the same number was imported less than a minute ago", Fix: "nothing to do; the row is sent again after a minute", Class: connector.ClassRetry},
	{Code: "58", Meaning: "too many attachments", Cause: "a field of the type attachment holds more than ten addresses", Fix: fixRow, Class: connector.ClassRow},
	{Code: "59", Meaning: "an attachment could not be fetched", Cause: "its address is wrong, the network failed, or the file is too large; the row was sent twice", Fix: "check that the address can be opened from anywhere, then `sluice rejects retry` the row", Class: connector.ClassRow},
	{Code: "60", Meaning: "an attachment is too large", Cause: "the file behind an address is larger than the vendor takes", Fix: fixRow, Class: connector.ClassRow},
	{Code: codePartial, Meaning: "the contact was not taken, and the vendor does not say why", Cause: "the answer counts more failures than it explains, or fewer contacts than were sent",
		Fix: "look the contact up in the vendor's client, then `sluice rejects retry` the row if it is missing", Class: connector.ClassRows, Assumed: true},
}, restapi.StatusErrors("api_key", "lower max_request_bytes, or shorten long values in the mapping with `truncate:`")...)
