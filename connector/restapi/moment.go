package restapi

import (
	"strings"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// DefaultZone is the zone in which vendors' times are taken to be: no vendor says it, and all are at home there.
const DefaultZone = "Asia/Shanghai"

// Zone reads the setting field, which says in what zone a vendor's times are: a name of the tz database or an offset such
// as +08:00. A machine without that database knows DefaultZone all the same: it has had no other offset since 1991.
func Zone(field, name string) (*time.Location, error) {
	if at, err := time.Parse("-07:00", name); err == nil {
		_, seconds := at.Zone()
		return time.FixedZone(name, seconds), nil
	}
	zone, err := time.LoadLocation(name)
	switch {
	case err == nil && name != "" && name != "Local":
		return zone, nil
	case name == DefaultZone:
		return time.FixedZone(name, 8*60*60), nil
	}
	return nil, connector.Configf("Use a name such as Asia/Shanghai, or an offset such as +08:00", "%s %q is not known on this machine", field, name)
}

var momentLayouts = []string{time.DateTime, "2006-01-02T15:04:05", time.RFC3339, "2006/01/02 15:04:05", "2006-01-02 15:04", time.DateOnly}

// Moment reads a time as vendors write it; one without a zone of its own is in zone.
func Moment(text string, zone *time.Location) (time.Time, bool) {
	text = strings.TrimSpace(text)
	for _, layout := range momentLayouts {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at.In(zone), at.Year() > 0
		}
	}
	return time.Time{}, false
}

var dayLayouts = []string{time.DateOnly, "2006/01/02", "20060102", "2006.01.02", time.DateTime, "2006/01/02 15:04:05", time.RFC3339}

// Day reads a date and gives it as 2006-01-31; "" where it is none.
func Day(text string) string {
	text = strings.TrimSpace(text)
	for _, layout := range dayLayouts {
		if at, err := time.Parse(layout, text); err == nil && at.Year() > 0 {
			return at.Format(time.DateOnly)
		}
	}
	return ""
}

// Phone takes the ornaments off a telephone number: blanks, +, dashes, dots, parentheses, and what a messenger adds
// behind an @. A text that is more than a number with ornaments stays as it is.
func Phone(text string) string {
	text = strings.TrimSpace(text)
	number, _, _ := strings.Cut(text, "@")
	digits := strings.Map(func(r rune) rune {
		if strings.ContainsRune("+ -.()\u00a0", r) {
			return -1
		}
		return r
	}, number)
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return text
		}
	}
	if digits == "" {
		return text
	}
	return digits
}
