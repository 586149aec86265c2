package sandbox

import "strings"

// Assumption is a choice of the sandbox on a point that the vendor's pages leave open.
type Assumption struct{ Topic, Choice string }

// Assumptions lists what is assumed, for the vendor's page in docs.
var Assumptions = []Assumption{
	{"HTTP status", "401 for a wrong token and 422 for an invalid request, both with the envelope; other refusals come with HTTP 200 and a code."},
	{"Order of checks", "Token, account and sub-account, task, task running, body, number of rows, rows."},
	{"Unknown account, task, import or number", "Code 404."},
	{"Body", "Strict JSON. A name outside the vendor's tables is 422, and so is a number for a text or a text for a number. `sub_user_id` and `encryption` are taken in a row too."},
	{"sort", "Demanded, as the older page says; its value does not matter."},
	{"Numbers", "Mainland mobile numbers of 11 digits, without country code."},
	{"Bad and repeated numbers", "An async import leaves them out of its numbers without a reason. A sync request is refused whole with 422, or leaves them out with `skip_error`. A switch makes async requests refuse repeats, too."},
	{"Components", "One that does not exist, is given twice, or does not fit its type is 422. With `ignore_crm` they are dropped."},
	{"Pool", "One customer for each number and account; one that is there stays as it is. get_customer lists customers in the order in which they came."},
	{"number_add_suffix", "`_` and four letters or digits; such numbers never repeat."},
	{"encryption", "Ignored and noted in the journal."},
	{"Import", "A fixed time after the request, in the order of acceptance."},
	{"identification", "The callback's payload as data; an empty list until the import is done."},
	{"download-number", "On the host by which the sandbox was called, https unless that is an address of a machine or localhost. Its key is enough, no token is asked for."},
	{"Pages", "At most 1,000 entries, 15 unless asked for otherwise. A page behind the last is empty."},
	{"Starting a task", "By the counterpart of the documented stop call. Only tasks of version 2.0 refuse numbers while they run."},
	{"Callbacks", "Sent only where an address is set: `api_customer_to_task` when an async import is done, three attempts a second apart, HTTP 200 is a success. They are not signed."},
}

// Doc returns the assumptions as a Markdown list.
func Doc() string {
	var b strings.Builder
	for _, a := range Assumptions {
		b.WriteString("- **" + a.Topic + "** (assumed). " + a.Choice + "\n")
	}
	return b.String()
}
