package rows

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/go-faster/jx"

	"github.com/sluicehq/sluice/connector"
)

// AppendJSON appends one row as a JSON object on one line: the inverse of [Builder.Append]. Absent columns are left out,
// explicit nulls are null, and the members of "_extra" follow the columns. The other reserved columns are not data and
// are left out. The placeholder of a refused row comes as {"_extra":"its text"}.
func AppendJSON(dst []byte, rec arrow.Record, row int) []byte {
	start := len(dst)
	schema := rec.Schema()
	var v view
	nulls := nullBits(rec, row)
	for i := range schema.NumFields() {
		f := schema.Field(i)
		if connector.IsReserved(f.Name) {
			continue
		}
		v.open(rec.Column(i), kindOf(f))
		absent := v.isNull(row)
		if absent && !hasBit(nulls, i) {
			continue
		}
		dst = append(AppendString(append(dst, ','), f.Name), ':')
		if absent {
			dst = append(dst, "null"...)
			continue
		}
		value := len(dst)
		dst = v.appendValue(dst, row)
		if v.kind == kindJSON {
			Flatten(dst[value:])
		}
	}
	if i := fieldIndex(schema, connector.ColumnExtra); i >= 0 && schema.Field(i).Type.ID() == arrow.STRING {
		v.open(rec.Column(i), kindText)
		if !v.isNull(row) {
			value := len(dst)
			dst = appendMembers(dst, v.bytes(row), jx.Valid)
			Flatten(dst[value:])
		}
	}
	return closeObject(dst, start)
}

// closeObject makes an object of members that each begin with a comma.
func closeObject(dst []byte, start int) []byte {
	if len(dst) == start {
		return append(dst, "{}"...)
	}
	dst[start] = '{'
	return append(dst, '}')
}

// appendMembers appends the members of an object, each after a comma. A text that is no object becomes the one member
// "_extra".
func appendMembers(dst, object []byte, valid func([]byte) bool) []byte {
	object = bytes.TrimSpace(object)
	if len(object) < 2 || object[0] != '{' || object[len(object)-1] != '}' || !valid(object) {
		return appendText(append(dst, `,"`+connector.ColumnExtra+`":`...), object)
	}
	inner := bytes.TrimSpace(object[1 : len(object)-1])
	if len(inner) == 0 {
		return dst
	}
	return append(append(dst, ','), inner...)
}

// nullBits returns the value of "_null".
func nullBits(rec arrow.Record, row int) []byte {
	schema := rec.Schema()
	i := fieldIndex(schema, connector.ColumnNull)
	if i < 0 || schema.Field(i).Type.ID() != arrow.BINARY {
		return nil
	}
	var v view
	v.open(rec.Column(i), kindBinary)
	if v.isNull(row) {
		return nil
	}
	return v.bytes(row)
}

func hasBit(bits []byte, i int) bool { return i/8 < len(bits) && bits[i/8]>>(i%8)&1 != 0 }

// fieldIndex returns the index of a column, or -1. Schema.FieldIndices would allocate.
func fieldIndex(schema *arrow.Schema, name string) int {
	for i := schema.NumFields() - 1; i >= 0; i-- {
		if schema.Field(i).Name == name {
			return i
		}
	}
	return -1
}

// AppendValue appends one value of a column as JSON; null is null. isJSON says that the column, of type utf8, holds raw
// JSON. Binary is base64, a float that is no number null.
func AppendValue(dst []byte, col arrow.Array, isJSON bool, row int) []byte {
	var v view
	k := kindOf(arrow.Field{Type: col.DataType()})
	if isJSON && k == kindText {
		k = kindJSON
	}
	v.open(col, k)
	if v.isNull(row) {
		return append(dst, "null"...)
	}
	return v.appendValue(dst, row)
}

// appendValue appends a value that is not null.
func (v *view) appendValue(dst []byte, row int) []byte {
	switch v.kind {
	case kindText:
		return appendText(dst, v.bytes(row))
	case kindJSON, kindNumber:
		return append(dst, v.bytes(row)...)
	case kindInt:
		return strconv.AppendInt(dst, v.ints[row], 10)
	case kindFloat:
		return appendFloat(dst, v.floats[row])
	case kindBool:
		return strconv.AppendBool(dst, v.bool(row))
	case kindBinary:
		return append(base64.StdEncoding.AppendEncode(append(dst, '"'), v.bytes(row)), '"')
	case kindList:
		return v.appendList(dst, row)
	}
	return appendOther(dst, v.arr, row)
}

func (v *view) appendList(dst []byte, row int) []byte {
	var values view
	arr := v.values()
	values.open(arr, kindOf(arrow.Field{Type: arr.DataType()}))
	dst = append(dst, '[')
	for i := int(v.ends[row]); i < int(v.ends[row+1]); i++ {
		if i > int(v.ends[row]) {
			dst = append(dst, ',')
		}
		if values.isNull(i) {
			dst = append(dst, "null"...)
		} else {
			dst = values.appendValue(dst, i)
		}
	}
	return append(dst, ']')
}

// appendOther writes the types that hosts may send and we never make, as Arrow itself would.
func appendOther(dst []byte, arr arrow.Array, row int) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(arr.GetOneForMarshal(row)); err != nil {
		return append(dst, "null"...) // what JSON cannot say
	}
	return append(dst, bytes.TrimSuffix(buf.Bytes(), []byte{'\n'})...)
}

// appendFloat writes a float as encoding/json does: shortest, with an exponent where the number is very big or small.
func appendFloat(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		start := len(dst)
		dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
		// e-09 is written e-9
		if n := len(dst); n-start >= 4 && dst[n-4] == 'e' && dst[n-3] == '-' && dst[n-2] == '0' {
			dst[n-2] = dst[n-1]
			dst = dst[:n-1]
		}
		return dst
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}
