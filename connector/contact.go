package connector

// Column describes a canonical column of the contacts stream.
type Column struct {
	Name string
	List bool // a list of strings; every other column but "custom" is text
	Doc  string
}

// Contact is the canonical contact. A mapping targets these names; a vendor's preset reads them.
var Contact = []Column{
	{Name: "phone", Doc: "phone number, E.164 digits"},
	{Name: "whatsapp", Doc: "WhatsApp number, E.164 digits"},
	{Name: "full_name", Doc: "whole name as one text"},
	{Name: "first_name", Doc: "given name"},
	{Name: "last_name", Doc: "family name"},
	{Name: "email", Doc: "e-mail address"},
	{Name: "gender", Doc: "male, female or unknown"},
	{Name: "birthday", Doc: "date of birth, ISO 8601 (2006-01-31)"},
	{Name: "address", Doc: "postal address"},
	{Name: "country", Doc: "country"},
	{Name: "company", Doc: "company"},
	{Name: "profession", Doc: "profession or position"},
	{Name: "income", Doc: "income"},
	{Name: "remark", Doc: "free text"},
	{Name: "tags", List: true, Doc: "tags to set"},
	{Name: "tags_remove", List: true, Doc: "tags to take away"},
	{Name: "stage", Doc: "sales stage, by name"},
	{Name: "source", Doc: "where the contact came from, by name"},
	{Name: "industry", Doc: "industry"},
	{Name: "language", Doc: "language"},
	{Name: "time_zone", Doc: "time zone, such as GMT+8"},
	{Name: "owner", Doc: "agent or seat that owns the contact"},
	{Name: "external_id", Doc: "the source's own key of the contact"},
	{Name: "custom", Doc: "an object of custom fields"},
}
