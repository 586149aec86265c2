package nx

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// vector is one line of testdata/sign.json: what is signed and both digests of it.
type vector struct {
	Name, BizType, Action, Body, MD5, SHA256 string
	Documented                               bool
}

type vectors struct {
	AccessKey, AccessSecret string
	TS                      int64
	Vectors                 []vector
}

func loadVectors(t *testing.T) vectors {
	t.Helper()
	data, err := os.ReadFile("testdata/sign.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// The first three are printed by the vendor; the rest were computed with two other programs.
func TestSignVectors(t *testing.T) {
	v := loadVectors(t)
	documented := 0
	for _, vec := range v.Vectors {
		for _, alg := range []string{algorithmMD5, algorithmSHA256} {
			want := vec.MD5
			if alg == algorithmSHA256 {
				want = vec.SHA256
			}
			if want == "" {
				continue
			}
			t.Run(vec.Name+"/"+alg, func(t *testing.T) {
				s := newSigner(&Account{AccessKey: connector.NewSecret(v.AccessKey), AccessSecret: connector.NewSecret(v.AccessSecret), Algorithm: alg})
				s.bizType, s.action = vec.BizType, vec.Action
				req := &connector.Request{Body: []byte(vec.Body)}
				if err := s.Sign(req, time.UnixMilli(v.TS)); err != nil {
					t.Fatal(err)
				}
				if got := req.Header.Get("sign"); got != want {
					t.Errorf("sign of %q = %s, want %s", vec.Body, got, want)
				}
				if got := req.Header.Get("ts"); got != strconv.FormatInt(v.TS, 10) {
					t.Errorf("ts = %s, want %d", got, v.TS)
				}
				if got, want := req.Header.Get("algorithm"), map[string]string{algorithmSHA256: algorithmSHA256}[alg]; got != want {
					t.Errorf("header algorithm = %q, want %q", got, want)
				}
				if string(req.Body) != vec.Body {
					t.Errorf("signing changed the body")
				}
			})
		}
		if vec.Documented {
			documented++
		}
	}
	if documented != 3 || len(v.Vectors) < 6 {
		t.Errorf("testdata/sign.json holds %d vectors, %d of them the vendor's; want at least 6 and exactly 3", len(v.Vectors), documented)
	}
}

func TestSignIsFreshEachTime(t *testing.T) {
	s := newSigner(&Account{AccessKey: connector.NewSecret("k"), AccessSecret: connector.NewSecret("s"), Algorithm: algorithmSHA256})
	req := &connector.Request{Body: []byte("{}")}
	now := time.UnixMilli(1655710885431)
	for i := range 2 {
		if err := s.Sign(req, now.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if got := req.Header.Get("ts"); got != "1655710886431" {
		t.Errorf("ts after the second attempt = %s", got)
	}
	for key, values := range req.Header {
		if len(values) != 1 {
			t.Errorf("header %s has %d values after two attempts", key, len(values))
		}
	}
	s.sha256 = false
	if err := s.Sign(req, now); err != nil {
		t.Fatal(err)
	}
	if _, ok := req.Header["Algorithm"]; ok {
		t.Error("header algorithm stays behind when md5 signs")
	}
}

func TestSignAllocations(t *testing.T) {
	s := newSigner(&Account{AccessKey: connector.NewSecret("fme2na3kdi3ki"), AccessSecret: connector.NewSecret("abciiiko2k3")})
	req := &connector.Request{Header: make(http.Header, 8), Body: bytes.Repeat([]byte("x"), 40_000)}
	now := time.UnixMilli(1655710885431)
	got := testing.AllocsPerRun(100, func() { _ = s.Sign(req, now) })
	if got > 12 {
		t.Errorf("signing a request allocates %v times, want at most 12", got)
	}
}

func TestNoVerbPrintsSecrets(t *testing.T) {
	cfg := goodLink()
	codec := mustCodec(t, cfg, "upsert", vendorSchema())
	check, err := newCheck(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{cfg, *cfg, &cfg.Account, codec, check} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			text := fmt.Sprintf(verb, v)
			for _, secret := range []string{testKey, testSecret, fmt.Sprintf("%x", testSecret)} {
				if strings.Contains(text, secret) {
					t.Errorf("%s of %T shows %q: %s", verb, v, secret, text)
				}
			}
		}
	}
}
