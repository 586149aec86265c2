// Package sandbox is a local NXLink and NXCloud: the customer endpoints of both, as strict as the vendor's pages and
// stricter where they are silent. It knows nothing of connector/nx, its signing and its tables are written anew from the
// vendor's pages, so that the two check one another.
//
//	nxlink   POST /saas/sea/cdp/openapi/customers/batch_create
//	nxcloud  POST /saas/cdp/openapi/customers/batch_create     contract new or old, see Options.Contract
//	         GET  /saas/cdp/openapi/customers/fields
//	         POST /saas/cdp/openapi/customers/query
//
// A request is checked in this order, and the first fault answers: headers present (1001), bizType, action and algorithm
// (1002), accessKey (1005), ts (1004), Content-Type and sign over the raw bytes (1003), the body (1002), tenant_id
// (21058, 22020), app_key (21059, 22124), type and customers (1002), every row (1002). A request with one bad row
// changes nothing.
//
// What the vendor does not document is listed by [Assumptions], with the choice made here.
package sandbox
