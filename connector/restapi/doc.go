// Package restapi is what vendors share whose interface is JSON over HTTP: where requests may go, what an HTTP status
// says when no code of the vendor's does, and how answers are read that keep to their documents only roughly.
//
// It holds nothing that one vendor alone does. What a vendor's own codes mean, and what a status means where a repeat
// would do harm, stays with the vendor.
package restapi
