package accounts

import (
	"fmt"
	"slices"
	"strings"

	"customercenter/api/access"
)

// Grant is what a value of the claim lets a person do: a role in a tenant.
type Grant struct {
	Value    string // of the claim: the name of a role or a group at the provider, compared exactly
	Role     access.Role
	Tenant   string // empty for an operator
	Personal bool   // an analyst sees personal data
}

// ParseGrant reads a grant as settings have it: VALUE=ROLE@TENANT, VALUE=analyst+personal@TENANT, or VALUE=operator. The last = counts, so that a value may have some of its own.
func ParseGrant(s string) (Grant, error) {
	at := strings.LastIndex(s, "=")
	if at < 1 {
		return Grant{}, fmt.Errorf("%q is no VALUE=ROLE@TENANT", s)
	}
	role, tenant, _ := strings.Cut(s[at+1:], "@")
	role, personal := strings.CutSuffix(role, "+personal")
	g := Grant{Value: strings.TrimSpace(s[:at]), Role: access.Role(role), Tenant: tenant, Personal: personal}
	switch {
	case g.Value == "":
		return Grant{}, fmt.Errorf("%q names no value of the claim", s)
	case g.Role == access.Channel || !slices.Contains(access.Roles(), g.Role):
		return Grant{}, fmt.Errorf("%q names the role %q; there are admin, agent, analyst and operator", s, role)
	case (g.Role == access.Operator) != (tenant == ""):
		return Grant{}, fmt.Errorf("%q: every role but operator is one of a tenant, as VALUE=ROLE@TENANT", s)
	case personal && g.Role != access.Analyst:
		return Grant{}, fmt.Errorf("%q: +personal is for analysts", s)
	}
	return g, nil
}

// granted returns the first grant that one of the values has.
func granted(grants []Grant, values []string) (Grant, bool) {
	i := slices.IndexFunc(grants, func(g Grant) bool { return slices.Contains(values, g.Value) })
	if i < 0 {
		return Grant{}, false
	}
	return grants[i], true
}

// valueOf returns a claim, nil if there is none: the one of that name or, with dots, the one within others, as in realm_access.roles.
func valueOf(claims map[string]any, name string) any {
	if value, ok := claims[name]; ok {
		return value
	}
	outer, inner, dotted := strings.Cut(name, ".")
	within, is := claims[outer].(map[string]any)
	if !dotted || !is {
		return nil
	}
	return valueOf(within, inner)
}

// textsOf are the texts of a claim that holds one or several.
func textsOf(value any) (texts []string) {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		for _, one := range v {
			if s, is := one.(string); is {
				texts = append(texts, s)
			}
		}
	}
	return texts
}
