package sandbox

import "strings"

// Assumption is a choice of the sandbox on a point that the vendor's pages leave open.
type Assumption struct{ Topic, Choice string }

// Assumptions lists what is assumed, for the vendor's page in docs.
var Assumptions = []Assumption{
	{"HTTP status", "Business errors come with HTTP 200 and a code; only faults, unknown paths and oversized bodies have another status."},
	{"Order of checks", "Headers, bizType and action, algorithm, accessKey, ts, Content-Type, sign, body, tenant, application, type, customers, rows."},
	{"Clock", "ts may differ from the sandbox's clock by 60,000 ms either way, that included. The Date header carries the sandbox's clock."},
	{"algorithm", "md5 or sha256 in any case; another value is 1002. An upper-case sign does not match."},
	{"Signature without a body", "The body part is left out of the signed text, as for an empty body."},
	{"tenant_id, app_key", "Missing ones are 21058 and 21059, as on the vendor's WhatsApp send page; an unknown or foreign tenant is 22020, an unknown application 22124. A lenient sandbox takes the tenant's first application where app_key is missing."},
	{"Body", "Strict JSON in UTF-8. Numbers are not taken for strings, nor strings for numbers. A name outside the vendor's tables is 1002 (a lenient sandbox ignores it); of a repeated name the last counts."},
	{"Fields of another contract", "A customer field that only another contract lists is taken and kept, with the limits of the contract that lists it; so are `source`, which appears in the vendor's examples only, and `full_name` on the sea path (at most 255 characters)."},
	{"Lengths", "Counted in characters, not bytes. full_name takes 255 and remark 2,000 under the new contract, as its latest revision says."},
	{"Empty values", "null and \"\" count as absent: a required field must have characters, type 1 leaves the old value alone, type 0 leaves the field empty."},
	{"Identifiers", "At least one of whats_app_phone, sms_phone, email, viber_phone, messenger, instagram, zalo and line must be given, else 1002."},
	{"Match", "An existing record is found by whats_app_phone, else by sms_phone, else by email; the first of them that finds one decides. Phones match as text, e-mail addresses without regard to case, within one tenant and application. Where two records hold one value, the one that got it first is found. A row with none of the three is always a new record."},
	{"Stores", "The sea path and the plat path keep separate customers."},
	{"type 1", "Given fields replace old ones, tagStr as a whole; members of customize_field are replaced one by one."},
	{"type 0", "The record keeps its id and creation time and nothing else."},
	{"Repeats in one request", "Rows are applied one after another, as if sent alone."},
	{"Limits of a request", "More than 100 customers is 1002, and so is an empty list."},
	{"Partial failure", "Never, unless the fault `partial` asks for it: then code is 0 and data counts and lists the rows that were not taken."},
	{"customize_field", "Any member is kept; a strict-custom sandbox refuses names that customers/fields does not list (1002)."},
	{"strict_binding", "Taken under the new contract only, and without effect."},
	{"fields and query", "Served on the plat path only. Query pages by id, ascending, in data.customers, with after, before and total in data.paging; after and before exclude the id given; start_time and end_time, both included, speak of updated_at in UTC+8; every record's source_type is 6; tag ids are given out when first shown."},
}

// Doc returns the assumptions as a Markdown list.
func Doc() string {
	var b strings.Builder
	for _, a := range Assumptions {
		b.WriteString("- **" + a.Topic + "** (assumed). " + a.Choice + "\n")
	}
	return b.String()
}
