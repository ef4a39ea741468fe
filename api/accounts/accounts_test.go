package accounts

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"customercenter/api/access"
	"customercenter/internal/oidctest"
)

var (
	boss  = oidctest.User{ID: "u-1001", Name: "ouyang", Password: "boss's own", Given: "国强", Family: "欧阳", Email: "ouyang@acme.example", Groups: []string{"everybody", "cc-admins"}}
	desk  = oidctest.User{ID: "u-2002", Name: "he", Password: "desk's own", Given: "云舟", Family: "何", Email: "he@acme.example", Groups: []string{"everybody", "CN=desk,OU=b"}}
	guest = oidctest.User{ID: "u-3003", Name: "guest", Password: "guest's own", Groups: []string{"everybody"}}
	alone = oidctest.User{ID: "u-4004", Name: "alone", Password: "alone's own"}
)

const returns, signedOut = "http://127.0.0.1:1/sign-in/company/return", "http://127.0.0.1:1/sign-in"

// start runs a provider, and returns it from both sides: as it is, and as it is known here. Changes to what is configured here come last.
func start(t *testing.T, inIDToken bool, changes ...func(*Config)) (*oidctest.Provider, *Provider) {
	t.Helper()
	there := oidctest.Start(t, boss, desk, guest, alone)
	there.Register(oidctest.Client{ID: "customer-center", Secret: "client's own", Returns: returns, SignedOut: signedOut, InIDToken: inIDToken})
	c := Config{
		Issuer: there.Issuer, Client: "customer-center", Secret: "client's own", Scopes: []string{"groups"}, Claim: "groups", Actor: "sub", Returns: returns, SignedOut: signedOut,
		Grants: []Grant{{Value: "cc-admins", Role: access.Admin, Tenant: "acme"}, {Value: "CN=desk,OU=b", Role: access.Agent, Tenant: "acme"}},
	}
	for _, change := range changes {
		change(&c)
	}
	here := New(c)
	t.Cleanup(here.client.CloseIdleConnections)
	return there, here
}

// begun is a sign-in that waits for its end.
type begun struct {
	keep  string
	query url.Values // with which the browser comes back
}

// begin signs a user in at the provider.
func begin(t *testing.T, there *oidctest.Provider, here *Provider, who oidctest.User) begun {
	t.Helper()
	to, keep, err := here.Begin(t.Context(), "/customers?group=7", false)
	if err != nil {
		t.Fatal(err)
	}
	asked, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"response_type": "code", "client_id": "customer-center", "redirect_uri": returns, "code_challenge_method": "S256"} {
		if got := asked.Query().Get(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if got := asked.Query().Get(name); len(got) != 43 || strings.Contains(keep, got) {
			t.Errorf("%s is %q", name, got)
		}
	}
	back, err := url.Parse(there.SignIn(to, who))
	if err != nil {
		t.Fatal(err)
	}
	return begun{keep: keep, query: back.Query()}
}

func TestWhoSignsIn(t *testing.T) {
	for name, inIDToken := range map[string]bool{"groups in the ID token": true, "groups where the provider is asked": false} {
		t.Run(name, func(t *testing.T) {
			there, here := start(t, inIDToken)
			for _, c := range []struct {
				who  oidctest.User
				want Grant
			}{{boss, here.Grants[0]}, {desk, here.Grants[1]}} {
				b := begin(t, there, here, c.who)
				who, back, err := here.Finish(t.Context(), b.keep, b.query)
				if err != nil || who.Grant != c.want || who.Actor != c.who.ID || back != "/customers?group=7" || strings.Count(who.IDToken, ".") != 2 {
					t.Errorf("%s: got %+v, %s, %v", c.who.Name, who, back, err)
				}
			}
			for _, who := range []oidctest.User{guest, alone} {
				b := begin(t, there, here, who)
				got, back, err := here.Finish(t.Context(), b.keep, b.query)
				var none *NoRole
				if !errors.As(err, &none) || none.Claim != "groups" || !slices.Equal(none.Values, who.Groups) || got != (Person{}) || back != "/customers?group=7" {
					t.Errorf("%s: got %+v, %s, %v", who.Name, got, back, err)
				}
			}
		})
	}
	t.Run("under another id", func(t *testing.T) {
		there, here := start(t, true, func(c *Config) { c.Actor, c.Scopes = "preferred_username", []string{"groups", "profile"} })
		b := begin(t, there, here, desk)
		if who, _, err := here.Finish(t.Context(), b.keep, b.query); err != nil || who.Actor != "he" {
			t.Errorf("got %+v, %v", who, err)
		}
		here.Actor = "employee_number"
		b = begin(t, there, here, desk)
		if who, _, err := here.Finish(t.Context(), b.keep, b.query); !errors.Is(err, ErrNoActor) {
			t.Errorf("without that id: %+v, %v", who, err)
		}
	})
}

// swapped puts something else into what the provider answers, as nobody but who stands between could: so that what is checked here is seen to be checked.
type swapped struct {
	http.RoundTripper
	path string
	with func(answer map[string]any)
}

func (s swapped) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := s.RoundTripper.RoundTrip(r)
	if err != nil || r.URL.Path != s.path {
		return answer, err
	}
	defer answer.Body.Close()
	var said map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&said); err != nil {
		return nil, err
	}
	s.with(said)
	text, err := json.Marshal(said)
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	answer.Header.Del("Content-Length")
	return answer, err
}

func TestWhatSignsNobodyIn(t *testing.T) {
	there, here := start(t, true)
	there.Register(oidctest.Client{ID: "payroll", Secret: "another's own", Returns: returns, SignedOut: signedOut, InIDToken: true})
	untouched := here.client.Transport
	fails := func(name string, keep string, query url.Values, want error) {
		t.Helper()
		if who, _, err := here.Finish(t.Context(), keep, query); !errors.Is(err, want) || who != (Person{}) {
			t.Errorf("%s: got %+v, %v", name, who, err)
		}
		here.client.Transport = untouched
	}
	first, second := begin(t, there, here, boss), begin(t, there, here, desk)
	fails("nothing kept", "", first.query, ErrNotBegun)
	fails("another browser", second.keep, first.query, ErrNotBegun)
	fails("no state", first.keep, url.Values{"code": first.query["code"]}, ErrNotBegun)
	fails("a kept text of no meaning", "x.!", first.query, ErrNotBegun)
	fails("somebody else's code", second.keep, url.Values{"code": first.query["code"], "state": second.query["state"]}, ErrUnproven) // PKCE
	fails("canceled", second.keep, url.Values{"error": {"access_denied"}, "state": second.query["state"]}, ErrDeclined)
	fails("a provider in trouble", second.keep, url.Values{"error": {"temporarily_unavailable"}, "state": second.query["state"]}, ErrAway)
	fails("another issuer", second.keep, url.Values{"code": second.query["code"], "state": second.query["state"], "iss": {"https://evil.example"}}, ErrUnproven)

	again := begin(t, there, here, boss)
	done, _, err := here.Finish(t.Context(), again.keep, again.query)
	if err != nil {
		t.Fatal(err)
	}
	fails("a code that was used", again.keep, again.query, ErrUnproven)

	swap := func(path string, with func(map[string]any)) {
		here.client.Transport = swapped{untouched, path, with}
	}
	b := begin(t, there, here, boss)
	swap("/oauth/token", func(said map[string]any) { said["id_token"] = done.IDToken })
	fails("the ID token of another sign-in", b.keep, b.query, ErrUnproven)

	b = begin(t, there, here, boss)
	swap("/oauth/token", func(said map[string]any) { said["access_token"] = "another" })
	fails("the access token of another sign-in", b.keep, b.query, ErrUnproven)

	b = begin(t, there, here, boss)
	swap("/oauth/token", func(said map[string]any) {
		parts := strings.Split(said["id_token"].(string), ".")
		said["id_token"] = parts[0] + "." + parts[1] + "." + strings.Split(done.IDToken, ".")[2]
	})
	fails("another signature", b.keep, b.query, ErrUnproven)

	b = begin(t, there, here, boss)
	swap("/oauth/token", func(said map[string]any) { delete(said, "id_token") })
	fails("no ID token", b.keep, b.query, ErrUnproven)

	b = begin(t, there, here, boss)
	here.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	fails("an ID token that has expired", b.keep, b.query, ErrUnproven)
	here.Now = time.Now

	other := New(here.Config)
	other.Client, other.Secret = "payroll", "another's own"
	to, keep, err := other.Begin(t.Context(), "/", false)
	if err != nil {
		t.Fatal(err)
	}
	back, err := url.Parse(there.SignIn(to, boss))
	if err != nil {
		t.Fatal(err)
	}
	theirs, _, err := other.Finish(t.Context(), keep, back.Query())
	if err != nil {
		t.Fatal(err)
	}
	b = begin(t, there, here, boss)
	swap("/oauth/token", func(said map[string]any) { said["id_token"] = theirs.IDToken })
	fails("an ID token for another client", b.keep, b.query, ErrUnproven)

	b = begin(t, there, here, boss)
	here.Secret = "wrong"
	fails("another secret", b.keep, b.query, ErrClient)
	here.Secret = "client's own"

	asking, apart := start(t, false)
	b = begin(t, asking, apart, guest)
	apart.client.Transport = swapped{apart.client.Transport, "/userinfo", func(said map[string]any) { said["sub"], said["groups"] = boss.ID, boss.Groups }}
	if who, _, err := apart.Finish(t.Context(), b.keep, b.query); !errors.Is(err, ErrUnproven) {
		t.Errorf("told of somebody else: %+v, %v", who, err)
	}
}

// The provider signs with another key whenever it likes, also between the two halves of a sign-in.
func TestKeysChange(t *testing.T) {
	there, here := start(t, true)
	for range 3 {
		b := begin(t, there, here, boss)
		there.Rotate()
		if _, _, err := here.Finish(t.Context(), b.keep, b.query); err != nil {
			t.Fatal(err)
		}
	}
}

// A provider that is away is asked again the next time, and what it says of itself is not believed for ever.
func TestAProviderThatIsAway(t *testing.T) {
	there, here := start(t, true)
	asking := New(here.Config)
	t.Cleanup(asking.client.CloseIdleConnections)
	if err := asking.Check(t.Context()); err != nil {
		t.Errorf("before: %v", err)
	}
	there.Stop()
	if err := New(here.Config).Check(t.Context()); !errors.Is(err, ErrAway) {
		t.Errorf("away: %v", err)
	}
	if _, _, err := here.Begin(t.Context(), "/", false); !errors.Is(err, ErrAway) {
		t.Fatalf("got %v", err)
	}
	there.Again()
	b := begin(t, there, here, boss)
	there.Stop()
	if _, _, err := here.Finish(t.Context(), b.keep, b.query); !errors.Is(err, ErrAway) {
		t.Errorf("away between the halves: %v", err)
	}
	if _, _, err := here.Begin(t.Context(), "/", false); err != nil { // what is known is enough
		t.Errorf("got %v", err)
	}
	here.Now = func() time.Time { return time.Now().Add(known) }
	if _, _, err := here.Begin(t.Context(), "/", false); !errors.Is(err, ErrAway) {
		t.Errorf("after an hour: %v", err)
	}
	here.Now = time.Now
	there.Again() // with other keys
	b = begin(t, there, here, desk)
	if who, _, err := here.Finish(t.Context(), b.keep, b.query); err != nil || who.Role != access.Agent {
		t.Errorf("when it is back: %+v, %v", who, err)
	}

	other := New(here.Config)
	other.Issuer += "/"
	if _, _, err := other.Begin(t.Context(), "/", false); !errors.Is(err, ErrAway) || !strings.Contains(err.Error(), "issuer") {
		t.Errorf("an issuer that names itself otherwise: %v", err)
	}
	other.Issuer = there.Issuer + "/nothing-here"
	if _, _, err := other.Begin(t.Context(), "/", false); !errors.Is(err, ErrAway) || !strings.Contains(err.Error(), "404") {
		t.Errorf("no provider: %v", err)
	}
}

func TestLeaving(t *testing.T) {
	there, here := start(t, true)
	leaving, err := here.Leave(t.Context(), "proof")
	if err != nil || leaving.To != there.Issuer+"/end_session" || leaving.Fields["id_token_hint"] != "proof" || leaving.Fields["post_logout_redirect_uri"] != signedOut {
		t.Errorf("got %+v, %v", leaving, err)
	}
}

// What leads back to an address that is too long for a cookie leads to the first page.
func TestWhereOneComesBackTo(t *testing.T) {
	_, here := start(t, true)
	for path, want := range map[string]string{"/a?b=客户;c,d": "/a?b=客户;c,d", "/" + strings.Repeat("x", maxBack): "/"} {
		_, keep, err := here.Begin(t.Context(), path, true)
		if err != nil || len(keep) > 3000 {
			t.Fatalf("%d characters, %v", len(keep), err)
		}
		a, ok := parseAttempt(keep)
		if !ok || a.back != want {
			t.Errorf("%.20s: got %.20s", path, a.back)
		}
	}
}
