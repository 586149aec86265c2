package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"testing"

	"github.com/sluicehq/sluice/connector"
)

var update = flag.Bool("update", false, "write the lists of refused rows anew")

// checkRefused holds the refusals of a CRM to testdata/refused/<CRM>.tsv: line, field, code and what a person reads.
func checkRefused(t *testing.T, crm string, refused []connector.RowResult) {
	t.Helper()
	sort.SliceStable(refused, func(i, j int) bool { return refused[i].Row < refused[j].Row })
	var got bytes.Buffer
	got.WriteString("line\tfield\tcode\treason\n")
	for _, r := range refused {
		fmt.Fprintf(&got, "%d\t%s\t%s\t%s\n", r.Row+1, r.Field, r.Code, r.Message)
	}
	name := filepath.Join(testdata, "refused", crm+".tsv")
	if *update {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("other rows are refused than testdata/refused/%s.tsv says, or for other reasons; if that is meant, run the test with -update", crm)
	}
}
