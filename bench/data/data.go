// Package data makes the contacts that the benchmark moves: about 300 bytes each, seeded, the same on every machine.
package data

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
)

var (
	first  = []string{"Wei", "Anna", "Jürgen", "Fatima", "Kenji", "Olga", "伟", "Chloé", "Mohammed", "Sara", "Ivan", "Thiago"}
	last   = []string{"Zhang", "Müller", "Hassan", "Tanaka", "Petrova", "欧阳", "Dubois", "Silva", "Khan", "Larsen", "Novák", "O'Neil"}
	cities = []string{"Shenzhen", "Hamburg", "Jakarta", "São Paulo", "Dubai", "Kyiv", "Lagos", "Monterrey"}
	labels = []string{"vip", "spring fair", "wholesale", "newsletter", "demo", "callback", "whatsapp"}
	sexes  = []string{"M", "F", "male", "female", "unknown"}
	notes  = []string{"Asked for the price list and for two samples of the new series.", "Met at the fair; wants a call after the holidays.", "Speaks English and some Spanish; prefers messages in the evening.", "Ordered twice last year, complained once about the packing."}
)

// Write writes n contacts as JSON lines.
func Write(w io.Writer, n int) error {
	rng := rand.New(rand.NewPCG(1, 2))
	out := bufio.NewWriterSize(w, 1<<20)
	pick := func(s []string) string { return s[rng.IntN(len(s))] }
	for i := range n {
		_, err := fmt.Fprintf(out, `{"id":%d,"mobile":"+86 13%d %04d %04d","given":"%s","family":"%s","mail":" User%d@Example.COM ","sex":"%s","birth":"%02d.%02d.%d","street":"%d Harbour Road","land":"%s","labels":["%s","%s"],"note":"%s","zone":"GMT+8","score":%d}`+"\n",
			i, rng.IntN(10), i/10000%10000, i%10000, pick(first), pick(last), i, pick(sexes), 1+rng.IntN(28), 1+rng.IntN(12), 1950+rng.IntN(55),
			1+rng.IntN(200), pick(cities), labels[rng.IntN(3)], labels[3+rng.IntN(4)], pick(notes), rng.IntN(100))
		if err != nil {
			return err
		}
	}
	return out.Flush()
}

// Mapping is the twelve-field mapping of these contacts, in the language of package transforms.
const Mapping = `streams:
  "*":
    fields:
      whatsapp:   {from: mobile, phone: {format: digits}}
      phone:      {from: mobile, phone: {format: digits}}
      first_name: given
      last_name:  family
      email:      {from: mail, trim: true, case: lower}
      gender:     {from: sex, map: {M: male, F: female, male: male, female: female, unknown: unknown}}
      birthday:   {from: birth, date: {in: ["%d.%m.%Y"]}}
      address:    street
      country:    land
      remark:     {from: note, truncate: 100}
      tags:       labels
      time_zone:  zone
`
