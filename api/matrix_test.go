package api

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/api/access"
)

// What a role may do, in the words of DOMAIN.md's table of roles.
const (
	no       = "–"
	all      = "all"
	own      = "own"                          // an agent's own sessions and the history of those they serve, always
	ownIf    = "own, if agents are let in"    // customers whose session the agent owns or owned, if the tenant allows the customer center
	ownBlack = "own, if agents may blacklist" // the same, if the tenant allows them the blacklist too
	ownAssoc = "own association"
)

// matrix is DOMAIN.md's table of roles, route by route, written down by hand: it is not made from package access, which it
// checks. A route that is not here fails the test.
var matrix = map[string][5]string{
	//                                       admin  agent     analyst channel  operator
	"GET /v1/me":                                           {all, all, all, all, all}, // nothing that the owner of the token does not know
	"GET /v1/customers":                                    {all, ownIf, all, no, no},
	"POST /v1/customers/search":                            {all, ownIf, all, no, no},
	"POST /v1/customers":                                   {all, no, no, no, no},
	"GET /v1/customers/per-day":                            {all, no, all, no, no}, // numbers of everybody
	"GET /v1/sessions/per-day":                             {all, no, all, no, no},
	"GET /v1/customers/{id}":                               {all, ownIf, all, no, no},
	"DELETE /v1/customers/{id}":                            {all, no, no, no, no},
	"GET /v1/customers/{id}/erasure":                       {all, no, no, no, no},
	"GET /v1/customers/{id}/everything":                    {all, no, no, no, no},
	"PATCH /v1/customers/{id}":                             {all, ownIf, no, no, no},
	"PUT /v1/customers/{id}/tags":                          {all, ownIf, no, no, no},
	"PUT /v1/customers/{id}/tags/{tag_id}":                 {all, ownIf, no, no, no},
	"DELETE /v1/customers/{id}/tags/{tag_id}":              {all, ownIf, no, no, no},
	"POST /v1/customers/{id}/callback":                     {all, ownIf, no, no, no},
	"PUT /v1/customers/{id}/blacklist":                     {all, ownBlack, no, no, no},
	"DELETE /v1/customers/{id}/blacklist":                  {all, ownBlack, no, no, no},
	"PUT /v1/sessions/{id}/blacklist":                      {all, ownBlack, no, no, no},
	"GET /v1/blacklist":                                    {all, ownIf, all, no, no},
	"GET /v1/customers/{id}/sessions":                      {all, own, all, no, no},
	"GET /v1/customers/{id}/transcript":                    {all, own, all, no, no},
	"GET /v1/customers/{id}/history":                       {all, ownIf, all, no, no},
	"GET /v1/sessions":                                     {all, own, all, no, no},
	"GET /v1/agents":                                       {all, own, all, no, no}, // to an agent, oneself
	"GET /v1/sessions/{id}":                                {all, own, all, no, no},
	"GET /v1/sessions/{id}/messages":                       {all, own, all, no, no},
	"POST /v1/sessions/{id}/messages":                      {all, own, no, no, no},
	"POST /v1/sessions/{id}/accept":                        {all, own, no, no, no},
	"POST /v1/sessions/{id}/transfer":                      {all, own, no, no, no},
	"POST /v1/sessions/{id}/close":                         {all, own, no, no, no},
	"POST /v1/sessions/{id}/abort":                         {all, no, no, no, no},
	"POST /v1/sessions/{id}/rating":                        {all, no, no, no, no},
	"GET /v1/tags":                                         {all, all, all, no, no}, // whoever works with customers reads the names of their tags,
	"GET /v1/tags/{id}":                                    {all, all, all, no, no}, // accounts and settings; changing them is the admin's
	"POST /v1/tags":                                        {all, no, no, no, no},
	"PATCH /v1/tags/{id}":                                  {all, no, no, no, no},
	"DELETE /v1/tags/{id}":                                 {all, no, no, no, no},
	"GET /v1/tags/{id}/history":                            {all, no, no, no, no},
	"GET /v1/groups":                                       {all, all, all, no, no}, // agents see those that are visible to them
	"GET /v1/groups/{id}":                                  {all, all, all, no, no},
	"POST /v1/groups":                                      {all, no, no, no, no},
	"POST /v1/groups/preview":                              {all, no, no, no, no},
	"POST /v1/groups/whatif":                               {all, no, all, no, no}, // what-if is the admin's and the analyst's
	"GET /v1/groups/whatif/{id}":                           {all, no, all, no, no},
	"GET /v1/groups/whatif/{id}/moves":                     {all, no, all, no, no},
	"POST /v1/groups/whatif/{id}/cancel":                   {all, no, all, no, no},
	"PATCH /v1/groups/{id}":                                {all, no, no, no, no},
	"DELETE /v1/groups/{id}":                               {all, no, no, no, no},
	"GET /v1/groups/{id}/history":                          {all, no, no, no, no},
	"GET /v1/groups/{id}/size":                             {all, all, all, no, no},
	"GET /v1/groups/{id}/moves":                            {all, no, all, no, no},
	"GET /v1/groups/{id}/members":                          {all, ownIf, all, no, no},
	"GET /v1/customers/{id}/groups":                        {all, ownIf, all, no, no}, // why in words; masked as the rule is
	"GET /v1/views":                                        {all, ownIf, all, no, no}, // those that are shared, and the own ones
	"GET /v1/views/{id}":                                   {all, ownIf, all, no, no},
	"POST /v1/views":                                       {all, ownIf, no, no, no},
	"PATCH /v1/views/{id}":                                 {all, ownIf, no, no, no},
	"DELETE /v1/views/{id}":                                {all, ownIf, no, no, no},
	"GET /v1/fields":                                       {all, all, all, no, no}, // whoever sees customers sees what their fields are
	"GET /v1/fields/order":                                 {all, all, all, no, no},
	"GET /v1/fields/{key}":                                 {all, all, all, no, no},
	"POST /v1/fields":                                      {all, no, no, no, no},
	"PATCH /v1/fields/{key}":                               {all, no, no, no, no},
	"DELETE /v1/fields/{key}":                              {all, no, no, no, no},
	"PUT /v1/fields/order":                                 {all, no, no, no, no},
	"GET /v1/fields/{key}/history":                         {all, no, no, no, no},
	"GET /v1/auto-messages":                                {all, no, no, no, no},
	"POST /v1/auto-messages":                               {all, no, no, no, no},
	"GET /v1/auto-messages/{id}":                           {all, no, no, no, no},
	"PATCH /v1/auto-messages/{id}":                         {all, no, no, no, no},
	"DELETE /v1/auto-messages/{id}":                        {all, no, no, no, no},
	"POST /v1/auto-messages/{id}/start":                    {all, no, no, no, no},
	"POST /v1/auto-messages/{id}/stop":                     {all, no, no, no, no},
	"GET /v1/auto-messages/{id}/recipients":                {all, no, no, no, no},
	"POST /v1/auto-messages/{id}/recipients":               {all, no, no, no, no},
	"GET /v1/jobs/{id}":                                    {all, no, no, no, all}, // of operators, rebuilds; files of customers, in and out, and what is done to many
	"GET /v1/as-of/{id}":                                   {all, no, all, no, no}, // how far what they asked for is; nothing of what is in it
	"GET /v1/jobs/{id}/events":                             {all, no, no, no, all},
	"GET /v1/imports":                                      {all, no, no, no, no},
	"POST /v1/imports":                                     {all, no, no, no, no},
	"GET /v1/imports/template":                             {all, no, no, no, no},
	"GET /v1/imports/{id}":                                 {all, no, no, no, no},
	"GET /v1/imports/{id}/rows":                            {all, no, no, no, no},
	"GET /v1/imports/{id}/kept":                            {all, no, no, no, no},
	"GET /v1/imports/{id}/rejected":                        {all, no, no, no, no},
	"POST /v1/imports/{id}/start":                          {all, no, no, no, no},
	"POST /v1/imports/{id}/cancel":                         {all, no, no, no, no},
	"POST /v1/imports/{id}/revert":                         {all, no, no, no, no},
	"GET /v1/exports":                                      {all, no, no, no, no},
	"POST /v1/exports":                                     {all, no, no, no, no},
	"GET /v1/exports/{id}":                                 {all, no, no, no, no},
	"POST /v1/exports/{id}/cancel":                         {all, no, no, no, no},
	"GET /v1/exports/{id}/file":                            {all, no, no, no, no},
	"GET /v1/exports/{id}/downloads":                       {all, no, no, no, no},
	"GET /v1/customers/bulk":                               {all, no, no, no, no},
	"POST /v1/customers/bulk":                              {all, no, no, no, no},
	"GET /v1/customers/bulk/{id}":                          {all, no, no, no, no},
	"GET /v1/customers/bulk/{id}/refused":                  {all, no, no, no, no},
	"GET /v1/customers/bulk/{id}/kept":                     {all, no, no, no, no},
	"POST /v1/customers/bulk/{id}/cancel":                  {all, no, no, no, no},
	"POST /v1/customers/bulk/{id}/undo":                    {all, no, no, no, no},
	"GET /v1/associations":                                 {all, all, all, no, no},
	"GET /v1/associations/{id}":                            {all, all, all, no, no},
	"POST /v1/associations":                                {all, no, no, no, no},
	"PATCH /v1/associations/{id}":                          {all, no, no, no, no},
	"DELETE /v1/associations/{id}":                         {all, no, no, no, no},
	"GET /v1/associations/{id}/history":                    {all, no, no, no, no},
	"GET /v1/settings":                                     {all, all, all, no, no},
	"PATCH /v1/settings":                                   {all, no, no, no, no},
	"GET /v1/settings/history":                             {all, no, no, no, no},
	"GET /v1/tokens":                                       {all, no, no, no, no},
	"GET /v1/tokens/{id}":                                  {all, no, no, no, no},
	"POST /v1/tokens":                                      {all, no, no, no, no},
	"DELETE /v1/tokens/{id}":                               {all, no, no, no, no},
	"GET /v1/diff":                                         {all, no, all, no, no},
	"GET /v1/events":                                       {all, no, all, no, no},
	"POST /v1/channels/{association_id}/events":            {no, no, no, ownAssoc, no},
	"GET /v1/projections":                                  {all, no, no, no, all},
	"POST /v1/projections/{name}/rebuild":                  {no, no, no, no, all},
	"POST /v1/projections/{name}/verify":                   {no, no, no, no, all},
	"GET /v1/projections/{name}/verify":                    {all, no, no, no, all}, // likewise
	"POST /v1/projections/{name}/skip":                     {no, no, no, no, all},
	"POST /v1/projections/{name}/switch":                   {no, no, no, no, all},
	"POST /v1/projections/{name}/drop":                     {no, no, no, no, all},
	"GET /v1/projections/{name}/parked":                    {all, no, no, no, all}, // to an admin, the own tenant's
	"POST /v1/projections/{name}/retry":                    {no, no, no, no, all},
	"GET /v1/lag":                                          {all, no, no, no, all},
	"GET /v1/dead-letters":                                 {no, no, no, no, all},
	"POST /v1/dead-letters/resend":                         {no, no, no, no, all},
	"POST /v1/dead-letters/discard":                        {no, no, no, no, all},
	"GET /v1/tenants":                                      {no, no, no, no, all},
	"GET /v1/tenants/{slug}":                               {no, no, no, no, all},
	"PUT /v1/tenants/{slug}/entitlements/{entitlement}":    {no, no, no, no, all},
	"DELETE /v1/tenants/{slug}/entitlements/{entitlement}": {no, no, no, no, all},
	"POST /v1/tenants":                                     {no, no, no, no, all},
	"GET /livez":                                           {all, all, all, all, all},
	"GET /readyz":                                          {all, all, all, all, all},
	"GET /metrics":                                         {all, all, all, all, all},
}

// TestEveryRoleAtEveryRoute calls each route with a token of each role, at a tenant that has closed the customer center to agents, as
// all have to begin with, at one that lets them in, and at one that lets them blacklist too.
func TestEveryRoleAtEveryRoute(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	routes := w.routes()
	mine, anothers := w.planted("acme", "agent-1"), w.planted("acme", "agent-2")
	allow := func(customerCenter, blacklist bool) {
		t.Helper()
		w.admin("PATCH", "/v1/settings", map[string]any{"agent_access": map[string]any{"customer_center": customerCenter, "blacklist": blacklist}}).want(http.StatusOK)
	}
	// What is only looked at comes first: it can be of the same things.
	reads := func(r route) bool { return r.Method == http.MethodGet }
	routes = append(slices.DeleteFunc(slices.Clone(routes), func(r route) bool { return !reads(r) }), slices.DeleteFunc(routes, reads)...)
	for i, role := range access.Roles() {
		seen := w.planted("acme", "agent-1")
		// Each role has things of its own to change: what one does with them is no matter to the next.
		things := func(r route) belongings {
			if reads(r) {
				return maps.Clone(seen)
			}
			return w.planted("acme", "agent-1")
		}
		for _, r := range routes {
			rule, known := matrix[r.String()]
			if !known {
				t.Errorf("%s is not in the matrix: say there what DOMAIN.md's table of roles says of it", r)
				continue
			}
			m := attempt{w: w, role: role, route: r, as: "acme/" + string(role), anothers: anothers}
			switch cell := rule[i]; cell {
			case no:
				m.isRefused(mine)
				m.isRefusedUnread()
			case all:
				own := things(r)
				if role == access.Operator {
					own["jobs"] = w.sampleRebuild()
				}
				m.getsThrough(own)
			case own, ownAssoc:
				m.getsThrough(things(r))
				m.getsNothingOfOthers()
			case ownIf, ownBlack:
				m.isRefused(mine)
				allow(true, false)
				if cell == ownBlack {
					m.isRefused(mine)
					allow(true, true)
				}
				m.getsThrough(things(r))
				m.getsNothingOfOthers()
				allow(false, false)
			}
		}
	}
	for row := range matrix {
		found := false
		for _, r := range routes {
			found = found || r.String() == row
		}
		if !found {
			t.Errorf("the matrix has %s, which is no route", row)
		}
	}
}

// attempt is one role at one route.
type attempt struct {
	w        *world
	role     access.Role
	route    route
	as       string
	anothers belongings // of another agent of the same tenant
}

func (m attempt) send(things belongings, body any) reply {
	m.w.t.Helper()
	return m.w.do(call{as: m.as, method: m.route.Method, path: m.route.address(things.ids(m.w.t, m.route)...), body: body})
}

// getsThrough sends what is valid in every respect. The state of things may be against it (409), but nothing else.
func (m attempt) getsThrough(things belongings) {
	m.w.t.Helper()
	answer := m.send(things, m.w.body(m.route, things, false))
	if answer.status >= 300 && answer.status != http.StatusConflict {
		m.w.t.Errorf("%s may call %s and got %d: %s", m.role, m.route, answer.status, answer.body)
	}
}

// isRefused sends what is valid, and what names nothing that exists: the refusal is the same, so that it tells nothing of what there is.
func (m attempt) isRefused(things belongings) {
	m.w.t.Helper()
	m.refused(m.send(things, m.w.body(m.route, things, false)))
	m.refused(m.send(nothing, m.w.body(m.route, things, false)))
}

// isRefusedUnread sends what is no JSON: where the role alone decides, nothing of the request is looked at.
func (m attempt) isRefusedUnread() {
	m.w.t.Helper()
	if m.route.Method != http.MethodGet && m.route.Method != http.MethodDelete {
		m.refused(m.send(nothing, "{"))
	}
}

func (m attempt) refused(answer reply) {
	m.w.t.Helper()
	if answer.status != http.StatusForbidden || answer.problem().Code != "FORBIDDEN" {
		m.w.t.Errorf("%s may not call %s and got %d: %s", m.role, m.route, answer.status, answer.body)
	}
}

// nothing is the ids of things that do not exist.
var nothing = belongings{"customers": uuid.NewString(), "erased": uuid.NewString(), "sessions": uuid.NewString(), "tags": uuid.NewString(), "groups": uuid.NewString(), "auto-messages": uuid.NewString(), "fields": "nothing", "views": uuid.NewString(), "tokens": uuid.NewString(),
	"associations": "987654", "channels": "987654", "projections": "nothing", "tenants": "nothing", "entitlements": "nothing",
	"jobs": uuid.NewString(), "imports": uuid.NewString(), "exports": uuid.NewString(), "bulk": uuid.NewString(), "whatif": uuid.NewString(), "as-of": uuid.NewString()}

// getsNothingOfOthers asks for what is another agent's, or another channel's, and looks for it in lists.
func (m attempt) getsNothingOfOthers() {
	m.w.t.Helper()
	if len(m.route.segments()) == 0 {
		answer := m.send(nil, m.w.body(m.route, m.anothers, false))
		for _, id := range []string{m.anothers["customers"], m.anothers["sessions"]} {
			if strings.Contains(string(answer.body), id) {
				m.w.t.Errorf("%s sees with %s what is another's", m.role, m.route)
			}
		}
		return
	}
	things := belongings{"channels": "2"}
	for kind, id := range m.anothers {
		if kind != "channels" {
			things[kind] = id
		}
	}
	answer := m.send(things, m.w.body(m.route, things, false))
	hidden := answer.status == http.StatusForbidden || answer.status == http.StatusNotFound
	if m.route.OperationID == "accept-session" { // whoever comes second learns that somebody was first
		hidden = hidden || answer.status == http.StatusConflict && answer.problem().Code == "SESSION_TAKEN"
	}
	if m.route.OperationID == "list-customer-sessions" { // a customer without own sessions has none to show
		hidden = hidden || answer.status == http.StatusOK && answer.get("items.0") == nil
	}
	if m.route.OperationID == "list-group-members" { // a group without own customers has none to show
		hidden = hidden || answer.status == http.StatusOK && answer.get("items.0") == nil
	}
	if !hidden {
		m.w.t.Errorf("%s at %s got what is another's: %d: %s", m.role, m.route, answer.status, answer.body)
	}
}

// TestNoRouteOpensWithoutAValidToken calls each route without a token, and with one that is nobody's, expired, revoked or broken.
func TestNoRouteOpensWithoutAValidToken(t *testing.T) {
	clock := &movable{at: time.Now()}
	w := start(t, options{tokenClock: clock.now})
	w.associations("acme/admin")
	mine := w.planted("acme", "agent-1")
	revoked := w.token(access.New{Tenant: "acme", Role: access.Admin, Actor: "gone"})
	who, err := w.tokens.Verify(t.Context(), revoked)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.tokens.Revoke(t.Context(), "acme", who.Token); err != nil {
		t.Fatal(err)
	}
	expired := w.token(access.New{Tenant: "acme", Role: access.Admin, Actor: "late", ExpiresAt: clock.at.Add(time.Minute)})
	w.do(call{as: expired, method: "GET", path: "/v1/tags"}).want(http.StatusOK)
	clock.move(time.Minute)
	good := w.bearer["acme/admin"]
	for _, r := range w.routes() {
		for what, authorization := range map[string]string{
			"no token": "", "an unknown token": "Bearer cc_" + strings.Repeat("A", 43), "a revoked token": "Bearer " + revoked, "an expired token": "Bearer " + expired,
			"half a token": "Bearer " + good[:len(good)-1], "a longer token": "Bearer " + good + "A", "another scheme": "Basic " + good, "no scheme": good,
			"a very long token": "Bearer cc_" + strings.Repeat("A", 10_000),
		} {
			answer := w.do(call{method: r.Method, path: r.address(mine.ids(t, r)...), body: w.body(r, mine, false), headers: map[string]string{"Authorization": authorization}})
			if !r.tenant {
				if answer.status >= 300 {
					t.Errorf("%s is open to all and answers %d with %s", r, answer.status, what)
				}
				continue
			}
			answer.refused(http.StatusUnauthorized, "UNAUTHENTICATED", "")
			if answer.header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s: 401 without WWW-Authenticate", r)
			}
		}
	}
}

// TestARemovedAccountsTokenDoesNothing removes the association that a channel's token is for.
func TestARemovedAccountsTokenDoesNothing(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	w.channel(message("m1", "v", "hello")).want(http.StatusOK)
	w.admin("DELETE", "/v1/associations/1", nil).want(http.StatusNoContent)
	before, err := w.store.Head(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	for i, visitor := range []string{"v", "somebody-new"} {
		if r := w.channel(message(fmt.Sprint("m-", i), visitor, "hello")); r.status < 400 || r.status >= 500 {
			t.Errorf("got %d: %s", r.status, r.body)
		}
	}
	if after, err := w.store.Head(t.Context(), "acme"); err != nil || after != before {
		t.Errorf("the log went from %d to %d (%v)", before, after, err)
	}
}
