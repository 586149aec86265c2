// Package outcall puts contacts into the tasks of an outbound-call CRM (agent-api).
//
//	mode    path                                               rows   answers
//	async   /agent-api/user/{user}/task/{task}/async_number    200    accepted; what was imported is asked for later
//	sync    /agent-api/user/{user}/task/{task}/number          100    done
//
// The interface does harm when a call is repeated blindly, so it is declared as not idempotent: after a lost reply the
// numbers of the task are listed and only what is known not to be there is sent again.
//
// An accepted async request is followed by polls, one step each:
//
//	id:<unique_id>  identification/{unique_id}: nothing yet, or an address (or at once the numbers)
//	url:<address>   the address: the numbers that were imported; those that were sent and are not among them failed
//	page:<n>        the numbers of the task, 1,000 a page where the vendor gives so many; "" is the first page
//	number:<phone>  one number of the task
//
// The last two are steps of a search for the rows of a lost reply or, with "left:" before them, for what an import left
// out. A search goes over the pages of the task, or from number to number where that takes fewer calls; nothing but its
// last step says that a row is not there. A number that is found under the row's own key (extra) is delivered; one under
// another key was put there by another row, which the reject names.
//
// The address comes out of data and is called only where it is of the host in base_url.
//
// The way back is callbacks about imports (webhook.go), the imports themselves (imports.go) and the pool of customers
// (pool.go). A callback names an address where its list of numbers is; the same rule holds for calling it.
package outcall
