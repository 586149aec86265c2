package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
)

const (
	seed  = 20260106
	count = 1240
	every = 33 // one row in so many is spoilt: 3 %
)

// person is one contact as its source holds it: members in order, so that a line reads like the source's own.
type person struct {
	row     int // the first row of this person
	members []member
	region  *region
	given   given
}

type member struct {
	name  string
	value any
}

func (p *person) put(name string, v any) {
	for i := range p.members {
		if p.members[i].name == name {
			p.members[i].value = v
			return
		}
	}
	p.members = append(p.members, member{name, v})
}

func (p *person) drop(name string) {
	kept := p.members[:0:0]
	for _, m := range p.members {
		if m.name != name {
			kept = append(kept, m)
		}
	}
	p.members = kept
}

func (p *person) value(name string) any {
	for _, m := range p.members {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

func (p *person) text(name string) string {
	s, _ := p.value(name).(string)
	return s
}

func (p *person) json() string {
	var b strings.Builder
	for i, m := range p.members {
		b.WriteString(string("{,"[min(i, 1)]) + encode(m.name) + ":" + encode(m.value))
	}
	return b.String() + "}"
}

func encode(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // texts, numbers and lists of them
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// generator makes the rows one after another.
type generator struct {
	*rand.Rand
	lines   []string
	truth   []truth
	now     truth           // of the row at hand
	sound   []*person       // rows that must be delivered
	people  []*person       // of every row, in order
	numbers map[string]bool // given out; no two people share one
	total   int             // weight of all regions
}

// generate returns the files by name.
func generate() map[string][]byte { return newGenerator().files() }

// newGenerator makes all rows.
func newGenerator() *generator {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0)), numbers: map[string]bool{}}
	for _, r := range regions {
		g.total += r.weight
	}
	spoilt := 0
	for row := 1; row <= count; row++ {
		g.now = truth{Row: row, ID: fmt.Sprintf("C-%05d", row)}
		p := g.person(row)
		var d *damage
		if row%every == 17 {
			d = &damages[spoilt%len(damages)]
			spoilt++
		}
		g.add(row, p, d)
		if len(g.now.Kinds) > 0 {
			g.truth = append(g.truth, g.now)
		}
	}
	return g
}

func (g *generator) files() map[string][]byte {
	var truths bytes.Buffer
	for _, t := range g.truth {
		truths.WriteString(encode(t) + "\n")
	}
	return map[string][]byte{
		"contacts.jsonl":       []byte(strings.Join(g.lines, "\n") + "\n"),
		"contacts.truth.jsonl": truths.Bytes(),
		"contacts.csv":         g.table(),
	}
}

// add finishes a row: spoilt, left, or as it is.
func (g *generator) add(row int, p *person, d *damage) {
	g.people = append(g.people, p)
	if d == nil {
		if row%61 == 40 {
			p.put("state", "left")
			g.odd("left")
			g.now.Filtered = true
		} else {
			g.sound = append(g.sound, p)
		}
		g.lines = append(g.lines, p.json())
		return
	}
	if d.spoil != nil {
		d.spoil(p)
	}
	line := p.json()
	if d.line != nil {
		line = d.line(line)
	}
	g.lines = append(g.lines, line)
	// What else was odd does not matter any more: the row is rejected whatever it is.
	g.now = truth{Row: row, ID: p.text("id"), Kinds: []string{d.kind}, Field: d.field, Code: d.code}
}

// odd notes something about the row at hand.
func (g *generator) odd(kind string) { g.now.Kinds = append(g.now.Kinds, kind) }

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

func pick[T any](g *generator, list []T) T { return list[g.IntN(len(list))] }

// person makes one row; one in sixteen is somebody who came before.
func (g *generator) person(row int) *person {
	id := g.now.ID
	if len(g.sound) > 50 && row%16 == 0 {
		return g.again(id)
	}
	r := g.regionOf()
	p := &person{row: row, region: r, given: pick(g, r.given)}
	family := pick(g, r.families)
	p.put("id", id)
	p.put("name", p.given.name+r.sep+family)
	if r.surnameFirst {
		p.put("name", family+r.sep+p.given.name)
	}
	g.name(p)
	number := g.number(r)
	p.put("mobile", g.spell(r.prefix, number))
	switch {
	case g.chance(55):
		p.put("wa", r.prefix+number)
	case g.chance(30):
		p.put("wa", nil)
	}
	g.sex(p)
	g.birth(p)
	g.mail(row, p)
	g.labels(p)
	g.rest(row, p)
	return p
}

// again is a person who came before, with another id, a number spelled anew and something changed.
func (g *generator) again(id string) *person {
	old := pick(g, g.sound)
	p := &person{row: old.row, region: old.region, given: old.given, members: append([]member(nil), old.members...)}
	p.put("id", id)
	p.put("state", "active")
	if m, ok := p.value("mobile").(string); ok {
		p.put("mobile", "+"+strings.Map(func(c rune) rune {
			if c < '0' || c > '9' {
				return -1
			}
			return c
		}, m))
	}
	p.put("notes", "moved, new address")
	p.put("city", pick(g, old.region.cities))
	p.put("labels", []string{"returning"})
	g.odd("repeat")
	g.now.Of = old.row
	return p
}

var columns = []string{"id", "name", "sex", "birth", "mobile", "wa", "mail", "labels", "notes", "city", "country", "vip", "state"}

// table writes each sixth sound person as a record of a spreadsheet's making: a byte order mark, CRLF, empty cells for
// what is not there.
func (g *generator) table() []byte {
	var b bytes.Buffer
	b.WriteString("\ufeff")
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	cells := [][]string{columns}
	for i, p := range g.sound {
		if i%6 != 0 {
			continue
		}
		record := make([]string, len(columns))
		for c, name := range columns {
			record[c] = cell(p.value(name))
		}
		cells = append(cells, record)
	}
	if err := w.WriteAll(cells); err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
}

func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []string:
		return strings.Join(v, ",")
	}
	return fmt.Sprint(v)
}
