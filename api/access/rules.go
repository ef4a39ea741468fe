package access

import "slices"

// rules says which roles may call which operation of the API, by its id. This is the one place: an operation that is not
// here is refused to everybody, and a test fails. What a role sees of what it may call is decided by the operation: an agent
// sees the own sessions, an analyst no personal data unless the token allows it.
var rules = map[string][]Role{
	"list-customers":         {Admin, Analyst},
	"search-customers":       {Admin, Analyst},
	"create-customer":        {Admin},
	"get-customer":           {Admin, Analyst},
	"edit-customer":          {Admin},
	"set-customer-tags":      {Admin},
	"tag-customer":           {Admin},
	"untag-customer":         {Admin},
	"list-customer-sessions": {Admin, Analyst, Agent},

	"list-sessions":         {Admin, Analyst, Agent},
	"get-session":           {Admin, Analyst, Agent},
	"list-session-messages": {Admin, Analyst, Agent},
	"accept-session":        {Admin, Agent},
	"transfer-session":      {Admin, Agent},
	"close-session":         {Admin, Agent},
	"abort-session":         {Admin},
	"rate-session":          {Admin},

	"list-tags":  {Admin, Analyst, Agent},
	"get-tag":    {Admin, Analyst, Agent},
	"create-tag": {Admin},
	"rename-tag": {Admin},
	"delete-tag": {Admin},

	"list-associations":    {Admin, Analyst, Agent},
	"get-association":      {Admin, Analyst, Agent},
	"register-association": {Admin},
	"rename-association":   {Admin},
	"remove-association":   {Admin},

	"get-settings":    {Admin, Analyst, Agent},
	"change-settings": {Admin},

	"receive-channel-events": {Admin, Channel},

	"read-events": {Admin, Analyst},

	"list-projections":   {Admin, Operator}, // an admin sees the own tenant's
	"rebuild-projection": {Operator},

	"list-tokens":  {Admin},
	"create-token": {Admin},
	"revoke-token": {Admin},

	"list-tenants":  {Operator},
	"create-tenant": {Operator},
}

// public are the operations that need no token: they tell nothing of any tenant.
var public = []string{"live", "ready", "metrics"}

// Public reports whether an operation needs no token.
func Public(operation string) bool { return slices.Contains(public, operation) }

// May reports whether a role may call an operation.
func May(role Role, operation string) bool { return slices.Contains(rules[operation], role) }

// Operations lists every operation that has a rule, public ones too, sorted.
func Operations() []string {
	operations := slices.Clone(public)
	for o := range rules {
		operations = append(operations, o)
	}
	slices.Sort(operations)
	return operations
}
