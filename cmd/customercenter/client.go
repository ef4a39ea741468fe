package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"customercenter/api"
)

// apiFlags say which API a command asks, and as whom.
type apiFlags struct {
	Data  string `help:"Data directory of a running 'customercenter up'; its run.json says where the API is." default:"data" type:"path"`
	URL   string `help:"Address of the API instead." placeholder:"URL"`
	Token string `help:"Token; its role says what may be done. Default: the demo tenant's admin." placeholder:"TOKEN"`
}

// languageFlag says in which language the server speaks.
type languageFlag struct {
	Lang string `help:"Language of headings, and of what the server has to say: zh or en. Default: by the locale, LANG." enum:"zh,en," default:"" placeholder:"LANG"`
}

// locale is the language asked for, else that of the environment as far as the server speaks it.
func (f languageFlag) locale() string {
	if f.Lang != "" {
		return f.Lang
	}
	if strings.HasPrefix(cmp.Or(os.Getenv("LC_ALL"), os.Getenv("LC_MESSAGES"), os.Getenv("LANG")), "zh") {
		return "zh"
	}
	return "en"
}

// client asks the API.
type client struct {
	address, token, language string

	silence  time.Duration // after which a stream counts as broken
	patience time.Duration // for how long a server that cannot be reached is tried
}

func (f apiFlags) client(language string) (*client, error) {
	run, err := readRunInfo(f.Data)
	if err != nil {
		return nil, err
	}
	c := &client{address: f.URL, token: f.Token, language: language, silence: 45 * time.Second, patience: 2 * time.Minute}
	if run != nil {
		c.address, c.token = cmp.Or(c.address, run.URL), cmp.Or(c.token, run.Tokens["admin"])
	}
	c.address = strings.TrimRight(c.address, "/")
	if c.address == "" || c.token == "" {
		return nil, usageError{"which API, and as whom? Give --url and --token, or the --data directory of an `up --demo`; with a token, that of any `up` will do"}
	}
	return c, nil
}

// problem is what the API refuses with.
type problem struct{ api.Problem }

// Error says what is wrong in the server's words, where, and its code.
func (p *problem) Error() string {
	if p.Code == "" { // of something between here and the API
		return fmt.Sprintf("the API answered %d %s", p.Status, http.StatusText(p.Status))
	}
	if len(p.Errors) == 0 {
		return fmt.Sprintf("%s (%s)", cmp.Or(p.Detail, p.Title), p.Code)
	}
	var parts []string
	for _, e := range p.Errors {
		parts = append(parts, fmt.Sprintf("%s (%s at %s)", e.Detail, e.Code, e.Location))
	}
	return strings.Join(parts, "\n")
}

// passing reports whether the same request may succeed a moment later.
func (p *problem) passing() bool {
	return p.Status >= 500 || p.Status == http.StatusRequestTimeout || p.Status == http.StatusTooManyRequests
}

func (c *client) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.address+path, body)
	if err != nil {
		return nil, usageError{fmt.Sprintf("%s is no address of an API", c.address)}
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Accept-Language", c.language)
	return r, nil
}

// send sends a request. An answer that is no success is an error: *problem.
func (c *client) send(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		var about *url.Error // it names the address once more, with the query
		if errors.As(err, &about) {
			err = about.Err
		}
		if cause := context.Cause(r.Context()); errors.Is(cause, errSilent) {
			err = cause
		}
		return nil, fmt.Errorf("the API at %s cannot be reached: %w. Is it running?", c.address, err)
	}
	if answer.StatusCode < 300 {
		return answer, nil
	}
	defer answer.Body.Close()
	p := &problem{}
	_ = json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&p.Problem) // what is no problem of ours has no code
	p.Status = answer.StatusCode
	return nil, p
}

// errUnreadable says that it speaks of something else.
var errUnreadable = errors.New("the answer of the API cannot be read")

// errSilent says that the server is there and does not speak.
var errSilent = errors.New("it does not answer")

// askMost is how long an answer may take that is neither a file nor a stream.
const askMost = time.Minute

// ask asks for one thing and reads the answer. A write carries a key, so that it can be sent again. It returns the position of the log that
// the answer tells.
func (c *client) ask(ctx context.Context, method, path string, body, into any) (position int64, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, askMost, errSilent)
	defer cancel()
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return 0, fmt.Errorf("request: %w", err)
		}
		content = bytes.NewReader(text)
	}
	r, err := c.request(ctx, method, path, content)
	if err != nil {
		return 0, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if method != http.MethodGet {
		r.Header.Set("Idempotency-Key", uuid.NewString()) // net/http sends it again if the connection was gone before it began
	}
	answer, err := c.send(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	return read(answer, into)
}

func read(answer *http.Response, into any) (position int64, err error) {
	position, _ = strconv.ParseInt(answer.Header.Get("X-Log-Position"), 10, 64)
	if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
		return 0, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	return position, nil
}

// list reads pages of what the API lists, until there are as many as asked for.
func list[T any](ctx context.Context, c *client, path string, query url.Values, limit int) (items []T, err error) {
	for {
		query.Set("limit", strconv.Itoa(min(limit-len(items), 200)))
		var page api.List[T]
		if _, err := c.ask(ctx, http.MethodGet, path+"?"+query.Encode(), nil, &page); err != nil {
			return nil, err
		}
		items = append(items, page.Items...)
		if page.Next == "" || len(items) >= limit {
			return items, nil
		}
		query.Set("cursor", page.Next)
	}
}

// upload sends a form with a file, as it is read: memory does not grow with it. told hears how many bytes of the file are sent.
func (c *client) upload(ctx context.Context, path string, file *os.File, size int64, fields map[string]string, told func(int64), into any) (position int64, err error) {
	var form bytes.Buffer
	parts := multipart.NewWriter(&form)
	for name, value := range fields {
		err = errors.Join(err, parts.WriteField(name, value))
	}
	_, failed := parts.CreateFormFile("file", filepath.Base(file.Name()))
	head := bytes.Clone(form.Bytes())
	form.Reset()
	if err := errors.Join(err, failed, parts.Close()); err != nil {
		return 0, fmt.Errorf("form: %w", err)
	}
	body := io.MultiReader(bytes.NewReader(head), &counted{from: io.LimitReader(file, size), told: told}, &form)
	r, err := c.request(ctx, http.MethodPost, path, body)
	if err != nil {
		return 0, err
	}
	r.ContentLength = int64(len(head)) + size + int64(form.Len())
	r.Header.Set("Content-Type", parts.FormDataContentType())
	r.Header.Set("Expect", "100-continue") // who may not import learns it before the file is sent
	answer, err := c.send(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	return read(answer, into)
}

// counted tells how much was read.
type counted struct {
	from io.Reader
	done int64
	told func(int64)
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.done += int64(n)
	if n > 0 {
		c.told(c.done)
	}
	return n, err
}
