package archtest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// model is the folder that a new vendor is copied from. It is a vendor that stands in no list.
const model = "connector/template"

// TestVendorsFollowTheRecipe: docs/add-a-vendor.md lists the files of a vendor's folder, and every vendor has them, calls
// the contract suite, and stands in both lists.
func TestVendorsFollowTheRecipe(t *testing.T) {
	vendors, faults := recipeFaults(t, "../..")
	for _, f := range faults {
		t.Error(f)
	}
	if vendors < 4 {
		t.Errorf("only %d vendors found", vendors)
	}
}

// recipeFaults looks at the vendors of the tree at root and says what the recipe asks for that they do not have.
func recipeFaults(t *testing.T, root string) (vendors int, faults []string) {
	t.Helper()
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	read := func(path string) string {
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			fault("%v", err)
		}
		return string(text)
	}
	files := recipeFiles(t)
	list, sandboxes := read("connector/all/all.go"), read("connector/all/sandboxes/sandboxes.go")
	folders, err := os.ReadDir(filepath.Join(root, "connector"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		folder := "connector/" + f.Name()
		if _, isVendor := vendorOf(folder); !f.IsDir() || !isVendor {
			continue
		}
		vendors++
		for _, file := range files {
			if _, err := os.Stat(filepath.Join(root, folder, file)); err != nil {
				fault("%s has no %s", folder, file)
			}
		}
		contract := read(folder + "/contract_test.go")
		for _, call := range []string{"connectortest.Run(", "connectortest.Source("} {
			if !strings.Contains(contract, call) {
				fault("%s/contract_test.go does not call %s…)", folder, call)
			}
		}
		path := `"` + module + "/" + folder
		listed := strings.Contains(list, path+`"`) && strings.Contains(sandboxes, path+`/sandbox"`)
		if listed == (folder == model) {
			fault("%s stands in connector/all and its list of sandboxes: %v", folder, listed)
		}
	}
	return vendors, faults
}

// recipeFiles lists the files that the recipe's table asks of each vendor.
func recipeFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`[a-z_./]+`(?:, `[a-z_./]+`)*) \\|").FindAllStringSubmatch(recipe(t), -1) {
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			if !strings.HasPrefix(name[1], "connector/") {
				files = append(files, name[1])
			}
		}
	}
	if len(files) < 10 {
		t.Fatalf("the recipe lists only %v", files)
	}
	return files
}

func recipe(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/add-a-vendor.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
