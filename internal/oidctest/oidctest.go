// Package oidctest runs a real provider of OpenID Connect for tests: an implementation that is not ours (in a module of its own, see provider), as a process of its own.
package oidctest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// User is somebody who may sign in at the provider.
type User struct {
	ID, Name, Password, Given, Family, Email string
	Groups                                   []string
}

// Client is a program that people sign in to by the provider.
type Client struct {
	ID, Secret         string
	Returns, SignedOut string // to which addresses it leads back
	InIDToken          bool   // the groups stand in the ID token; else only the user info endpoint tells them
}

// Provider is a provider that runs.
type Provider struct {
	Issuer string

	t       testing.TB
	users   []User
	clients []Client
	stdin   io.Closer
	command *exec.Cmd
}

// built is the program, built once a test binary.
var built struct {
	once sync.Once
	path string
	err  error
}

// build builds the provider into a folder of the test's process, which lasts longer than one test.
func build() {
	_, here, _, _ := runtime.Caller(0)
	source := filepath.Join(filepath.Dir(here), "provider")
	for _, name := range []string{"go.mod", "go.sum", "main.go"} { // `go test` runs a test again when a file has changed that the test opened
		if _, built.err = os.ReadFile(filepath.Join(source, name)); built.err != nil {
			return
		}
	}
	dir, err := os.MkdirTemp("", "oidctest")
	if err != nil {
		built.err = err
		return
	}
	built.path = filepath.Join(dir, "provider")
	build := exec.Command("go", "build", "-o", built.path, ".")
	build.Dir = source
	build.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		built.err = fmt.Errorf("%w: %s", err, said)
	}
}

// Start runs a provider on a free port until the test ends.
func Start(t testing.TB, users ...User) *Provider {
	t.Helper()
	if built.once.Do(build); built.err != nil {
		t.Fatal(built.err)
	}
	p := &Provider{t: t, users: users}
	p.start("127.0.0.1:0")
	t.Cleanup(p.Stop)
	return p
}

func (p *Provider) start(listen string) {
	p.t.Helper()
	people, err := json.Marshal(p.users)
	if err != nil {
		p.t.Fatal(err)
	}
	p.command = exec.Command(built.path, "-listen", listen, "-users", string(people))
	stdin, err := p.command.StdinPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	complaint := &bytes.Buffer{}
	p.command.Stderr = complaint
	if err := p.command.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.stdin = stdin
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		p.t.Fatalf("the provider does not start: %v", err)
	}
	p.Issuer = strings.TrimSpace(line)
}

// Stop ends the provider. It may have ended.
func (p *Provider) Stop() {
	if p.command != nil {
		_ = p.stdin.Close()
		_ = p.command.Wait()
		p.command = nil
	}
}

// Again starts a provider that was stopped at the same address, with the same clients and with other keys.
func (p *Provider) Again() {
	p.t.Helper()
	p.start(strings.TrimPrefix(p.Issuer, "http://"))
	for _, c := range p.clients {
		p.tell(c)
	}
}

// Register lets people sign in to a client.
func (p *Provider) Register(c Client) {
	p.t.Helper()
	p.clients = append(p.clients, c)
	p.tell(c)
}

func (p *Provider) tell(c Client) {
	p.t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		p.t.Fatal(err)
	}
	p.control(http.MethodPost, "client", text)
}

// Rotate lets the provider sign with another key from now on; the one before is gone.
func (p *Provider) Rotate() {
	p.t.Helper()
	p.control(http.MethodPost, "rotate", nil)
}

// SignedOut tells how often somebody signed out at the provider.
func (p *Provider) SignedOut() string {
	p.t.Helper()
	return p.control(http.MethodGet, "out", nil)
}

func (p *Provider) control(method, what string, body []byte) string {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.Issuer+"/control/"+what, bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		p.t.Fatalf("the provider answers %s, %v: %s", answer.Status, err, text)
	}
	return string(text)
}

var hiddenID = regexp.MustCompile(`name="id" value="([^"]*)"`)

// SignIn signs a user in, as a browser without script does, that was led to an address of the provider, and returns the address that it is led back to.
func (p *Provider) SignIn(address string, who User) string {
	p.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	client := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(r.URL.String(), p.Issuer+"/") {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	defer client.CloseIdleConnections()
	page := p.read(client.Get(address))
	id := hiddenID.FindStringSubmatch(page)
	if id == nil {
		p.t.Fatalf("the provider does not ask who it is: %s", page)
	}
	answer, err := client.PostForm(p.Issuer+"/login/username", url.Values{"id": {id[1]}, "username": {who.Name}, "password": {who.Password}})
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	back := answer.Header.Get("Location")
	if back == "" {
		text, _ := io.ReadAll(answer.Body)
		p.t.Fatalf("the provider does not lead back, but answers %s: %s", answer.Status, text)
	}
	return back
}

func (p *Provider) read(answer *http.Response, err error) string {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}
