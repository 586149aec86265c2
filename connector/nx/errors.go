package nx

import (
	"slices"
	"strconv"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/restapi"
)

// codePartial is code 0 with data that speaks of failed rows.
const codePartial = "partial"

// Codes of the vendor that this package treats by name.
const (
	codeOK         = 0
	codeFailed     = -1
	codeAuthFirst  = 1000 // 1000 to 1009 are the vendor's authentication range
	codeAuthLast   = 1009
	codeNoHeader   = 1001
	codeParameter  = 1002
	codeSignature  = 1003
	codeClock      = 1004
	codePermission = 1005
	codeNoTenant   = 21058
	codeNoApp      = 21059
	codeTenant     = 22020
	codeApp        = 22124
)

// Sends for causes that rarely mend themselves.
const (
	triesFailed = 4
	triesClock  = 2
)

// reserved explains the codes of the authentication range that the vendor keeps without a word about them.
func reserved() (all []connector.ErrorInfo) {
	for code := codePermission + 1; code <= codeAuthLast; code++ {
		all = append(all, connector.ErrorInfo{
			Code: strconv.Itoa(code), Meaning: "authentication refused", Cause: "the vendor keeps 1000 to 1009 for authentication and explains only some",
			Fix: "check access_key and access_secret in the vendor's console", Class: connector.ClassConfig, Assumed: true,
		})
	}
	return all
}

// vendorErrors explains every code that the vendor is known to answer. "Assumed" marks what its pages on customers do
// not say: the tenant and application codes are those of its WhatsApp interface.
var vendorErrors = slices.Concat([]connector.ErrorInfo{
	{Code: "0", Meaning: "success", Cause: "the vendor took all rows of the request", Fix: "nothing to do", Class: connector.ClassOK},
	{Code: "-1", Meaning: "request failed", Cause: "a fault on the vendor's side that it does not explain",
		Fix: "run again later; if it stays, give the trace id to the vendor's support", Class: connector.ClassRetry, Assumed: true},
	{Code: "1000", Meaning: "authentication refused", Cause: "the vendor keeps 1000 to 1009 for authentication and explains only some",
		Fix: "check access_key and access_secret in the vendor's console", Class: connector.ClassConfig},
	{Code: "1001", Meaning: "a common parameter is missing", Cause: "a required header did not arrive, often because a proxy removed it",
		Fix: "check access_key, and that no proxy between here and base_url drops headers", Class: connector.ClassConfig},
	{Code: "1002", Meaning: "parameter error", Cause: "a field of one of the rows breaks a rule of the vendor that is not published",
		Fix: "read the vendor's message, mend the row and send it with `sluice rejects retry`", Class: connector.ClassRows},
	{Code: "1003", Meaning: "the signature is wrong", Cause: "access_secret does not belong to access_key, or the account expects another algorithm",
		Fix: "paste access_secret again; if it is right, set algorithm to sha256 or back to md5", Class: connector.ClassConfig},
	{Code: "1004", Meaning: "the timestamp has expired", Cause: "this machine's clock is more than 60 seconds off",
		Fix: "set this machine's clock by NTP", Class: connector.ClassRetry},
	{Code: "1005", Meaning: "insufficient permissions", Cause: "access_key is unknown, or the account has not opened the customer interface",
		Fix: "check access_key, and in the vendor's console that the product is enabled for it", Class: connector.ClassConfig},
	{Code: "21058", Meaning: "tenant_id is missing", Cause: "the vendor did not find a tenant id in the request",
		Fix: "set tenant_id to the number of the tenant", Class: connector.ClassConfig, Assumed: true},
	{Code: "21059", Meaning: "app_key is missing", Cause: "the vendor did not find an app key in the request",
		Fix: "set app_key to the key of the application", Class: connector.ClassConfig, Assumed: true},
	{Code: "22020", Meaning: "the tenant does not exist", Cause: "tenant_id names no tenant of this account",
		Fix: "copy tenant_id from the vendor's console", Class: connector.ClassConfig, Assumed: true},
	{Code: "22124", Meaning: "the application does not exist or is not available", Cause: "app_key names no application of this tenant, or it was switched off",
		Fix: "copy app_key from the vendor's console, and check that tenant_id is its tenant", Class: connector.ClassConfig, Assumed: true},
	{Code: codePartial, Meaning: "success, but some rows failed", Cause: "the vendor answered 0 and named failures in its data",
		Fix: "read the vendor's message, mend the row and send it with `sluice rejects retry`", Class: connector.ClassRows, Assumed: true},
}, reserved(), restapi.StatusErrors("access_key", "shorten long values in the mapping with `truncate:`"))
