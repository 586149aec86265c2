package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

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
