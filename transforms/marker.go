package transforms

import (
	"slices"
	"strings"

	"github.com/sluicehq/sluice/connector"
)

// markerNames are the fields by which sources mark a record as deleted.
var markerNames = []string{"_ab_cdc_deleted_at", "_sdc_deleted_at", connector.ColumnOp, "__deleted"}

// marker is one of them, bound to a slot.
type marker struct {
	name string
	slot int
}

func (b *builder) useMarkers() {
	for _, name := range markerNames {
		if slot := b.source(name); slot >= 0 {
			b.markers = append(b.markers, marker{name, slot})
		}
	}
}

// deleted reports whether the marker's value says so: a time of deletion that is set, a change kind d, a true flag.
func (m marker) deleted(v value) bool {
	switch m.name {
	case connector.ColumnOp:
		return v.k == kindText && (strings.EqualFold(v.s, "d") || strings.EqualFold(v.s, "delete"))
	case "__deleted":
		return v.k == kindBool && v.n != 0 || v.k == kindText && strings.EqualFold(v.s, "true")
	}
	return !v.empty()
}

// filter takes out the rows that are marked deleted, then those that do not meet `where`.
func (x *exec) filter() {
	for _, m := range x.g.markers {
		vec := &x.vecs[m.slot]
		if !slices.ContainsFunc(x.sel, func(r int32) bool { return !vec.missing(r) }) {
			continue
		}
		x.keepRows(func(r int32) bool {
			if vec.missing(r) || !m.deleted(vec.at(r)) {
				return true
			}
			if x.g.onDelete == deleteReject {
				x.refuse(r, m.name, &fault{connector.CodeDeleted, "the row is marked deleted by " + m.name})
				return true
			}
			return false
		})
	}
	if x.g.where != nil {
		x.applyWhere()
	}
}
