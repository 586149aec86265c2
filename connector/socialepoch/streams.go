package socialepoch

import (
	"slices"

	"github.com/sluicehq/sluice/connector"
)

// Streams, by name.
const (
	streamChanges  = "profile_changes"
	streamFollows  = "follow_ups"
	streamContacts = "contacts"
)

const (
	hookPortrait = "user_sync_portrait"
	hookFollow   = "user_write_flow"
)

// Columns that several streams have.
var (
	columnAccount = connector.StreamColumn{Name: "account", Doc: "WhatsApp number of your side, where the vendor gives it"}
	columnAgent   = connector.StreamColumn{Name: "agent", Doc: "the agent as the vendor names him; a login name or a person's"}
	columnRaw     = connector.StreamColumn{Name: "raw", Type: connector.ColumnJSON, Doc: "the vendor's item untouched; a text where it is not JSON"}
	columnCustom  = connector.StreamColumn{Name: "custom", Type: connector.ColumnJSON, Doc: "extension fields by display name: texts, lists of choices, dates as ISO 8601"}
)

// contactColumns are canonical columns of connector.Contact, by name.
func contactColumns(names ...string) []connector.StreamColumn {
	var list []connector.StreamColumn
	for _, name := range names {
		i := slices.IndexFunc(connector.Contact, func(c connector.Column) bool { return c.Name == name })
		c := connector.StreamColumn{Name: name, Doc: connector.Contact[i].Doc} // a name that is not canonical panics at start
		if connector.Contact[i].List {
			c.Type = connector.ColumnTexts
		}
		list = append(list, c)
	}
	return list
}

var streams = []connector.Stream{
	{
		Name: streamChanges, Title: "Profile changes",
		Doc: "One row for each field of a contact that an agent changed. A row is long (`field`, `old_value`, `new_value`) and wide: the " +
			"canonical column of the field holds the new value and all others are absent, so a mapping to another CRM needs no pivot. An " +
			"emptied field has no new value; `raw` tells null from the empty text.",
		Columns: slices.Concat(connector.EventColumns, []connector.StreamColumn{
			{Name: "change_type", Type: connector.ColumnInteger, Doc: "the vendor's kind of the item: 1 is a profile change; of a kind that is not documented, no canonical column is filled"},
			columnAgent, columnAccount,
			{Name: "field", Doc: "what changed: the name of a canonical column, or the label as the vendor's client shows it"},
			{Name: "field_type", Doc: "basic or extension"},
			{Name: "value_type", Doc: "text, lines, single, multi, number, date, time or attachment"},
			{Name: "old_value", Doc: "as text, in canonical form where the field has one; a list as JSON"},
			{Name: "new_value", Doc: "likewise"},
		}, contactColumns("whatsapp", "full_name", "gender", "birthday", "address", "email", "profession", "income", "remark", "source", "stage", "language", "tags"),
			[]connector.StreamColumn{columnCustom, columnRaw}),
		Key: []string{"event_id"}, Cursor: "seq",
	},
	{
		Name: streamFollows, Title: "Follow-ups",
		Doc: "One row for each record of a talk that an agent wrote. Both webhooks may tell of the same one, each with an `event_id` of its " +
			"own: rows of one `content_id` that come within minutes are one follow-up, so keep one of them or have the vendor send one " +
			"webhook only. user_write_flow gives neither an id nor a time: there, a follow-up that repeats another word for word, for the " +
			"same contact and by the same agent, counts as the same event for as long as the inbox remembers events.",
		Columns: slices.Concat(connector.EventColumns, []connector.StreamColumn{
			{Name: "webhook", Doc: "user_sync_portrait or user_write_flow: the form in which the item came"},
			{Name: "content_id", Doc: "hash of the contact's number and the follow-up's text and attachments; equal where both webhooks tell of one follow-up"},
			columnAgent,
			{Name: "agent_id", Doc: "the agent's number at the vendor"},
			columnAccount,
			{Name: "item_tenant_id", Doc: "the company that the item itself names; it is not authenticated, and the vendor's example shows another than tenant_id"},
		}, contactColumns("whatsapp"), []connector.StreamColumn{
			{Name: "text", Doc: "what the agent wrote"},
			{Name: "urls", Type: connector.ColumnTexts, Doc: "addresses of attached files"},
			{Name: "old_text", Doc: "what it said before"},
			{Name: "content", Type: connector.ColumnJSON, Doc: "the vendor's document of the follow-up, with closing brackets added where it lacks them; absent where it is plain text"},
			{Name: "repaired", Type: connector.ColumnBoolean, Doc: "closing brackets were added"},
			columnRaw,
		}),
		Key: []string{"event_id"}, Cursor: "seq",
	},
	{
		Name: streamContacts, Title: "Contacts",
		Doc: "The friends of each account in whatsapp_accounts, all of them each time: the vendor gives no time of change. Where it answers " +
			"with the contact's number, that is `contact_id`; where it repeats the account's own number instead, as its page shows, a contact " +
			"has no identity: `contact_id` is a hash of all that is known of him and `whatsapp` is absent.",
		Columns: slices.Concat([]connector.StreamColumn{
			{Name: "account", Doc: "WhatsApp number of your side that was asked"},
			{Name: "contact_id", Doc: "the contact's number, or a hash of the item"},
			{Name: "vendor", Doc: "the CRM"},
			{Name: "tenant_id", Doc: "the company"},
		}, contactColumns("whatsapp", "full_name", "gender", "birthday", "address", "email", "country", "profession", "income", "remark", "tags", "stage", "source"), []connector.StreamColumn{
			{Name: "first_chat_at", Type: connector.ColumnTimestamp, Doc: "when the first message was exchanged"},
			{Name: "last_chat_at", Type: connector.ColumnTimestamp, Doc: "when the last one was"},
			columnCustom, columnRaw,
		}),
		Key: []string{"account", "contact_id"},
	},
}

var webhooks = []connector.Webhook{
	{
		Name: hookPortrait, Title: "USER_SYNC_PORTRAIT", Streams: []string{streamChanges, streamFollows}, Hook: newPortraitHook,
		Doc: "Agents' changes to contacts and their follow-ups. Every item has an id, by which a repeated one is known.",
	},
	{
		Name: hookFollow, Title: "USER_WRITE_FLOW", Streams: []string{streamFollows, streamChanges}, Hook: newFollowHook,
		Doc: "Agents' follow-ups. Items have no id: one is known by its bytes and the company.",
	},
}
