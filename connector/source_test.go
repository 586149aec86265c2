package connector_test

import (
	"testing"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
)

func TestStreamSchema(t *testing.T) {
	s := connector.Stream{Columns: append(connector.EventColumns[:len(connector.EventColumns):len(connector.EventColumns)],
		connector.StreamColumn{Name: "tags", Type: connector.ColumnTexts},
		connector.StreamColumn{Name: "raw", Type: connector.ColumnJSON},
		connector.StreamColumn{Name: "old", Type: connector.ColumnBoolean})}
	schema := s.Schema()
	want := map[string]arrow.Type{"event_id": arrow.STRING, "seq": arrow.INT64, "received_at": arrow.STRING, "tags": arrow.LIST, "raw": arrow.STRING, "old": arrow.BOOL}
	for name, id := range want {
		at := schema.FieldIndices(name)
		if len(at) != 1 || schema.Field(at[0]).Type.ID() != id {
			t.Errorf("column %s: want one of type %s, have %v", name, id, schema)
		}
		if json := connector.IsJSON(schema.Field(at[0])); json != (name == "raw") {
			t.Errorf("column %s: raw JSON is %v", name, json)
		}
	}
}

func TestItemSeqKeepsOrder(t *testing.T) {
	first := connector.Received{Seq: 7}
	next := connector.Received{Seq: 8}
	if a, b := first.ItemSeq(1<<16-1), next.ItemSeq(0); a >= b {
		t.Errorf("the last item of request 7 has seq %d, the first of request 8 %d", a, b)
	}
}
