package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestVendorsFollowTheRecipe: docs/add-a-vendor.md lists the files of a vendor's folder, and every vendor has them, calls
// the contract suite, and stands in both lists.
func TestVendorsFollowTheRecipe(t *testing.T) {
	recipe, err := os.ReadFile("../../docs/add-a-vendor.md")
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`[a-z_./]+`(?:, `[a-z_./]+`)*) \\|").FindAllStringSubmatch(string(recipe), -1) {
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			files = append(files, name[1])
		}
	}
	if len(files) < 10 {
		t.Fatalf("the recipe lists only %v", files)
	}
	read := func(path string) string {
		text, err := os.ReadFile(filepath.Join("../..", path))
		if err != nil {
			t.Error(err)
		}
		return string(text)
	}
	list, sandboxes := read("connector/all/all.go"), read("connector/all/sandboxes/sandboxes.go")
	folders, err := os.ReadDir("../../connector")
	if err != nil {
		t.Fatal(err)
	}
	vendors := 0
	for _, f := range folders {
		name := f.Name()
		if !f.IsDir() || name == "all" || name == "connectortest" || "connector/"+name == shared {
			continue
		}
		vendors++
		for _, file := range files {
			if _, err := os.Stat(filepath.Join("../../connector", name, file)); err != nil {
				t.Errorf("connector/%s has no %s", name, file)
			}
		}
		contract := read("connector/" + name + "/contract_test.go")
		for _, call := range []string{"connectortest.Run(", "connectortest.Source("} {
			if !strings.Contains(contract, call) {
				t.Errorf("connector/%s/contract_test.go does not call %s…)", name, call)
			}
		}
		if path := `"github.com/sluicehq/sluice/connector/` + name; !strings.Contains(list, path+`"`) || !strings.Contains(sandboxes, path+`/sandbox"`) {
			t.Errorf("connector/%s does not stand in connector/all and its list of sandboxes", name)
		}
	}
	if vendors == 0 {
		t.Error("no vendors found")
	}
}
