//go:build e2e

// Package container builds the images of the Airbyte destination and source from the Dockerfile as it is and runs it as the platform
// does: as user 1000 without any privilege, on a file system that cannot be written to, started through sh.
//
//	make e2e
//
// It needs buildah, podman, runc and a static busybox (`make e2e` installs them where apt-get can) and no image registry: the
// two base images that the Dockerfile names are made here of busybox and this machine's Go, in a storage of their own that
// goes with the test. A tool that is missing fails the test: nothing is skipped.
package container

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/connector/all/sandboxes"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// image is the destination's, sourceImage the source's.
const (
	image       = "localhost/destination-sluice"
	sourceImage = "localhost/source-sluice"
)

// bases are the names under which the Dockerfile asks for its base images.
var bases = []string{"docker.io/library/golang:1.26-bookworm", "docker.io/library/busybox:1.36"}

// store is the folder that holds all images and containers of the test.
var store string

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (code int, err error) {
	for _, tool := range []string{"buildah", "podman", "runc", "busybox"} {
		if _, err := exec.LookPath(tool); err != nil {
			return 1, fmt.Errorf("%s is missing; e2e/container/need installs it: %w", tool, err)
		}
	}
	dir, err := os.MkdirTemp("", "sluice-container-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	store = dir
	if err := buildBases(filepath.Join(dir, "base")); err != nil {
		return 1, err
	}
	defer func() { _, _ = tool("buildah", "rmi", "--all", "--force") }() // unmounts what RemoveAll could not remove
	if err := errors.Join(buildImage(image), buildImage(sourceImage, "--target", "source")); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// tool runs buildah or podman on the test's own storage and returns its standard output.
func tool(name string, args ...string) (string, error) {
	args = append([]string{"--root", filepath.Join(store, "images"), "--runroot", filepath.Join(store, "run")}, args...)
	cmd := exec.Command(name, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", strings.Join(cmd.Args, " "), err, &out, &errs)
	}
	return out.String(), nil
}

// buildBases makes the base images: busybox with its names, certificates, a folder for temporary files.
func buildBases(dir string) error {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return err
	}
	script := `set -eu; mkdir -p "$1/bin" "$1/tmp" "$1/etc/ssl/certs" "$1/usr/local/go" "$1/go/pkg/mod" "$1/go/cache"; chmod 1777 "$1/tmp"
cp "$2" "$1/bin/busybox"; for name in $("$2" --list); do [ "$name" = busybox ] || ln -sf busybox "$1/bin/$name"; done
cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/"
printf 'FROM scratch\nADD . /\nENV PATH=/usr/local/go/bin:/bin GOPATH=/go GOCACHE=/go/cache\n' > "$1.file"`
	if out, err := exec.Command("sh", "-c", script, "sh", dir, busybox).CombinedOutput(); err != nil {
		return fmt.Errorf("make the base images: %w\n%s", err, out)
	}
	args := []string{"bud", "--isolation", "chroot", "--quiet", "--file", dir + ".file"}
	for _, name := range bases {
		args = append(args, "--tag", name)
	}
	_, err = tool("buildah", append(args, dir)...)
	return err
}

// buildImage builds the Dockerfile; Go, its modules and its cache are this machine's.
func buildImage(name string, options ...string) error {
	out, err := exec.Command("go", "env", "GOROOT", "GOMODCACHE", "GOCACHE").Output()
	if err != nil {
		return fmt.Errorf("go env: %w", err)
	}
	at := strings.Fields(string(out))
	args := append([]string{"bud", "--isolation", "chroot", "--pull-never", "--quiet", "--build-arg", "VERSION=e2e", "--tag", name}, options...)
	_, err = tool("buildah", append(args, "--volume", at[0]+":/usr/local/go:ro", "--volume", at[1]+":/go/pkg/mod", "--volume", at[2]+":/go/cache", "../..")...)
	return err
}

// podman runs a container of the image as the platform would, with args behind its name, and returns its standard output.
func podman(t *testing.T, options []string, stdin string, args ...string) (string, error) {
	t.Helper()
	return podmanOf(t, image, options, stdin, args...)
}

func podmanOf(t *testing.T, image string, options []string, stdin string, args ...string) (string, error) {
	t.Helper()
	all := []string{"--root", filepath.Join(store, "images"), "--runroot", filepath.Join(store, "run"), "--runtime", "runc", "run", "--rm", "-i", "--pull=never",
		"--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"}
	cmd := exec.Command("podman", append(append(append(all, options...), image), args...)...)
	var errs bytes.Buffer
	cmd.Stdin, cmd.Stderr = strings.NewReader(stdin), &errs
	out, err := cmd.Output()
	if errs.Len() > 0 {
		t.Logf("standard error: %s", &errs)
	}
	return string(out), err
}

// TestSpec: the images answer `spec` without a network, with the specification of this tree.
func TestSpec(t *testing.T) {
	var halves map[string]json.RawMessage
	if err := json.Unmarshal(sluice.Spec, &halves); err != nil {
		t.Fatal(err)
	}
	for name, half := range map[string]string{image: "destination", sourceImage: "source"} {
		out, err := podmanOf(t, name, []string{"--network", "none"}, "", "spec")
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Type string
			Spec json.RawMessage
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, halves[half]); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(out), &got); err != nil || got.Type != "SPEC" || string(got.Spec) != compact.String() {
			t.Errorf("%s: got %.300s (%v)", name, out, err)
		}
	}
}

// TestImage: what the platform reads off the image.
func TestImage(t *testing.T) {
	for name, title := range map[string]string{image: "sluicehq/destination-sluice", sourceImage: "sluicehq/source-sluice"} {
		checkImage(t, name, title)
	}
}

func checkImage(t *testing.T, name, title string) {
	t.Helper()
	out, err := tool("podman", "image", "inspect", name)
	if err != nil {
		t.Fatal(err)
	}
	var images []struct {
		User   string
		Config struct {
			Env, Entrypoint []string
			Labels          map[string]string
		}
	}
	if err := json.Unmarshal([]byte(out), &images); err != nil || len(images) != 1 {
		t.Fatalf("%v: %s", err, out)
	}
	c := images[0].Config
	if want := "AIRBYTE_ENTRYPOINT=" + strings.Join(c.Entrypoint, " "); !strings.Contains(strings.Join(c.Env, "\n")+"\n", want+"\n") {
		t.Errorf("the environment %q does not hold %q", c.Env, want)
	}
	if images[0].User != "1000:1000" || c.Labels["io.airbyte.version"] != "e2e" || c.Labels["io.airbyte.name"] != title {
		t.Errorf("user %q, labels %v", images[0].User, c.Labels)
	}
}

// TestCheckAndWrite: against a live sandbox, through sh as the platform does it; the rejected row's folder is under /tmp.
func TestCheckAndWrite(t *testing.T) {
	nx := sandbox.New(sandbox.Options{Seed: 1}, sandboxes.Services()...)
	server, err := nx.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Stop() }()
	crm := map[string]any{"vendor": "nxlink", "base_url": server.URL}
	for _, s := range sandboxes.Accounts()[0].Settings {
		crm[s.Name] = s.Value
	}
	config, err := json.Marshal(map[string]any{"crm": crm})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"config.json":  string(config),
		"wrong.json":   strings.Replace(string(config), "sandbox-secret", "wrong-secret", 1),
		"catalog.json": `{"streams":[{"stream":{"name":"people","json_schema":{},"supported_sync_modes":["full_refresh"]},"sync_mode":"full_refresh","destination_sync_mode":"append_dedup"}]}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	options := []string{"--network", "host", "--volume", dir + ":/dest:ro", "--workdir", "/dest"}

	for file, want := range map[string]string{"config.json": `"status":"SUCCEEDED"`, "wrong.json": `"status":"FAILED"`} {
		if out, err := podman(t, options, "", "check", "--config", file); err != nil || !strings.Contains(out, want) {
			t.Errorf("check of %s: %s (%v)", file, out, err)
		}
	}
	record := `{"type":"RECORD","record":{"stream":"people","data":{"whatsapp":%q,"first_name":"A","last_name":"B"},"emitted_at":1}}` + "\n"
	in := fmt.Sprintf(record, "8613800000001") + fmt.Sprintf(record, "nobody") + fmt.Sprintf(record, "8613800000002") +
		`{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"people"},"stream_state":{"n":3}},"sourceStats":{"recordCount":3.0},"id":1}}` + "\n"
	out, err := podman(t, append(options, "--entrypoint", "sh"), in, "-c", `eval "$AIRBYTE_ENTRYPOINT write --config /dest/config.json --catalog /dest/catalog.json"`)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if want := `"destinationStats":{"recordCount":2.0,"rejectedRecordCount":1.0}`; !strings.Contains(out, want) || !strings.Contains(out, "/tmp/sluice-rejects") {
		t.Errorf("no %s in %s", want, out)
	}
	text, err := json.Marshal(nx.State())
	if err != nil {
		t.Fatal(err)
	}
	var state map[string]struct{ Records int }
	if err := json.Unmarshal(text, &state); err != nil || state["nxlink"].Records != 2 {
		t.Errorf("the CRM holds %d contacts, want 2 (%v)", state["nxlink"].Records, err)
	}
}
