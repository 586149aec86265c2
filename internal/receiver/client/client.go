package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/inbox"
)

// Config says which receiver to ask.
type Config struct {
	URL     string           // of its admin address, such as https://receiver:9465
	Token   connector.Secret // its admin.token
	CAFile  string           // PEM file of an authority to trust besides the system's; "": none
	Timeout time.Duration    // of one call; default 1 minute
}

// maxAnswer bounds what is taken of an answer: a page ends with the record that makes it larger than asked for.
const maxAnswer = 160 << 20

// Client asks one receiver. It is safe for concurrent use.
type Client struct {
	base  string
	token connector.Secret
	http  *http.Client
}

// New checks the configuration; it calls nobody. Its errors are Config errors.
func New(c Config) (*Client, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, connector.Configf("Write it like https://receiver:9465", "the address of the receiver is not a plain http or https address")
	}
	if u.Path != "" && u.Path != "/" {
		return nil, connector.Configf("Give its admin address without a path: "+u.Scheme+"://"+u.Host, "the address of the receiver has the path %s", u.Path)
	}
	if c.Token.IsZero() {
		return nil, connector.Configf("Set it to the admin.token of that receiver", "the token for the receiver %s is missing", u.Host)
	}
	t := &http.Transport{
		DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext, TLSHandshakeTimeout: 10 * time.Second,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute,
	}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, connector.Configf("Check the path and its permissions", "the CA file cannot be read: %w", err)
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, connector.Configf("Use a PEM file", "the CA file %s holds no certificate", c.CAFile)
		}
		t.TLSClientConfig.RootCAs = pool
	}
	if c.Timeout <= 0 {
		c.Timeout = time.Minute
	}
	return &Client{
		base: strings.TrimSuffix(u.String(), "/"), token: c.Token,
		http: &http.Client{Transport: t, Timeout: c.Timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

// Close frees idle connections. It is no error to close twice.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// do makes one call and returns the body of a good answer.
func (c *Client) do(ctx context.Context, method, path string, ask any) ([]byte, error) {
	var body io.Reader
	if ask != nil {
		b, err := json.Marshal(ask)
		if err != nil {
			return nil, fmt.Errorf("inbox client: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("inbox client: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if len(b) > maxAnswer {
		return nil, connector.Internalf("Ask for less at once", "the answer of the receiver %s is longer than %d bytes", c.base, maxAnswer)
	}
	if resp.StatusCode != http.StatusOK {
		var f Fault
		if json.Unmarshal(b, &f) != nil || f.Code == "" {
			return nil, connector.Configf("Is it the admin address of a receiver?", "%s answered with status %d and no reason", c.base, resp.StatusCode)
		}
		return nil, f.Err()
	}
	return b, nil
}

func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return connector.Transientf("Is it running, and is this its admin address?", "the receiver %s cannot be reached: %w", c.base, err)
}

// call makes one call and decodes the answer.
func call[T any](ctx context.Context, c *Client, method, path string, ask any) (v T, err error) {
	b, err := c.do(ctx, method, path, ask)
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return v, connector.Internalf("Is the receiver of the same version?", "the answer of the receiver %s cannot be read: %w", c.base, err)
	}
	return v, nil
}

// Bounds is the answer of /v1/bounds.
type Bounds struct {
	Head  int64          `json:"head"`
	Floor int64          `json:"floor"`
	ID    inbox.Identity `json:"id"`
}

// Head is inbox.Reader's.
func (c *Client) Head(ctx context.Context) (int64, error) {
	b, err := call[Bounds](ctx, c, http.MethodGet, "/v1/bounds", nil)
	return b.Head, err
}

// Floor is inbox.Reader's.
func (c *Client) Floor(ctx context.Context) (int64, error) {
	b, err := call[Bounds](ctx, c, http.MethodGet, "/v1/bounds", nil)
	return b.Floor, err
}

// Identity is inbox.Reader's.
func (c *Client) Identity(ctx context.Context) (inbox.Identity, error) {
	b, err := call[Bounds](ctx, c, http.MethodGet, "/v1/bounds", nil)
	return b.ID, err
}

// ReadQuery is an inbox.Query without its function: Skip lists the endpoints that it refuses.
type ReadQuery struct {
	After       int64            `json:"after"`
	Head        int64            `json:"head,omitempty"`
	Rows        int              `json:"rows,omitempty"`
	Bytes       int64            `json:"bytes,omitempty"`
	Quarantined bool             `json:"quarantined,omitempty"`
	Skip        []inbox.Endpoint `json:"skip,omitempty"`
}

// Read is inbox.Reader's. The receiver may cut a page shorter than asked for.
func (c *Client) Read(ctx context.Context, q inbox.Query) (inbox.Page, error) {
	ask := ReadQuery{After: q.After, Head: q.Head, Rows: q.Rows, Bytes: q.Bytes, Quarantined: q.Quarantined}
	if q.Endpoint != nil {
		known, err := c.Endpoints(ctx)
		if err != nil {
			return inbox.Page{}, err
		}
		for _, e := range known {
			if !q.Endpoint(e) {
				ask.Skip = append(ask.Skip, e)
			}
		}
	}
	p, err := c.page(ctx, http.MethodPost, "/v1/read", ask)
	if err != nil || q.Endpoint == nil {
		return p, err
	}
	mine := p.Records[:0]
	for i := range p.Records { // an endpoint may have come in between
		if q.Endpoint(p.Records[i].Endpoint) {
			mine = append(mine, p.Records[i])
		}
	}
	p.Records = mine
	return p, nil
}

func (c *Client) page(ctx context.Context, method, path string, ask any) (inbox.Page, error) {
	b, err := c.do(ctx, method, path, ask)
	if err != nil {
		return inbox.Page{}, err
	}
	p, err := inbox.ParsePage(b)
	if err != nil {
		return inbox.Page{}, connector.Transientf("Try again; if it stays, look at the network between", "a page of the receiver %s arrived spoilt: %w", c.base, err)
	}
	return p, nil
}

// Get is inbox.Reader's.
func (c *Client) Get(ctx context.Context, seq int64) (inbox.Record, error) {
	p, err := c.page(ctx, http.MethodGet, "/v1/records/"+strconv.FormatInt(seq, 10), nil)
	if err != nil {
		return inbox.Record{}, err
	}
	if len(p.Records) != 1 || p.Records[0].Seq != seq {
		return inbox.Record{}, connector.Internalf("Is the receiver of the same version?", "the receiver %s answered with another record than %d", c.base, seq)
	}
	return p.Records[0], nil
}

// Endpoints is inbox.Reader's.
func (c *Client) Endpoints(ctx context.Context) ([]inbox.Endpoint, error) {
	return call[[]inbox.Endpoint](ctx, c, http.MethodGet, "/v1/endpoints", nil)
}

// Consumers is inbox.Reader's.
func (c *Client) Consumers(ctx context.Context) ([]inbox.Consumer, error) {
	return call[[]inbox.Consumer](ctx, c, http.MethodGet, "/v1/consumers", nil)
}

// Quarantined is inbox.Reader's.
func (c *Client) Quarantined(ctx context.Context, after int64, n int) ([]inbox.Quarantined, error) {
	return call[[]inbox.Quarantined](ctx, c, http.MethodGet, fmt.Sprintf("/v1/quarantined?after=%d&n=%d", after, n), nil)
}

// Cursor is the question of /v1/cursor; /v1/drop takes only the consumer of it.
type Cursor struct {
	Consumer string         `json:"consumer"`
	Seq      int64          `json:"seq"`
	ID       inbox.Identity `json:"id"`
}

// SetCursor is inbox.Inbox's.
func (c *Client) SetCursor(ctx context.Context, of inbox.Identity, consumer string, seq int64) error {
	_, err := c.do(ctx, http.MethodPost, "/v1/cursor", Cursor{Consumer: consumer, Seq: seq, ID: of})
	return err
}

// DropConsumer is inbox.Inbox's.
func (c *Client) DropConsumer(ctx context.Context, consumer string) error {
	_, err := c.do(ctx, http.MethodPost, "/v1/drop", Cursor{Consumer: consumer})
	return err
}

// Release is inbox.Inbox's.
func (c *Client) Release(ctx context.Context, seq int64) (inbox.Receipt, error) {
	return call[inbox.Receipt](ctx, c, http.MethodPost, fmt.Sprintf("/v1/records/%d/release", seq), nil)
}

// Replay is inbox.Inbox's.
func (c *Client) Replay(ctx context.Context, seq int64) (inbox.Receipt, error) {
	return call[inbox.Receipt](ctx, c, http.MethodPost, fmt.Sprintf("/v1/records/%d/replay", seq), nil)
}

var (
	_ inbox.Log     = (*Client)(nil)
	_ inbox.Cursors = (*Client)(nil)
)
