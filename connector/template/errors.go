package template

import (
	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/restapi"
)

// Codes of the vendor that this package treats by name.
const (
	codeOK      = 0
	codeKey     = 1
	codeAccount = 2
	codeBusy    = 3
)

const fixRow = "mend the value at its source or in the mapping, then `sluice rejects retry` the row"

// vendorErrors explains every code that the vendor is known to answer.
var vendorErrors = append([]connector.ErrorInfo{
	{Code: "0", Meaning: "success", Cause: "the vendor took all contacts that it does not list", Fix: "nothing to do", Class: connector.ClassOK},
	{Code: "1", Meaning: "the key was refused", Cause: "api_key is wrong or was withdrawn", Fix: "copy api_key from the vendor's console", Class: connector.ClassConfig},
	{Code: "2", Meaning: "the account is not known", Cause: "account names none that the key may use", Fix: "copy account from the vendor's console", Class: connector.ClassConfig},
	{Code: "3", Meaning: "busy", Cause: "more calls than the vendor takes", Fix: "nothing to do; lower the configured rate if it happens often", Class: connector.ClassRetry},
	{Code: "100", Meaning: "the request was not understood", Cause: "a contact has a field that the vendor does not know, or that is no text",
		Fix: fixRow, Class: connector.ClassRows},
	{Code: "101", Meaning: "a field is too long", Cause: "the value has more characters than the field takes", Fix: "shorten it with `truncate:` in the mapping", Class: connector.ClassRow},
	{Code: "102", Meaning: "the phone is not understood", Cause: "it is not made of 5 to 20 digits", Fix: fixRow, Class: connector.ClassRow},
	{Code: "103", Meaning: "a value is not understood", Cause: "the gender is not m, f or x, or the birthday is no date", Fix: fixRow, Class: connector.ClassRow},
}, restapi.StatusErrors("api_key", "shorten long values in the mapping with `truncate:`")...)
