// Package sandbox is a local SocialEpoch: its customer import interfaces, as strict as the vendor's page and stricter where
// it is silent. It knows nothing of connector/socialepoch; token and tables are written anew from the vendor's page, so
// that the two check one another.
//
//	POST /wscrm-bus-api/customer/api/batchImport              customers of an agent
//	POST /wscrm-bus-api/customer/api/batchImportAppendV2      an agent's import pool
//	POST /wscrm-bus-api/customer/api/batchImportWhatsContact  the same, replaced by each request
//	POST /wscrm-bus-api/open/customer/query               friends of a WhatsApp account
//
// It tells of its customers' changes by the webhooks USER_SYNC_PORTRAIT and USER_WRITE_FLOW, see [Webhooks]; admin.go
// lists the routes by which a test or a person makes changes. Who uses webhooks must call Close.
//
// A request is checked in this order, and the first fault answers: headers present, company known, timestamp, token
// (-1), the body (-1), tenantId missing or another than the header's (-1), data missing or empty (-1), more than 10,000
// rows (19). Then each row is judged by itself; the good ones are taken.
//
// What the vendor does not document is listed by [Assumptions], with the choice made here.
package sandbox
