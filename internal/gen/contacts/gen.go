package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

const (
	seed  = 20260106
	rows  = 1240
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
	numbers map[string]bool // given out; no two people share one
	total   int             // weight of all regions
}

// generate returns the files by name.
func generate() map[string][]byte {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0)), numbers: map[string]bool{}}
	for _, r := range regions {
		g.total += r.weight
	}
	spoilt := 0
	for row := 1; row <= rows; row++ {
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

func (g *generator) regionOf() *region {
	n := g.IntN(g.total)
	for i := range regions {
		if n -= regions[i].weight; n < 0 {
			return &regions[i]
		}
	}
	panic("weights do not add up")
}

func (g *generator) name(p *person) {
	name := p.text("name")
	switch {
	case g.chance(3):
		p.put("name", p.given.name) // one word
		g.odd("one name")
	case g.chance(3):
		p.put("name", name+pick(g, []string{" 🌟", " 👑", " 🇨🇳"}))
		g.odd("emoji")
	case g.chance(2):
		p.put("name", "  "+name+" ")
		g.odd("blanks around")
	}
}

func (g *generator) number(r *region) string {
	for {
		number := strings.Map(func(c rune) rune {
			switch c {
			case '#':
				return rune('0' + g.IntN(10))
			case '+':
				return rune('1' + g.IntN(9))
			}
			return c
		}, pick(g, r.mobiles))
		if key := r.prefix + number; !g.numbers[key] {
			g.numbers[key] = true
			return number
		}
	}
}

// spell writes a number as people do. The digits, country code first, are the same in every way.
func (g *generator) spell(prefix, number string) any {
	a, b, c := number[:3], number[3:6], number[6:]
	ways := []any{
		prefix + number, "+" + prefix + number, "+" + prefix + " " + a + " " + b + " " + c, "+" + prefix + "-" + a + "-" + b + "-" + c,
		"+" + prefix + " (" + a + ") " + b + "." + c, " +" + prefix + " " + number + " ", json.Number(prefix + number),
	}
	n := g.IntN(len(ways))
	if n > 0 {
		g.odd("dirty phone")
	}
	return ways[n]
}

func (g *generator) sex(p *person) {
	list := male
	if p.given.sex == "f" {
		list = female
	}
	switch {
	case g.chance(8):
		list = unknown
	case g.chance(5):
		return
	case g.chance(3):
		p.put("sex", nil)
		return
	}
	v := pick(g, list)
	p.put("sex", v)
	if v != "male" && v != "female" {
		g.odd("gender spelling")
	}
}

// birth writes the day in one of the layouts that the mapping knows.
func (g *generator) birth(p *person) {
	if g.chance(12) {
		return
	}
	// Far enough back that no layout can be taken for another's.
	day := time.Date(1945, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, g.IntN(22000))
	// Midnight in China, as a program there writes it.
	shanghai := day.Add(-8 * time.Hour)
	ways := []any{
		day.Format("2006-01-02"), day.Format("02.01.2006"), day.Format("2006/1/2"), day.Format("20060102"),
		shanghai.UnixMilli(), day.Format("2006年1月2日"),
	}
	n := 0
	if g.chance(60) {
		n = g.IntN(len(ways))
	}
	p.put("birth", ways[n])
	if n > 0 {
		g.odd("dirty date")
	}
}

func (g *generator) mail(row int, p *person) {
	switch {
	case g.chance(20):
		return
	case g.chance(10):
		p.put("mail", nil)
		return
	}
	mail := fmt.Sprintf("%s%d@%s", pick(g, []string{"contact", "info", "sales.", "wang", "mueller_", "x-"}), row, pick(g, []string{"example.com", "example.org", "mail.example.net"}))
	if g.chance(15) {
		mail = " " + strings.ToUpper(mail[:3]) + mail[3:]
		g.odd("dirty mail")
	}
	p.put("mail", mail)
}

func (g *generator) labels(p *person) {
	list := []string{}
	for range g.IntN(4) {
		list = append(list, pick(g, tags))
	}
	kind := ""
	switch g.IntN(6) {
	case 0:
		p.put("labels", strings.Join(list, ","))
		kind = "tags as text"
	case 1:
		p.put("labels", strings.Join(list, "，"))
		kind = "tags with full-width commas"
	case 2:
		p.put("labels", strings.Join(list, " , ")+" ,")
		kind = "tags as text with blanks"
	case 3:
		return
	default:
		p.put("labels", list)
		return
	}
	g.odd(kind)
}

func (g *generator) rest(row int, p *person) {
	switch {
	case g.chance(6):
		p.put("notes", strings.Repeat(pick(g, notes)+" — ", 12+g.IntN(20)))
		g.odd("long notes")
	case g.chance(50):
		p.put("notes", pick(g, notes))
	case g.chance(20):
		p.put("notes", pick(g, []any{nil, ""}))
	}
	// The first line of an address is the city's field here, and some rows have no other.
	if g.chance(85) || row%every == 17 {
		p.put("city", pick(g, p.region.cities))
	}
	if g.chance(70) {
		p.put("country", p.region.country)
	}
	p.put("vip", g.chance(10))
	p.put("state", "active")
	if g.chance(20) {
		p.put("score", g.IntN(1000))
	}
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
