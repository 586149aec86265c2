package connector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestSecretIsShownByNothing tries every way by which a value gets printed, alone and inside other values.
func TestSecretIsShownByNothing(t *testing.T) {
	type holder struct {
		Key  Secret
		Keys []Secret
		By   map[string]Secret
		At   *Secret
	}
	const canary = "S3CR3T-canary"
	s := NewSecret(canary)
	h := holder{s, []Secret{s}, map[string]Secret{"a": s}, &s}
	var out strings.Builder
	for _, v := range []any{s, &s, h, &h, []any{s}, map[string]any{"k": h}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		asJSON, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		asYAML, err := yaml.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(asJSON)
		out.Write(asYAML)
		slog.New(slog.NewTextHandler(&out, nil)).Info("text", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "v", v)
	}
	fmt.Fprint(&out, fmt.Errorf("wrapped: %v", h))
	for _, shown := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary)} {
		if strings.Contains(out.String(), shown) {
			t.Errorf("the secret is shown as %s", shown)
		}
	}
	if s.Reveal() != canary || s.IsZero() || !(Secret{}).IsZero() {
		t.Error("Reveal or IsZero is wrong")
	}
}

func TestSecretFromJSON(t *testing.T) {
	var s Secret
	if err := json.Unmarshal([]byte(`"abc"`), &s); err != nil || s.Reveal() != "abc" {
		t.Errorf("%v", err)
	}
	if err := json.Unmarshal([]byte(`12345`), &s); err == nil || strings.Contains(err.Error(), "12345") {
		t.Errorf("a number for a secret: %v", err)
	}
}

func TestKindOf(t *testing.T) {
	cause := errors.New("cause")
	for _, c := range []struct {
		err  error
		want Kind
	}{
		{nil, KindNone},
		{cause, KindInternal},
		{context.Canceled, KindTransient},
		{fmt.Errorf("read: %w", context.DeadlineExceeded), KindTransient},
		{Configf("mend it", "bad %s", "key"), KindConfig},
		{fmt.Errorf("open: %w", Transientf("", "down")), KindTransient},
		{errors.Join(cause, &Error{Kind: KindThrottled}), KindThrottled},
		{fmt.Errorf("check: %w", errors.Join(Transientf("", "down"), Configf("", "bad key"))), KindConfig},
		{&Error{Kind: KindTransient, Err: errors.Join(Transientf("", "down"), Configf("", "bad key"))}, KindTransient},
		{Internalf("", "defect: %w", context.Canceled), KindInternal},
	} {
		if got := KindOf(c.err); got != c.want {
			t.Errorf("KindOf(%v) = %v, want %v", c.err, got, c.want)
		}
	}
}

func TestErrorText(t *testing.T) {
	cause := errors.New("no such file")
	err := Configf("Check the path", "read %s: %w", "a.yaml", cause)
	if got, want := err.Error(), "read a.yaml: no such file. Check the path"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(err, cause) {
		t.Error("the cause is lost")
	}
	if got, want := (&Error{What: "down", Err: cause}).Error(), "down: no such file"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPositionIsOneJSONValue(t *testing.T) {
	for _, text := range []string{`{"a":{"offset":9007199254740993}}`, `{"a":null}`, `{"a":"x"}`} {
		var doc map[string]Position
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		if got, err := json.Marshal(doc); err != nil || string(got) != text {
			t.Errorf("%s became %s (%v)", text, got, err)
		}
	}
	var p Position
	if err := json.Unmarshal([]byte("null"), &p); err != nil || p != nil {
		t.Errorf("null became %q (%v)", p, err)
	}
}

func TestNamesOfConstants(t *testing.T) {
	for v, want := range map[fmt.Stringer]string{
		VerdictDelivered: "delivered", VerdictPending: "pending", Verdict(99): "verdict(99)",
		KindNone: "none", KindInternal: "internal", Kind(99): "kind(99)",
	} {
		if v.String() != want {
			t.Errorf("%s, want %s", v, want)
		}
	}
}

func TestExplain(t *testing.T) {
	v := &Vendor{Errors: []ErrorInfo{{Code: "1001", Meaning: "theirs"}, {Code: CodeDuplicate, Meaning: "their own"}}}
	for code, want := range map[string]string{"1001": "theirs", CodeDuplicate: "their own", CodeBadUTF8: "the row is not valid UTF-8"} {
		if got, ok := v.Explain(code); !ok || got.Meaning != want {
			t.Errorf("%s: %q, %v", code, got.Meaning, ok)
		}
	}
	if _, ok := v.Explain("none"); ok {
		t.Error("an unknown code is explained")
	}
	for _, e := range LocalErrors {
		if e.Code == "" || e.Meaning == "" || e.Cause == "" || e.Fix == "" || e.Class == "" {
			t.Errorf("%+v is incomplete", e)
		}
	}
}

func TestReservedAndJSONColumns(t *testing.T) {
	for _, name := range []string{ColumnNull, ColumnExtra, ColumnKey, ColumnOp, ColumnTime, ColumnHeaders} {
		if !IsReserved(name) {
			t.Errorf("%s is not reserved", name)
		}
	}
	for _, c := range Contact {
		if IsReserved(c.Name) || c.Doc == "" {
			t.Errorf("canonical column %q is reserved or has no doc", c.Name)
		}
	}
	f := JSONField("a")
	if !IsJSON(f) {
		t.Error("JSONField makes no JSON column")
	}
}
