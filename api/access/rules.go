package access

import (
	"maps"
	"slices"
)

// Scope is how far a role reaches with an operation.
type Scope int

const (
	// None: the role may not call the operation. It is what holds for whatever has no rule.
	None Scope = iota
	// Own: the role reaches what belongs to the caller and nothing else. To an agent that is the sessions that the agent owns or
	// owned, by having accepted them, been transferred them or called back, and the customers of those sessions; to a channel, its
	// association. The operation sees to it.
	Own
	// All: the role reaches everything of its tenant; an operator, everything of the installation that is nobody's personal data.
	All
)

// reach is how far each role gets with an operation. A role that is not named does not get there.
type reach map[Role]Scope

// rules says how far each role gets with each operation of the API, by the operation's id. This is the one place: an operation that
// is not here is refused to everybody, and a test fails. Three things are decided elsewhere, because they depend on more than
// the role:
//
//   - An analyst sees personal data masked unless the token allows it: Principal.Personal.
//   - Whether agents may use the customer center at all, and the blacklist, is a setting of the tenant, see package settings. It
//     bounds the operations on customers, but never the history of the customers that an agent serves.
//   - An operator belongs to no tenant, and the operations of tenants are not open to operators: so no personal data is either.
var rules = map[string]reach{
	"who-am-i": {Admin: All, Agent: All, Analyst: All, Channel: All, Operator: All},

	"list-customers":          {Admin: All, Agent: Own, Analyst: All},
	"search-customers":        {Admin: All, Agent: Own, Analyst: All},
	"create-customer":         {Admin: All},
	"get-customer":            {Admin: All, Agent: Own, Analyst: All},
	"erase-customer":          {Admin: All},
	"get-erasure":             {Admin: All},
	"disclose-customer":       {Admin: All},
	"edit-customer":           {Admin: All, Agent: Own},
	"set-customer-tags":       {Admin: All, Agent: Own},
	"tag-customer":            {Admin: All, Agent: Own},
	"untag-customer":          {Admin: All, Agent: Own},
	"request-callback":        {Admin: All, Agent: Own},
	"count-customers-per-day": {Admin: All, Analyst: All}, // of everybody, so not an agent's
	"list-customer-groups":    {Admin: All, Agent: Own, Analyst: All},
	"list-customer-sessions":  {Admin: All, Agent: Own, Analyst: All},
	"get-transcript":          {Admin: All, Agent: Own, Analyst: All},

	"customer-history":    {Admin: All, Agent: Own, Analyst: All},
	"settings-history":    {Admin: All},
	"tag-history":         {Admin: All},
	"association-history": {Admin: All},

	"list-sessions":          {Admin: All, Agent: Own, Analyst: All},
	"count-sessions-per-day": {Admin: All, Analyst: All},
	"get-session":            {Admin: All, Agent: Own, Analyst: All},
	"list-agents":            {Admin: All, Agent: Own, Analyst: All},
	"list-session-messages":  {Admin: All, Agent: Own, Analyst: All},
	"send-message":           {Admin: All, Agent: Own},
	"accept-session":         {Admin: All, Agent: Own}, // an agent accepts for oneself
	"transfer-session":       {Admin: All, Agent: Own},
	"close-session":          {Admin: All, Agent: Own},
	"abort-session":          {Admin: All},
	"rate-session":           {Admin: All},

	"list-blacklist":        {Admin: All, Agent: Own, Analyst: All},
	"put-blacklist":         {Admin: All, Agent: Own}, // if the tenant allows agents the blacklist
	"delete-blacklist":      {Admin: All, Agent: Own},
	"put-session-blacklist": {Admin: All, Agent: Own},

	"list-tags":  {Admin: All, Agent: All, Analyst: All},
	"get-tag":    {Admin: All, Agent: All, Analyst: All},
	"create-tag": {Admin: All},
	"rename-tag": {Admin: All},
	"delete-tag": {Admin: All},

	"list-fields":     {Admin: All, Agent: All, Analyst: All},
	"get-field":       {Admin: All, Agent: All, Analyst: All},
	"get-field-order": {Admin: All, Agent: All, Analyst: All},
	"add-field":       {Admin: All},
	"change-field":    {Admin: All},
	"remove-field":    {Admin: All},
	"reorder-fields":  {Admin: All},
	"field-history":   {Admin: All},

	"list-groups":   {Admin: All, Agent: All, Analyst: All}, // an agent sees those that are visible to agents
	"get-group":     {Admin: All, Agent: All, Analyst: All},
	"define-group":  {Admin: All},
	"change-group":  {Admin: All},
	"delete-group":  {Admin: All},
	"preview-group": {Admin: All},
	"group-history": {Admin: All},
	// What a rule would have done is who was what, as time travel tells it.
	"start-whatif":      {Admin: All, Analyst: All},
	"get-whatif":        {Admin: All, Analyst: All},
	"list-whatif-moves": {Admin: All, Analyst: All},
	"cancel-whatif":     {Admin: All, Analyst: All},
	"group-size":        {Admin: All, Agent: All, Analyst: All}, // as get-group
	// Whom an agent serves says nothing of who was in a group.
	"list-group-moves": {Admin: All, Analyst: All},
	// Who is in a group is who of the customers that the caller reaches is in it.
	"list-group-members": {Admin: All, Agent: Own, Analyst: All},

	// Of views everybody has the own ones and the shared ones; admins may change the shared ones, and delete every one.
	"list-views":  {Admin: All, Agent: Own, Analyst: All},
	"get-view":    {Admin: All, Agent: Own, Analyst: All},
	"save-view":   {Admin: All, Agent: Own},
	"change-view": {Admin: All, Agent: Own},
	"delete-view": {Admin: All, Agent: Own},

	"list-auto-messages":  {Admin: All},
	"define-auto-message": {Admin: All},
	"get-auto-message":    {Admin: All},
	"change-auto-message": {Admin: All},
	"delete-auto-message": {Admin: All},
	"start-auto-message":  {Admin: All},
	"stop-auto-message":   {Admin: All},
	"list-recipients":     {Admin: All},
	"add-recipients":      {Admin: All},

	"get-job":               {Admin: All, Operator: All}, // an operator sees rebuilds, an admin the tenant's jobs
	"watch-job":             {Admin: All, Operator: All},
	"get-as-of-job":         {Admin: All, Analyst: All},
	"get-import-template":   {Admin: All},
	"list-imports":          {Admin: All},
	"upload-import":         {Admin: All},
	"get-import":            {Admin: All},
	"list-import-rows":      {Admin: All},
	"list-import-kept":      {Admin: All},
	"get-import-rejected":   {Admin: All},
	"start-import":          {Admin: All},
	"cancel-import":         {Admin: All},
	"revert-import":         {Admin: All},
	"list-exports":          {Admin: All},
	"request-export":        {Admin: All},
	"get-export":            {Admin: All},
	"cancel-export":         {Admin: All},
	"download-export":       {Admin: All},
	"list-export-downloads": {Admin: All},
	"list-bulk":             {Admin: All},
	"start-bulk":            {Admin: All},
	"get-bulk":              {Admin: All},
	"list-bulk-refused":     {Admin: All},
	"list-bulk-kept":        {Admin: All},
	"cancel-bulk":           {Admin: All},
	"undo-bulk":             {Admin: All},

	"list-associations":    {Admin: All, Agent: All, Analyst: All},
	"get-association":      {Admin: All, Agent: All, Analyst: All},
	"register-association": {Admin: All},
	"rename-association":   {Admin: All},
	"remove-association":   {Admin: All},

	"get-settings":    {Admin: All, Agent: All, Analyst: All},
	"change-settings": {Admin: All},

	"receive-channel-events": {Channel: Own}, // nobody else speaks for customers

	"read-events": {Admin: All, Analyst: All},
	"diff":        {Admin: All, Analyst: All},

	"list-projections":   {Admin: Own, Operator: All}, // to an admin, how far the own tenant's are
	"rebuild-projection": {Operator: All},
	"verify-projection":  {Operator: All},
	"list-verifications": {Admin: Own, Operator: All},
	"switch-projection":  {Operator: All},
	"drop-build":         {Operator: All},
	"list-parked":        {Admin: Own, Operator: All},
	"retry-parked":       {Operator: All},
	"skip-parked":        {Operator: All},
	"list-lag":           {Admin: Own, Operator: All},

	"list-dead-letters":   {Operator: All},
	"resend-dead-letter":  {Operator: All},
	"discard-dead-letter": {Operator: All},

	"list-tokens":  {Admin: All},
	"get-token":    {Admin: All},
	"create-token": {Admin: All},
	"revoke-token": {Admin: All},

	"list-tenants":  {Operator: All},
	"create-tenant": {Operator: All},
	"get-tenant":    {Operator: All},

	"grant-entitlement":  {Operator: All},
	"revoke-entitlement": {Operator: All},
}

// public are the operations that need no token: they tell nothing of any tenant.
var public = []string{"live", "ready", "metrics"}

// Public reports whether an operation needs no token.
func Public(operation string) bool { return slices.Contains(public, operation) }

// ScopeOf returns how far a role gets with an operation, by the operation's id.
func ScopeOf(role Role, operation string) Scope { return rules[operation][role] }

// May reports whether a role may call an operation at all.
func May(role Role, operation string) bool { return ScopeOf(role, operation) != None }

// Operations lists every operation that has a rule, public ones too, sorted.
func Operations() []string {
	operations := slices.AppendSeq(slices.Clone(public), maps.Keys(rules))
	slices.Sort(operations)
	return operations
}
