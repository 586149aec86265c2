// Package template is a CRM that does not exist: the folder to copy when a vendor is added, small and complete. It is
// held to the contract like the others and stands in no list.
//
//	POST /v1/contacts   up to 500 contacts, added or updated by phone
//	GET  /v1/account    changes nothing; tells whether key and account are known
//
// Requests carry the header X-Api-Key. Answers are {"code":0,"message":"…","id":"…","failed":[{"index":3,"code":102,
// "message":"…"}]}: code speaks of the request, failed lists the contacts that were not taken, by their place in it.
package template
