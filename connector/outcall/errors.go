package outcall

import "github.com/sluicehq/sluice/connector"

// Codes of the vendor that this package treats by name, and of answers that carry none.
const (
	codeOK      = 200
	codeAuth    = 401
	codeForbid  = 403
	codeMissing = 404
	codeInvalid = 422
	codeBusy    = 429
	codeRunning = 6007

	codeNotImported = "not_imported"
	codeInTask      = "in_task"
	codeNoSuccess   = "no_success"
	codeForeign     = "foreign_address"
	codeHTTPPath    = "http_path"
	codeHTTPServer  = "http_5xx"
	codeHTTPTooBig  = "http_413"
	codeHTTPRefused = "http_4xx"
)

// vendorErrors explains every code that the vendor is known to answer. It publishes no list; "assumed" marks what its
// pages do not say.
var vendorErrors = []connector.ErrorInfo{
	{Code: "200", Meaning: "accepted", Cause: "the vendor took the request", Fix: "nothing to do", Class: connector.ClassOK},
	{Code: "6007", Meaning: "the task is running", Cause: "a task of version 2.0 takes numbers only while it is stopped",
		Fix: "stop the task in the vendor's console; the rows wait and are sent once it stands still", Class: connector.ClassRetry},
	{Code: codeNotImported, Meaning: "the number was not imported into the task", Cause: "the vendor gives no reason: it is not a number that it calls, or is on a blacklist; the task was searched for it",
		Fix: "look the number up in the vendor's blacklist", Class: connector.ClassRow},
	{Code: codeInTask, Meaning: "the task holds the number already", Cause: "another row put it there, in this run or before; the vendor takes a number once and leaves its fields as they are",
		Fix: "nothing to do if one call is enough; with number_add_suffix a task may hold a number several times", Class: connector.ClassRow},
	{Code: "401", Meaning: "the token was refused", Cause: "token is wrong, or has expired",
		Fix: "copy a valid token from the vendor's console into token", Class: connector.ClassConfig, Assumed: true},
	{Code: "403", Meaning: "access refused", Cause: "token may not use this account or task, or an address filter refused the call",
		Fix: "check that token belongs to user_id, and whether the vendor must allow this machine's address", Class: connector.ClassConfig, Assumed: true},
	{Code: "404", Meaning: "account or task not found", Cause: "user_id, sub_user_id or task_id names nothing that token may see",
		Fix: "copy user_id and task_id from the vendor's console", Class: connector.ClassConfig, Assumed: true},
	{Code: "422", Meaning: "a row is invalid", Cause: "a field of one of the rows breaks a rule of the vendor",
		Fix: "read the vendor's message, mend the row and send it with `sluice rejects retry`", Class: connector.ClassRows, Assumed: true},
	{Code: "429", Meaning: "too many requests", Cause: "more calls than the vendor allows",
		Fix: "nothing to do; lower the configured rate if it happens often", Class: connector.ClassRetry, Assumed: true},
	{Code: codeNoSuccess, Meaning: "code 200 without success", Cause: "the vendor answered 200 with another status than success",
		Fix: "read the vendor's message, mend the row and send it with `sluice rejects retry`", Class: connector.ClassRows, Assumed: true},
	{Code: codeForeign, Meaning: "the list of imported numbers lies on another host", Cause: "the vendor named an address that is not of base_url; it was not called, because it comes out of data",
		Fix: "set base_url to that host if it is the vendor's own, or use settle: accepted", Class: connector.ClassConfig, Assumed: true},
	{Code: codeHTTPPath, Meaning: "the address does not serve this interface", Cause: "a redirect, HTTP 404 or 405: base_url points elsewhere",
		Fix: "set base_url to the host that the vendor gave you, without the path", Class: connector.ClassConfig, Assumed: true},
	{Code: codeHTTPServer, Meaning: "the vendor's server failed", Cause: "an HTTP 5xx status; the numbers may or may not have been taken",
		Fix: "nothing to do; the numbers are looked up and sent again only if they are not there", Class: connector.ClassRetry, Assumed: true},
	{Code: codeHTTPTooBig, Meaning: "the request is too large", Cause: "a gateway refused the body (HTTP 413)",
		Fix: "shorten long values in the mapping with `truncate:`", Class: connector.ClassRows, Assumed: true},
	{Code: codeHTTPRefused, Meaning: "the web server refused the request", Cause: "an HTTP 4xx status without a code of the vendor",
		Fix: "read the message; mend the row if it names one", Class: connector.ClassRows, Assumed: true},
}
