package transforms

var opUnique = Op{
	Name:      "unique",
	Signature: "unique: true",
	Doc:       "Leaves out elements of a list that were there before, and missing ones; the order stays. What is no list passes as it is.",
	In:        List,
	Examples: []Example{
		{Field: `{from: tags, unique: true}`, In: `{"tags":["b","a","b",null]}`, Out: `["b","a"]`},
		{Field: `{from: tags, split: ",", unique: true}`, In: `{"tags":"x,x"}`, Out: `["x"]`},
		{Field: `{from: tags, unique: true}`, In: `{"tags":[1,"1",true]}`, Out: `[1,"1",true]`},
	},
	parse: func(a arg) *step {
		if !a.flag() {
			return nil
		}
		return &step{
			passes: Scalar | Object, why: "unique takes a list: put split before it",
			run: values(func(x *exec, v value) (value, *fault) { return x.unique(v), nil }),
		}
	},
}

func (x *exec) unique(v value) value {
	list, ok := x.elements(v)
	if !ok {
		return v
	}
	start := len(x.items)
	for i := range x.listOf(list) {
		item := x.listOf(list)[i]
		seen := item.missing()
		for _, before := range x.items[start:] {
			seen = seen || before.k == item.k && before.s == item.s && before.n == item.n
		}
		if !seen {
			x.items = append(x.items, item)
		}
	}
	return x.listFrom(start)
}
