// Package connectortest is the contract suite of vendors. A vendor's test calls it with one line per configuration worth
// testing:
//
//	connectortest.Run(t, nx.NXLink, connectortest.Sandbox{New: newService, Config: values})
//
// The suite reads the vendor's value as the rest of Sluice does and checks what Sluice relies on: that tables fit structs
// and codes are explained, that the preset turns a canonical contact into what the vendor takes, that requests are the
// same bytes for the same rows and leave the rows alone, that every answer is read without panic and none but a success
// counts as delivered, that verdicts which come later do come and lost replies can be looked up, that rows the vendor takes for one person share a key, that no secret leaves, and that a whole
// delivery under faults ends in the state that a serial sender would leave.
//
// It asks the vendor's sandbox, not a mock, what the vendor takes; the two are written apart and check one another.
//
// [Source] holds a vendor's folder to the rule that its code is pure.
//
// The suite proves itself: its own test plants defects in a good vendor, and each must be caught by the check that is
// there for it.
package connectortest
