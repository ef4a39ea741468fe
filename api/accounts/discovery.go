package accounts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// discovery is what the provider says of itself.
type discovery struct {
	*oidc.Provider
	style oauth2.AuthStyle // how it takes the client's secret
	out   string           // where one signs out; empty: nowhere
	keys  string           // where its keys are
	until time.Time
}

// bounded reads no more of an answer than maxAnswer.
type bounded struct{ *http.Transport }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.Transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(answer.Body, maxAnswer), answer.Body}
	return answer, nil
}

// discovered returns what the provider says of itself. ErrAway.
func (p *Provider) discovered(ctx context.Context) (*discovery, error) {
	p.mu.Lock()
	found := p.found
	p.mu.Unlock()
	if found != nil && p.Now().Before(found.until) {
		return found, nil
	}
	result := p.asking.DoChan("", func() (any, error) {
		said, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.client), p.Issuer)
		if err != nil {
			return nil, away(err)
		}
		found := &discovery{Provider: said, until: p.Now().Add(known)}
		if err := p.complement(found); err != nil {
			return nil, err
		}
		p.mu.Lock()
		p.found = found
		p.mu.Unlock()
		return found, nil
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-result:
		found, _ := r.Val.(*discovery)
		return found, r.Err
	}
}

// Check asks the provider what it says of itself and for its keys, as a sign-in would. ErrAway.
func (p *Provider) Check(ctx context.Context) error {
	found, err := p.discovered(ctx)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, found.keys, nil)
	if err != nil {
		return away(err)
	}
	answer, err := p.client.Do(r)
	if err != nil {
		return away(err)
	}
	defer answer.Body.Close()
	var keys struct{ Keys []json.RawMessage }
	if err := json.NewDecoder(answer.Body).Decode(&keys); err != nil || answer.StatusCode != http.StatusOK || len(keys.Keys) == 0 {
		return fmt.Errorf("%w: it does not tell its keys (%s)", ErrAway, answer.Status)
	}
	return nil
}

// complement adds what the library leaves out, and refuses addresses that would carry secrets in the clear, while the issuer's does not.
func (p *Provider) complement(found *discovery) error {
	var more struct {
		Keys    string   `json:"jwks_uri"`
		Out     string   `json:"end_session_endpoint"`
		Methods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := found.Claims(&more); err != nil {
		return away(err)
	}
	for i, address := range []string{found.Endpoint().AuthURL, found.Endpoint().TokenURL, more.Keys, found.UserInfoEndpoint(), more.Out} {
		if address == "" && i >= 3 {
			continue // it need not have these
		}
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && strings.HasPrefix(p.Issuer, "http:")) {
			return fmt.Errorf("%w: it names an address that cannot be used", ErrAway)
		}
	}
	found.out, found.keys, found.style = more.Out, more.Keys, oauth2.AuthStyleInHeader
	if p.Secret == "" || len(more.Methods) > 0 && !slices.Contains(more.Methods, "client_secret_basic") {
		found.style = oauth2.AuthStyleInParams
	}
	return nil
}

// away tells why the provider did not answer as it should, without what it answered.
func away(err error) error {
	cause := err.Error()
	if !errors.As(err, new(*url.Error)) {
		cause, _, _ = strings.Cut(cause, "\n")
		if status, _, ok := strings.Cut(cause, ": "); ok && !strings.HasPrefix(cause, "oidc: ") {
			cause = status
		}
	}
	return fmt.Errorf("%w: %s", ErrAway, cause)
}
