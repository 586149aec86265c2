package all

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/connector"
)

func TestLookup(t *testing.T) {
	for i, name := range Names() {
		v, ok := Lookup(name)
		if !ok || v.Name != Vendors[i].Name {
			t.Errorf("Lookup(%q) = %q, %v; is the name used twice?", name, v.Name, ok)
		}
	}
	if _, ok := Lookup("nx"); ok {
		t.Error("Lookup finds a vendor that is not there")
	}
}

// A vendor that is listed is held to the contract: its folder calls the suite with it.
func TestEveryVendorRunsTheContract(t *testing.T) {
	files, err := filepath.Glob("../*/contract_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	if !strings.Contains(all.String(), "connectortest.Run(") || !strings.Contains(all.String(), "connectortest.Source(") {
		t.Error("no contract_test.go calls connectortest.Run and connectortest.Source")
	}
	list, err := os.ReadFile("all.go")
	if err != nil {
		t.Fatal(err)
	}
	_, list2, _ := strings.Cut(string(list), "[]connector.Vendor{")
	values, _, _ := strings.Cut(list2, "}")
	for _, value := range strings.Split(values, ",") {
		if value = strings.TrimSpace(value); value != "" && !strings.Contains(all.String(), value) {
			t.Errorf("%s is listed, but no contract_test.go names it", value)
		}
	}
}

// The vocabulary of a source has no word that no vendor uses: nobody would notice that it means nothing.
func TestEveryWordOfASourceIsUsed(t *testing.T) {
	word := reflect.TypeFor[connector.Source]()
	for i := range word.NumField() {
		if !slices.ContainsFunc(Vendors, func(v connector.Vendor) bool { return v.Source != nil && !reflect.ValueOf(*v.Source).Field(i).IsZero() }) {
			t.Errorf("no vendor has a Source.%s", word.Field(i).Name)
		}
	}
}
