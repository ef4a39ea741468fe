package main

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"customercenter/api/access"
	"customercenter/api/accounts"
	"customercenter/api/pages"
)

// clientSecret is the variable of the environment that may hold the client's secret. There is no flag for it, as everybody on the machine can read command lines.
const clientSecret = "CUSTOMERCENTER_OIDC_CLIENT_SECRET"

// oidcFlags say how people sign in with the accounts of their company.
type oidcFlags struct {
	Issuer           string        `help:"Let people sign in to the pages at this provider of OpenID Connect, too, for example https://login.example.com/realms/staff." placeholder:"URL"`
	ClientID         string        `help:"Under which id the provider knows the customer center." placeholder:"ID"`
	ClientSecretFile string        `help:"File with the client's secret. Default: what CUSTOMERCENTER_OIDC_CLIENT_SECRET holds; none for a public client." type:"path" placeholder:"FILE"`
	Scopes           []string      `help:"Scopes to ask for besides openid, separated by commas: what the provider needs to tell the claims below." placeholder:"SCOPE"`
	Claim            string        `help:"Claim that holds the roles or groups of an account; with dots, one within others (realm_access.roles)." default:"groups"`
	Actor            string        `help:"Claim that names the person in events, for ever and readable: an id, no name or address, that people cannot change themselves. For agents, the id that channels know them by." default:"sub"`
	Grant            []string      `help:"What a value of the claim may do: VALUE=ROLE@TENANT, VALUE=analyst+personal@TENANT or VALUE=operator. Several: repeat it, or separate by semicolons; the first that fits counts. Who has none is refused." sep:";" placeholder:"GRANT"`
	SignInFor        time.Duration `help:"How long such a sign-in lasts at most, up to 12h: so long may somebody stay in who lost the role at the provider." default:"12h"`
}

// provider returns the company's own sign-in, nil if there is none. It does not know yet where to lead back to, see leadBack.
func (f oidcFlags) provider() (*accounts.Provider, error) {
	if f.Issuer == "" {
		if f.ClientID != "" || len(f.Grant) > 0 {
			return nil, usageError{"--oidc-client-id and --oidc-grant need --oidc-issuer"}
		}
		return nil, nil
	}
	issuer, err := url.Parse(f.Issuer)
	switch {
	case err != nil || issuer.Host == "" || issuer.RawQuery != "" || issuer.Fragment != "" || issuer.User != nil || issuer.Scheme != "https" && !(issuer.Scheme == "http" && onThisMachine(issuer.Hostname())):
		return nil, usageError{"--oidc-issuer takes the provider's https:// address, exactly as it names itself; http:// for one on this machine only"}
	case f.ClientID == "":
		return nil, usageError{"--oidc-issuer needs --oidc-client-id"}
	case f.Claim == "" || f.Actor == "":
		return nil, usageError{"--oidc-claim and --oidc-actor take the name of a claim"}
	case len(f.Grant) == 0:
		return nil, usageError{"--oidc-issuer needs --oidc-grant: without one nobody may do anything"}
	case f.SignInFor < time.Minute || f.SignInFor > access.SignInFor:
		return nil, usageError{"--oidc-sign-in-for takes a time of 1m to 12h"}
	}
	c := accounts.Config{Issuer: f.Issuer, Client: f.ClientID, Scopes: f.Scopes, Claim: f.Claim, Actor: f.Actor}
	for _, text := range f.Grant {
		grant, err := accounts.ParseGrant(text)
		if err != nil {
			return nil, usageError{"--oidc-grant: " + err.Error()}
		}
		c.Grants = append(c.Grants, grant)
	}
	if c.Secret, err = f.secret(); err != nil {
		return nil, err
	}
	return accounts.New(c), nil
}

// leadBack has a provider lead people back to the pages, which they find at base.
func leadBack(p *accounts.Provider, base string) {
	if p != nil {
		base = strings.TrimSuffix(base, "/")
		p.Returns, p.SignedOut = base+pages.CompanyReturns, base+pages.CompanySignedOut
	}
}

// secret reads the client's secret.
func (f oidcFlags) secret() (string, error) {
	if f.ClientSecretFile == "" {
		return os.Getenv(clientSecret), nil
	}
	content, err := os.ReadFile(f.ClientSecretFile)
	if err != nil {
		return "", fmt.Errorf("--oidc-client-secret-file: %w", err)
	}
	secret := strings.TrimSpace(string(content))
	if secret == "" {
		return "", usageError{"--oidc-client-secret-file: the file is empty"}
	}
	return secret, nil
}

func onThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
