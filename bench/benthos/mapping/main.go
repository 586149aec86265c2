// Command mapping runs the twelve-field mapping of the benchmark in bloblang, on records that are decoded before the clock
// starts and are not encoded after it, and prints the CPU time of one record in nanoseconds.
//
//	mapping contacts.jsonl records
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
)

// text is the mapping as it measured fastest: replace_all_many in place of a regular expression.
const text = `
let digits = this.mobile.replace_all_many(["+", "", " ", "", "-", ""])
root.whatsapp = $digits
root.phone = $digits
root.first_name = this.given
root.last_name = this.family
root.email = this.mail.trim().lowercase()
root.gender = match this.sex { "M" => "male", "male" => "male", "F" => "female", "female" => "female", "unknown" => "unknown" }
root.birthday = this.birth.slice(6, 10) + "-" + this.birth.slice(3, 5) + "-" + this.birth.slice(0, 2)
root.address = this.street
root.remark = this.note.slice(0, 100)
root.country = this.land
root.tags = this.labels
root.time_zone = this.zone
`

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "mapping:", err)
		os.Exit(1)
	}
}

func run(path, count string) error {
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	records, err := decoded(path)
	if err != nil {
		return err
	}
	exe, err := bloblang.Parse(text)
	if err != nil {
		return err
	}
	start := cpu()
	for i := range n {
		if _, err := exe.Query(records[i%len(records)]); err != nil {
			return err
		}
	}
	fmt.Println((cpu() - start) / int64(n))
	return nil
}

func decoded(path string) ([]any, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var records []any
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var record any
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	return records, lines.Err()
}

// cpu is the CPU time of this process so far, in nanoseconds.
func cpu() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
