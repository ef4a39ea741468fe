package accounts

import (
	"encoding/json"
	"slices"
	"testing"

	"customercenter/api/access"
)

func TestParseGrant(t *testing.T) {
	for text, want := range map[string]Grant{
		"cc-admins=admin@acme":                     {Value: "cc-admins", Role: access.Admin, Tenant: "acme"},
		"CN=support,OU=b,DC=x=agent@acme":          {Value: "CN=support,OU=b,DC=x", Role: access.Agent, Tenant: "acme"},
		"客服组=agent@acme":                           {Value: "客服组", Role: access.Agent, Tenant: "acme"},
		"who@acme.example=analyst@acme":            {Value: "who@acme.example", Role: access.Analyst, Tenant: "acme"},
		"data=analyst+personal@acme":               {Value: "data", Role: access.Analyst, Tenant: "acme", Personal: true},
		"ops=operator":                             {Value: "ops", Role: access.Operator},
		"  spaces around are none of it  =admin@a": {Value: "spaces around are none of it", Role: access.Admin, Tenant: "a"},
	} {
		if got, err := ParseGrant(text); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
	for _, wrong := range []string{"", "=", "=admin@acme", " =admin@acme", "admins", "admins=", "admins=admin", "admins=admin@", "admins=boss@acme", "c=channel@acme",
		"ops=operator@acme", "a=agent+personal@acme", "a=admin+personal@acme", "a=Admin@acme"} {
		if got, err := ParseGrant(wrong); err == nil {
			t.Errorf("%q is taken for %+v", wrong, got)
		}
	}
}

func TestWhatIsGranted(t *testing.T) {
	grants := []Grant{{Value: "boss", Role: access.Admin, Tenant: "acme"}, {Value: "desk", Role: access.Agent, Tenant: "acme"}}
	for _, c := range []struct {
		claims, name string
		want         access.Role
	}{
		{`{"groups":["desk","boss"]}`, "groups", access.Admin}, // the first grant, not the first value
		{`{"groups":["desk"]}`, "groups", access.Agent},
		{`{"groups":"desk"}`, "groups", access.Agent},
		{`{"groups":["Desk"," desk","des"]}`, "groups", ""},
		{`{"groups":[]}`, "groups", ""},
		{`{"groups":null}`, "groups", ""},
		{`{"groups":{"desk":true}}`, "groups", ""},
		{`{"groups":[["desk"],1,true]}`, "groups", ""},
		{`{}`, "groups", ""},
		{`{"realm_access":{"roles":["desk"]}}`, "realm_access.roles", access.Agent},
		{`{"realm_access":"desk"}`, "realm_access.roles", ""},
		{`{"https://acme.example/roles":["desk"]}`, "https://acme.example/roles", access.Agent},
	} {
		var claims map[string]any
		if err := json.Unmarshal([]byte(c.claims), &claims); err != nil {
			t.Fatal(err)
		}
		got, ok := granted(grants, textsOf(valueOf(claims, c.name)))
		if got.Role != c.want || ok != (c.want != "") {
			t.Errorf("%s: got %+v, %v", c.claims, got, ok)
		}
	}
}

func FuzzParseGrant(f *testing.F) {
	for _, s := range []string{"a=admin@acme", "CN=a,OU=b=agent@x", "=", "a=analyst+personal@x", "ops=operator"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		g, err := ParseGrant(s)
		if err != nil {
			if g != (Grant{}) {
				t.Errorf("%q: %v, and %+v", s, err, g)
			}
			return
		}
		if g.Value == "" || !slices.Contains(access.Roles(), g.Role) || g.Role == access.Channel || (g.Tenant == "") != (g.Role == access.Operator) || g.Personal && g.Role != access.Analyst {
			t.Errorf("%q gives %+v", s, g)
		}
	})
}
