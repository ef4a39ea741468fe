// Package accounts signs people in with the accounts of their company: by OpenID Connect, in the authorization code flow with PKCE, state and nonce. What somebody may
// do here follows from a claim that the company's provider makes of them, see Grant; whoever has none of the values that are granted something is refused.
//
// What is believed is what the provider says over TLS and signs: the issuer, the audience, the signature, the times, the nonce and the hash of the access token are checked.
package accounts

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"customercenter/domain/text"
)

const (
	// patience is how long one answer of the provider may take.
	patience = 10 * time.Second
	// maxAnswer is the largest answer of the provider that is read, in bytes.
	maxAnswer = 1 << 20
	// known is how long what the provider says of itself counts, its keys included. Keys that it adds are asked for when they are met; those that it withdraws count no longer than this.
	known = time.Hour
	// maxBack is the longest address that is come back to; a cookie has no room for more.
	maxBack = 1500
)

var (
	// ErrAway says that the provider cannot be reached, or answers with something else than what it should.
	ErrAway = errors.New("accounts: the provider cannot be reached")
	// ErrNotBegun says that the browser comes back from a sign-in that it did not begin, or not within the time, or another one than the last.
	ErrNotBegun = errors.New("accounts: this sign-in was not begun here")
	// ErrDeclined says that the provider, or the person, declined.
	ErrDeclined = errors.New("accounts: the provider declined")
	// ErrUnproven says that what came back does not prove who it is, for example because it was used before.
	ErrUnproven = errors.New("accounts: the answer proves nobody")
	// ErrClient says that the provider does not know the client, or not by this secret.
	ErrClient = errors.New("accounts: the provider does not accept the client")
	// ErrNoActor says that the account lacks the claim by which events would name the person.
	ErrNoActor = errors.New("accounts: the account has no id to act under")
)

// NoRole says that an account was proven, and that nothing is granted to it.
type NoRole struct {
	Claim  string   // where values are looked for
	Values []string // what the account has there
}

func (*NoRole) Error() string { return "accounts: the account has no role here" }

// Config is how the provider is reached and what its accounts may do. All but Secret and Scopes are needed.
type Config struct {
	Issuer, Client string
	Secret         string   // of the client; empty for a public one
	Scopes         []string // besides openid
	Claim          string   // that holds roles or groups, see Grant
	Actor          string   // the claim whose value names the person in events
	Grants         []Grant  // the first that fits counts
	// Returns and SignedOut are addresses of ours to which the provider leads back: after signing in and after signing out.
	Returns, SignedOut string
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Provider is the company's own sign-in. It is asked for when it is needed, so that its outages concern nobody else. It is safe for concurrent use.
type Provider struct {
	Config
	client *http.Client
	asking singleflight.Group

	mu    sync.Mutex
	found *discovery
}

// New returns a provider. Nothing is asked yet.
func New(c Config) *Provider {
	if c.Now == nil {
		c.Now = time.Now
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	return &Provider{Config: c, client: &http.Client{
		Transport: bounded{transport}, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // a client's secret goes nowhere else
	}}
}

// Begin returns where the browser is to go to sign in, and what it is to keep, as a secret, until it comes back: to a path of ours, in the end. Another has the provider ask
// for an account even if the browser is signed in there. ErrAway.
func (p *Provider) Begin(ctx context.Context, back string, another bool) (to, keep string, err error) {
	found, err := p.discovered(ctx)
	if err != nil {
		return "", "", err
	}
	var random [32]byte
	rand.Read(random[:])
	if len(back) > maxBack {
		back = "/"
	}
	a := attempt{secret: base64.RawURLEncoding.EncodeToString(random[:]), back: back}
	options := []oauth2.AuthCodeOption{oidc.Nonce(a.derive("nonce")), oauth2.S256ChallengeOption(a.derive("verifier"))}
	if another {
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"))
	}
	return p.oauth(found).AuthCodeURL(a.derive("state"), options...), a.text(), nil
}

func (p *Provider) oauth(found *discovery) *oauth2.Config {
	scopes := []string{oidc.ScopeOpenID}
	for _, s := range p.Scopes {
		if s != oidc.ScopeOpenID {
			scopes = append(scopes, s)
		}
	}
	endpoint := found.Endpoint()
	endpoint.AuthStyle = found.style
	return &oauth2.Config{ClientID: p.Client, ClientSecret: p.Secret, Endpoint: endpoint, RedirectURL: p.Returns, Scopes: scopes}
}

// Person is who signed in, and what they may do.
type Person struct {
	Grant
	Actor   string // under which events name them
	IDToken string // by which the provider knows them when they sign out; it holds what the scopes let it say of them
}

// Finish takes what the browser kept, and the query with which it comes back, and returns who it is and the path to go to, which is to be checked like any other.
// The path is returned with errors, too, as far as it is known.
//
// Errors: ErrNotBegun, ErrDeclined, ErrUnproven, ErrClient, ErrNoActor, ErrAway, *NoRole.
func (p *Provider) Finish(ctx context.Context, keep string, query url.Values) (who Person, back string, err error) {
	a, ok := parseAttempt(keep)
	if !ok || !hmac.Equal([]byte(query.Get("state")), []byte(a.derive("state"))) {
		return Person{}, "/", ErrNotBegun
	}
	who, err = p.prove(ctx, a, query)
	return who, a.back, err
}

func (p *Provider) prove(ctx context.Context, a attempt, query url.Values) (Person, error) {
	if query.Has("iss") && query.Get("iss") != p.Issuer { // RFC 9207
		return Person{}, fmt.Errorf("%w: it comes from another issuer", ErrUnproven)
	}
	switch query.Get("error") {
	case "":
	case "server_error", "temporarily_unavailable":
		return Person{}, fmt.Errorf("%w: it says so itself", ErrAway)
	case "unauthorized_client", "invalid_scope", "invalid_request", "unsupported_response_type":
		return Person{}, ErrClient
	default:
		return Person{}, ErrDeclined
	}
	found, err := p.discovered(ctx)
	if err != nil {
		return Person{}, err
	}
	ctx = oidc.ClientContext(ctx, p.client)
	tokens, err := p.oauth(found).Exchange(ctx, query.Get("code"), oauth2.VerifierOption(a.derive("verifier")))
	if err != nil {
		return Person{}, exchangeError(err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	proof, err := found.VerifierContext(ctx, &oidc.Config{ClientID: p.Client, Now: p.Now}).Verify(ctx, raw)
	if err != nil {
		if errors.As(err, new(*url.Error)) {
			return Person{}, away(err)
		}
		return Person{}, fmt.Errorf("%w: its ID token does not count: %v", ErrUnproven, err)
	}
	if !hmac.Equal([]byte(proof.Nonce), []byte(a.derive("nonce"))) {
		return Person{}, fmt.Errorf("%w: its ID token is for another sign-in", ErrUnproven)
	}
	if proof.AccessTokenHash != "" && proof.VerifyAccessToken(tokens.AccessToken) != nil {
		return Person{}, fmt.Errorf("%w: its access token is for another sign-in", ErrUnproven)
	}
	claims := map[string]any{}
	if err := proof.Claims(&claims); err != nil {
		return Person{}, fmt.Errorf("%w: its claims cannot be read", ErrUnproven)
	}
	if party, is := claims["azp"].(string); is && party != p.Client || !is && len(proof.Audience) > 1 {
		return Person{}, fmt.Errorf("%w: its ID token is for another client", ErrUnproven)
	}
	if err := p.complete(ctx, found, tokens, proof, claims); err != nil {
		return Person{}, err
	}
	return p.person(claims, raw)
}

// complete adds what the ID token does not say of who it is, and the provider tells when it is asked.
func (p *Provider) complete(ctx context.Context, found *discovery, tokens *oauth2.Token, proof *oidc.IDToken, claims map[string]any) error {
	lacks := slices.ContainsFunc([]string{p.Claim, p.Actor}, func(name string) bool { return valueOf(claims, name) == nil })
	if !lacks || found.UserInfoEndpoint() == "" {
		return nil
	}
	info, err := found.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	if err != nil {
		return away(err)
	}
	more := map[string]any{}
	if err := info.Claims(&more); err != nil {
		return fmt.Errorf("%w: its claims cannot be read", ErrUnproven)
	}
	if info.Subject != proof.Subject {
		return fmt.Errorf("%w: it tells of somebody else", ErrUnproven)
	}
	for name, value := range more {
		if _, signed := claims[name]; !signed {
			claims[name] = value
		}
	}
	return nil
}

func (p *Provider) person(claims map[string]any, raw string) (Person, error) {
	values := textsOf(valueOf(claims, p.Claim))
	grant, ok := granted(p.Grants, values)
	if !ok {
		return Person{}, &NoRole{Claim: p.Claim, Values: values}
	}
	said, _ := valueOf(claims, p.Actor).(string)
	actor, ok := text.Line(said)
	if !ok || actor == "" || text.Length(actor) > 128 {
		return Person{}, ErrNoActor
	}
	return Person{Grant: grant, Actor: actor, IDToken: raw}, nil
}

// exchangeError says what went wrong with a code, without what the provider answered.
func exchangeError(err error) error {
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		return away(err)
	}
	switch {
	case refused.ErrorCode == "invalid_grant":
		return fmt.Errorf("%w: its code does not count", ErrUnproven)
	case refused.Response.StatusCode == http.StatusUnauthorized || refused.ErrorCode == "invalid_client" || refused.ErrorCode == "unauthorized_client":
		return ErrClient
	case refused.Response.StatusCode < http.StatusInternalServerError && refused.ErrorCode != "":
		return fmt.Errorf("%w: its code is refused", ErrUnproven)
	}
	return fmt.Errorf("%w: %s", ErrAway, refused.Response.Status)
}

// Leaving is what a browser posts to the provider to sign out there, too.
type Leaving struct {
	To     string // the address; empty if the provider has none
	Fields map[string]string
}

// Leave returns how the person of an ID token signs out at the provider. The token is to be posted, not to stand in an address: it may hold a name. ErrAway.
func (p *Provider) Leave(ctx context.Context, idToken string) (Leaving, error) {
	found, err := p.discovered(ctx)
	if err != nil || found.out == "" {
		return Leaving{}, err
	}
	return Leaving{To: found.out, Fields: map[string]string{
		"id_token_hint": idToken, "client_id": p.Client, "post_logout_redirect_uri": p.SignedOut, "state": "out",
	}}, nil
}

// attempt is a sign-in that was begun: state, nonce and PKCE verifier are made from one secret, which only the browser has.
type attempt struct{ secret, back string }

func (a attempt) derive(purpose string) string {
	mac := hmac.New(sha256.New, []byte(a.secret))
	mac.Write([]byte("sign-in with a company account: " + purpose))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func (a attempt) text() string {
	return a.secret + "." + base64.RawURLEncoding.EncodeToString([]byte(a.back))
}

func parseAttempt(kept string) (attempt, bool) {
	secret, encoded, _ := strings.Cut(kept, ".")
	back, err := base64.RawURLEncoding.DecodeString(encoded)
	return attempt{secret, string(back)}, err == nil && len(secret) == base64.RawURLEncoding.EncodedLen(32)
}
