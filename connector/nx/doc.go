// Package nx writes contacts to NXLink and NXCloud, two products of one vendor that share one signed interface.
//
// Both are one codec with three contracts:
//
//	vendor   contract  host                    path                                             names that it demands
//	nxlink   sea       api-hk.nxlink.ai        /saas/sea/cdp/openapi/customers/batch_create     first_name, last_name
//	nxcloud  old       api.nxcloud.com         /saas/cdp/openapi/customers/batch_create         first_name, last_name
//	nxcloud  new       api-hk.nxlink.ai        /saas/cdp/openapi/customers/batch_create         full_name
//
// A request carries up to 100 customers and a type: 1 merges into what is there, 0 replaces it, 2 leaves it alone. The
// answer speaks of the whole request only, so a refusal that may lie in the data is Suspect and the delivery chain
// bisects it.
//
// What a canonical contact becomes on the wire is said by preset.yaml, not by code; this package checks the result only
// where a wrong row would do harm (a row without an identifier could not be repeated safely).
//
// The vendor names no match key. What is assumed: whats_app_phone, else sms_phone, else email, within a tenant and app.
//
// The way back is NXCloud's query of contacts (query.go): a walk by id over what changed since the walk before. The vendor
// documents neither a webhook nor a query on the sea path.
package nx
