package sandbox

import (
	"encoding/json"
	"strconv"

	"github.com/sluicehq/sluice/internal/sandbox"
)

// answer makes the vendor's envelope: of a fault, or of success with data (nil: the empty string, as the pages print it).
func answer(c *sandbox.Call, f *fault, data []byte) sandbox.Reply {
	var r sandbox.Reply
	r.Code = "0"
	if f != nil {
		r.Code, r.Message = strconv.Itoa(f.code), f.message
	}
	if data == nil {
		data = []byte(`""`)
	}
	b := append([]byte(`{"code":`), r.Code...)
	b = append(b, `,"message":`+quote(r.Message)+`,"data":`...)
	b = append(b, data...)
	r.Body = append(b, `,"traceId":"`+c.TraceID+`"}`...)
	return r
}

// quote returns s as a JSON string.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always marshals
	}
	return string(b)
}
