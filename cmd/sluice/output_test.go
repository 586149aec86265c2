package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/inbox"
)

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

// A verb whose output could not be written exits with 1, whatever it found.
func TestOutputFull(t *testing.T) {
	dir := t.TempDir()
	box := filepath.Join(dir, "inbox")
	i, err := inbox.Open(t.Context(), inbox.Options{Dir: box})
	if err != nil {
		t.Fatal(err)
	}
	_, err = i.Append(context.Background(), inbox.Request{Endpoint: inbox.Endpoint{Name: "main/x", Vendor: "socialepoch", Type: "x"}, Method: "POST", Body: []byte("{}")})
	if err = errors.Join(err, i.Close()); err != nil {
		t.Fatal(err)
	}
	receive := filepath.Join(dir, "receive.yaml")
	text := "accounts:\n  - name: main\n    crm: {socialepoch: {tenant_id: 82, webhook_secrets: [x]}}\n    webhooks: {user_sync_portrait: kq3v9x2m7w5t8z4c6b1n0p7r5s3d9f2h}\n"
	if err := os.WriteFile(receive, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	salvage := "inbox salvage " + box // moves files: the last, and once
	for _, args := range []string{"inbox show " + box + " 1", "inbox verify " + box, "inbox ls " + box, "check " + receive, "lint " + receive, "version", "--help", salvage} {
		var errs bytes.Buffer
		if code := run(strings.Fields(args), strings.NewReader(""), full{}, &errs); code != 1 || !strings.Contains(errs.String(), "no space left") {
			t.Errorf("%s: exit code %d, %s", args, code, &errs)
		}
		if code := run(strings.Fields(args), strings.NewReader(""), new(bytes.Buffer), &errs); code != 0 && args != salvage {
			t.Errorf("%s: exit code %d, %s", args, code, &errs)
		}
	}
}
