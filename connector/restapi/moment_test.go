package restapi

import (
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
)

func TestMoment(t *testing.T) {
	zone, err := Zone("time_zone", DefaultZone)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"2024-05-07 10:00:00": "2024-05-07T10:00:00+08:00", " 2024-05-07T10:00:00 ": "2024-05-07T10:00:00+08:00", "2024-05-07T02:00:00Z": "2024-05-07T10:00:00+08:00",
		"2024/05/07 10:00:00": "2024-05-07T10:00:00+08:00", "2024-05-07": "2024-05-07T00:00:00+08:00",
		"": "", "soon": "", "2024-13-07 10:00:00": "", "0000-00-00 00:00:00": "",
	} {
		at, ok := Moment(text, zone)
		if got := at.Format(time.RFC3339); ok != (want != "") || ok && got != want {
			t.Errorf("%q: %s %v, want %q", text, got, ok, want)
		}
	}
	if west, err := Zone("time_zone", "-03:30"); err != nil {
		t.Error(err)
	} else if at, ok := Moment("2024-05-07 10:00:00", west); !ok || at.Format(time.RFC3339) != "2024-05-07T10:00:00-03:30" {
		t.Error(at)
	}
	for _, bad := range []string{"", "8", "+8:00", "Local", "+08:00 ", "+25:00", "Nowhere/Atlantis"} {
		if _, err := Zone("time_zone", bad); connector.KindOf(err) != connector.KindConfig {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestDay(t *testing.T) {
	for text, want := range map[string]string{
		"1976-04-12": "1976-04-12", "1976/04/12": "1976-04-12", "19760412": "1976-04-12", " 1976.04.12": "1976-04-12", "1976-04-12 23:59:59": "1976-04-12",
		"1976-04-12T00:00:00+08:00": "1976-04-12", "1976-02-30": "", "04/12/1976": "", "": "", "0000-00-00": "", "0000-01-01": "",
	} {
		if got := Day(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestPhone(t *testing.T) {
	for text, want := range map[string]string{
		"8618667728886": "8618667728886", "+86 186-6772.8886": "8618667728886", "(86) 1866": "861866", "8618667728886@c.us": "8618667728886",
		"13012121212_a1b2": "13012121212_a1b2", "ext 12": "ext 12", "": "", " + ": "+", "１２": "１２",
	} {
		if got := Phone(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
