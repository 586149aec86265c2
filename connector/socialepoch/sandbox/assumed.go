package sandbox

import "strings"

// Assumption is a choice of the sandbox on a point that the vendor's page leaves open.
type Assumption struct{ Topic, Choice string }

// Assumptions lists what is assumed, for the vendor's page in docs.
var Assumptions = []Assumption{
	{"HTTP status", "Business errors come with HTTP 200 and a code; only faults, unknown paths and oversized bodies have another status."},
	{"Clock", "timestamp may differ from the sandbox's clock by five minutes either way, that included; else -1 with a message that speaks of the timestamp. The Date header carries the sandbox's clock."},
	{"Body", "Strict JSON in UTF-8. A field of every contact that is no text is -1 for the whole request; null and \"\" count as absent."},
	{"tenantId", "Must be the number in the header tenant_id, else -1."},
	{"Codes of contacts", "They stand in errExcel under code 200, with the number as it was sent in errPhone, one code a contact: the first fault in the order of the vendor's table of fields."},
	{"Too many contacts", "19 stands in errExcel under code 200, in one entry without a number, with errCount as large as the request; nothing is taken."},
	{"Match", "A contact is known by company, agent and WhatsApp number. The agent is compared as text; any agent is taken."},
	{"Update", "Given fields replace old ones; tags are added, then those of cancelTabName are taken away. The pool works in the same way, and keeps contacts of its own."},
	{"cancelTabName in the pool", "Read by batchImportWhatsContact, whose table has it; ignored by batchImportAppendV2, whose table has not."},
	{"Replaced pools", "batchImportWhatsContact empties the pool of every agent that the request names, then takes its good contacts. Contacts that are refused leave the pool too, also if no contact is taken."},
	{"Unknown names", "A name that is neither a field nor an extension field of the company is ignored and counted."},
	{"Repeats in one request", "Rows are applied one after another, as if sent alone."},
	{"Lock", "Off unless asked for: for a minute after a number was taken, any further contact of that number is answered 56."},
	{"Rate", "Off unless asked for: calls of an import beyond so many within a time are answered 500 with a message that speaks of the limit; the vendor shows no such answer. The fault `rate` answers HTTP 429 instead."},
	{"country", "Not in the tables, but in the codes: where it is given it must be one of the sandbox's countries (51)."},
	{"Lengths", "Texts of extension fields have at most 500 characters (21); nothing else is limited."},
	{"Dates", "birthday is yyyy/MM/dd; extension fields of the type date take yyyy-MM-dd too (24)."},
	{"Single choice", "The option's name, the text of a JSON list of one, or such a list (26)."},
	{"Attachments", "Up to ten http addresses joined by commas (58, 59). An address that holds \"oversize\" stands for a file that is too large (60)."},
	{"Partial failure", "The fault `partial` answers about one good contact in ten with 59, as if its attachments could not be fetched."},
	{"Friends", "The friends of a WhatsApp account are the customers of its agent, by number; of an account that is not the company's there are none. Ids of stages and sources are 10, 20 and so on, in the order in which the names are set up."},
	{"Webhook headers", "access_token, tenant_id and timestamp; the company and the time stand in the body as well, as the vendor's tables demand."},
	{"Webhook answers", "HTTP 200 with the code 200, a message and data, within three seconds. Anything else counts as a failure: the request is signed anew and sent again, three times in all unless told otherwise."},
	{"What webhooks tell", "Changes by agents, and those of imports if asked for; never those of the import pool. A follow-up goes to both webhooks; the one for follow-ups alone has its JSON without the last bracket, as on the vendor's page."},
	{"notFollowSuccessCount", "Always \"\", as in the vendor's examples."},
}

// Doc returns the assumptions as a Markdown list.
func Doc() string {
	var b strings.Builder
	for _, a := range Assumptions {
		b.WriteString("- **" + a.Topic + "** (assumed). " + a.Choice + "\n")
	}
	return b.String()
}
