package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/commands/jobs"
	"customercenter/domain"
	"customercenter/domain/bulk"
	"customercenter/domain/field"
	"customercenter/domain/settings"
	"customercenter/eventstore"
	"customercenter/projections"
)

// Requests made from the description: the tests of roles and of tenants send one to every route, also to those that are added later.

// route is an operation of the description.
type route struct {
	*huma.Operation
	tenant bool // under /v1: it needs a token
}

func (r route) String() string { return r.Method + " " + r.Path }

// routes lists all routes, sorted by path and method.
func (w *world) routes() []route {
	var all []route
	for _, item := range w.core.api.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete, item.Head, item.Options} {
			if op != nil {
				all = append(all, route{op, strings.HasPrefix(op.Path, "/v1/")})
			}
		}
	}
	slices.SortFunc(all, func(a, b route) int { return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method) })
	return all
}

// belongings are the addresses of one tenant's things: by the segment of the path that stands before such an id.
type belongings map[string]string

// planted makes one of everything that has an address for the tenant: a customer of association 1 whose session the agent has
// accepted, a tag, a group that agents see, a view of the agent's, an association without customers, and a token. What is made is called
// after the tenant, so that it is found wherever it leaks.
func (w *world) planted(tenant, agent string) belongings {
	w.t.Helper()
	w.made++
	admin, mark := tenant+"/admin", fmt.Sprintf("secret-of-%s-%d", tenant, w.made)
	post := func(path string, body any) reply {
		w.t.Helper()
		return w.do(call{as: admin, method: "POST", path: path, body: body}).want(http.StatusCreated)
	}
	customer, session := w.session(admin, mark, mark)
	w.do(call{as: admin, method: "POST", path: "/v1/sessions/" + session + "/accept", body: AcceptInput{agent}}).want(http.StatusOK)
	tag := post("/v1/tags", TagInput{mark}).get("id").(string)
	own := belongings{
		"customers":     customer,
		"sessions":      session,
		"tags":          tag,
		"groups":        w.sampleGroup(tenant, agent, mark, tag),
		"views":         w.sampleView(tenant, agent, mark, tag),
		"auto-messages": w.sampleAutoMessage(tenant, agent, mark),
		"fields":        w.sampleField(tenant, mark),
		"imports":       w.sampleImport(tenant, mark),
		"exports":       w.sampleExport(tenant, tag),
		"bulk":          w.sampleBulk(tenant, tag, customer),
		"associations":  fmt.Sprint(post("/v1/associations", AssociationInput{"web", mark + ".example", mark}).get("id")),
		"tokens":        post("/v1/tokens", TokenInput{Role: "agent", ActorID: mark, Name: mark}).get("id").(string),
		"channels":      "1",
		"projections":   projections.SessionsName,
		"tenants":       tenant,
		"entitlements":  settings.EntitlementImport,
	}
	own["whatif"] = w.sampleWhatIf(tenant, hasTag(tag))
	own["as-of"] = w.samplePast(tenant)
	own["confirm"], own["erased"] = mark, w.sampleErasure(tenant, mark)
	own["jobs"] = own["imports"] // which waits for its start, so nothing more happens by itself
	w.seen(w.head(tenant))
	return own
}

// sampleRebuild is one that has ended.
func (w *world) sampleRebuild() string {
	w.t.Helper()
	if w.rebuilt == uuid.Nil {
		var err error
		if w.rebuilt, err = w.core.rebuilds.begin("of a sample", projections.Actor{Kind: "operator"}); err != nil {
			w.t.Fatal(err)
		}
		ended := time.Now()
		w.core.rebuilds.change(w.rebuilt, func(r *Rebuild) { r.FinishedAt = &ended })
	}
	return w.rebuilt.String()
}

// sampleErasure erases another customer.
func (w *world) sampleErasure(tenant, name string) string {
	w.t.Helper()
	made, err := commands.CreateCustomer{Association: 1, ExternalID: name + "-erased"}.Run(w.t.Context(), w.center, by(tenant))
	if err == nil {
		_, err = commands.EraseCustomer{Customer: made.Customer, Confirm: name + "-erased"}.Run(w.t.Context(), w.center, by(tenant))
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return made.Customer.String()
}

// samplePast asks for the read models as of the first event.
func (w *world) samplePast(tenant string) string {
	w.t.Helper()
	m, err := w.projector.MomentAfter(w.t.Context(), tenant, 1)
	if err != nil {
		w.t.Fatal(err)
	}
	asked, err := w.core.AsOf.Ask(w.t.Context(), tenant, m, eventstore.Actor{Kind: "admin", ID: "admin-1"}, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return asked.ID.String()
}

// sampleImport uploads a file of one customer, for whom nothing is right.
func (w *world) sampleImport(tenant, name string) string {
	w.t.Helper()
	w.entitle(tenant) // a test may have taken it away
	file := strings.NewReader("ID,Nickname,Association ID\n" + name + "," + name + ",x\n")
	made, err := w.core.Jobs.Upload(w.t.Context(), by(tenant), jobs.Upload{Name: name + ".csv", File: file, Size: file.Size()})
	if err != nil {
		w.t.Fatal(err)
	}
	return made.Job.String()
}

// sampleExport asks for a file of those who have a tag. Nobody works on it.
func (w *world) sampleExport(tenant, tag string) string {
	w.t.Helper()
	made, err := commands.RequestExport{Filter: hasTag(tag)}.Run(w.t.Context(), w.center, by(tenant))
	if err != nil {
		w.t.Fatal(err)
	}
	return made.Job.String()
}

// sampleBulk begins to put a tag on a customer. Nobody works on it.
func (w *world) sampleBulk(tenant, tag, customer string) string {
	w.t.Helper()
	made, err := commands.StartBulk{Action: bulk.Tag, Tag: uuid.MustParse(tag), Customers: []uuid.UUID{uuid.MustParse(customer)}}.Run(w.t.Context(), w.center, by(tenant))
	if err != nil {
		w.t.Fatal(err)
	}
	return made.Job.String()
}

// sampleWhatIf asks what a rule would have done this year, and waits until it is known.
func (w *world) sampleWhatIf(tenant string, rule json.RawMessage) string {
	w.t.Helper()
	as := tenant + "/admin"
	id := w.do(call{as: as, method: "POST", path: "/v1/groups/whatif", body: WhatIfInput{Rule: rule, From: longAgo}}).want(http.StatusAccepted).get("id").(string)
	w.looked(as, id)
	return id
}

// longAgo is before all that tests do.
var longAgo = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// looked waits until a look at history has ended, and returns it.
func (w *world) looked(as, id string) reply {
	w.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		a := w.read(as, "/v1/groups/whatif/"+id, 0, "en").want(http.StatusOK)
		if a.get("status") != "running" {
			return a
		}
		if time.Now().After(end) {
			w.t.Fatalf("it does not end: %s", a.body)
		}
	}
}

// hasTag is a filter.
func hasTag(tag string) json.RawMessage {
	return json.RawMessage(`{"field":"tags","op":"has_any","value":["` + tag + `"]}`)
}

// sampleGroup makes a group, in place of the one that it has made for the tenant and the agent before: there may only be so many.
func (w *world) sampleGroup(tenant, agent, name, tag string) string {
	w.t.Helper()
	by := commands.By{Tenant: tenant, Actor: eventstore.Actor{Kind: "admin", ID: "admin-1"}}
	made, err := commands.DefineGroup{Name: name, Rule: hasTag(tag), AgentVisible: true}.Run(w.t.Context(), w.center, by)
	if err != nil {
		w.t.Fatal(err)
	}
	w.replaces("group of "+tenant+" "+agent, made.Group, func(before uuid.UUID) error {
		_, err := commands.DeleteGroup{Group: before}.Run(w.t.Context(), w.center, by)
		return err
	})
	return made.Group.String()
}

// sampleAutoMessage makes an auto message, as sampleGroup does.
func (w *world) sampleAutoMessage(tenant, agent, name string) string {
	w.t.Helper()
	by := commands.By{Tenant: tenant, Actor: eventstore.Actor{Kind: "admin", ID: "admin-1"}}
	made, err := commands.DefineAutoMessage{Name: name, Text: name, Audience: commands.Audience{Filter: json.RawMessage(`{}`)}}.Run(w.t.Context(), w.center, by)
	if err != nil {
		w.t.Fatal(err)
	}
	w.replaces("auto message of "+tenant+" "+agent, made.AutoMessage, func(before uuid.UUID) error {
		if _, err := (commands.StopAutoMessage{AutoMessage: before}).Run(w.t.Context(), w.center, by); err != nil {
			return err
		}
		_, err := commands.DeleteAutoMessage{AutoMessage: before}.Run(w.t.Context(), w.center, by)
		return err
	})
	return made.AutoMessage.String()
}

// sampleView makes a view of an agent's, as sampleGroup does. That of agent-1 is shared, so that every role sees it.
func (w *world) sampleView(tenant, agent, name, tag string) string {
	w.t.Helper()
	by := commands.By{Tenant: tenant, Actor: eventstore.Actor{Kind: "agent", ID: agent}}
	shared := agent == "agent-1"
	made, err := commands.SaveView{ViewDraft: commands.ViewDraft{Name: &name, Filter: hasTag(tag), Shared: &shared, Admin: true}}.Run(w.t.Context(), w.center, by)
	if err != nil {
		w.t.Fatal(err)
	}
	w.replaces("view of "+tenant+" "+agent, made.View, func(before uuid.UUID) error {
		_, err := commands.DeleteView{View: before}.Run(w.t.Context(), w.center, by)
		return err
	})
	return made.View.String()
}

// replaces takes away what was made for the same purpose before, unless a test has done so.
func (w *world) replaces(purpose string, made uuid.UUID, take func(before uuid.UUID) error) {
	w.t.Helper()
	if w.samples == nil {
		w.samples = map[string]uuid.UUID{}
	}
	if before, is := w.samples[purpose]; is {
		var gone *domain.Refusal
		if err := take(before); err != nil && !errors.As(err, &gone) {
			w.t.Fatal(err)
		}
	}
	w.samples[purpose] = made
}

// sampleField adds a custom field and removes the oldest one of many: there may only be so many.
func (w *world) sampleField(tenant, label string) string {
	w.t.Helper()
	by := commands.By{Tenant: tenant, Actor: eventstore.Actor{Kind: "admin", ID: "admin-1"}}
	made, err := commands.AddField{Type: field.TypeText, Label: label}.Run(w.t.Context(), w.center, by)
	if err != nil {
		w.t.Fatal(err)
	}
	all := w.fields(tenant)
	if custom := slices.DeleteFunc(all.All(), func(f field.Field) bool { return f.System }); len(custom) > 20 {
		if _, err := (commands.RemoveField{Field: custom[0].Key}).Run(w.t.Context(), w.center, by); err != nil {
			w.t.Fatal(err)
		}
	}
	return made.Field
}

// fields is the catalogue of a tenant's fields.
func (w *world) fields(tenant string) *field.State {
	w.t.Helper()
	state, _, err := w.core.Catalogues.Fields(w.t.Context(), tenant)
	if err != nil {
		w.t.Fatal(err)
	}
	return &state
}

// segments are the path's ids: the segment before each of them, in their order.
func (r route) segments() []string {
	var found []string
	parts := strings.Split(r.Path, "/")
	for i, part := range parts {
		if strings.HasPrefix(part, "{") {
			found = append(found, parts[i-1])
		}
	}
	return found
}

// address fills the route's path with ids, one for each of segments.
func (r route) address(ids ...string) string {
	parts := strings.Split(r.Path, "/")
	for i, part := range parts {
		if strings.HasPrefix(part, "{") {
			parts[i], ids = ids[0], ids[1:]
		}
	}
	return strings.Join(parts, "/")
}

// ids picks the ids of a route's path.
func (own belongings) ids(t testing.TB, r route) []string {
	t.Helper()
	var ids []string
	for _, segment := range r.segments() {
		if r.OperationID == "get-erasure" {
			segment = "erased"
		}
		id, ok := own[segment]
		if !ok {
			t.Fatalf("%s has an id after %q, and nobody knows where one comes from: make such a thing in planted, in sample_test.go", r, segment)
		}
		ids = append(ids, id)
	}
	return ids
}

// body is a request's body that is as the route wants it, about things of own; nil for a route without one.
// With carry, whatever of it may hold an id of a thing does.
func (w *world) body(r route, own belongings, carry bool) any {
	w.t.Helper()
	if r.OperationID == channelOperation {
		w.made++
		return message(fmt.Sprint("sample-", w.made), fmt.Sprint("sample-", w.made), "hello")
	}
	switch {
	case r.RequestBody == nil:
		return nil
	case r.RequestBody.Content["multipart/form-data"] != nil:
		w.made++
		return formOf(w.t, part{"file", "sample.csv", fmt.Sprintf("ID,Association ID\nsample-%d,%s\n", w.made, own["associations"])})
	case r.OperationID == "start-bulk":
		return map[string]any{"action": "tag", "tag_id": own["tags"], "ids": []string{own["customers"]}}
	case r.RequestBody.Content["application/json"] == nil:
		return nil
	}
	schema := w.resolved(r.RequestBody.Content["application/json"].Schema)
	body := map[string]any{}
	for name, property := range schema.Properties {
		if slices.Contains(schema.Required, name) || name == "text" || carry && carriesIDs(name) {
			body[name] = w.value(r, name, w.resolved(property), own)
		}
	}
	return body
}

func (w *world) resolved(schema *huma.Schema) *huma.Schema {
	if schema.Ref != "" {
		return w.core.api.OpenAPI().Components.Schemas.SchemaFromRef(schema.Ref)
	}
	return schema
}

func carriesIDs(name string) bool {
	return slices.Contains([]string{"tags", "association_id", "customer_id", "session_id", "tag_id", "ids", "customers", "rule", "filter", "group_id"}, name)
}

// value is a valid value of a body's member, by its name: what is valid is known to the domain, not to the description.
func (w *world) value(r route, name string, schema *huma.Schema, own belongings) any {
	w.t.Helper()
	w.made++
	switch name {
	case "association_id":
		var id int
		fmt.Sscan(own["associations"], &id)
		return id
	case "customer_id":
		return own["customers"]
	case "confirm":
		return own["confirm"]
	case "session_id":
		return own["sessions"]
	case "tag_id":
		return own["tags"]
	case "tags":
		return []string{own["tags"]}
	case "group_id":
		return own["groups"]
	case "from":
		return longAgo
	case "rule", "filter":
		return hasTag(own["tags"])
	case "audience":
		return map[string]any{"customers": []string{own["customers"]}}
	case "ids", "customers":
		return []string{own["customers"]}
	case "build", "number":
		return 1
	case "tenant":
		return own["tenants"]
	case "order":
		return w.fields(own["tenants"]).Order()
	case "name", "account", "external_id", "slug", "label":
		return fmt.Sprint("sample-", w.made)
	case "actor_id", "to", "agent_id":
		return "agent-2"
	case "profile":
		return map[string]any{"company": fmt.Sprint("sample-", w.made)}
	case "score":
		return 5
	case "reason", "text":
		return "sample"
	}
	for _, preferred := range []any{"web", "text"} {
		if slices.Contains(schema.Enum, preferred) {
			return preferred
		}
	}
	if len(schema.Enum) > 0 {
		return schema.Enum[0]
	}
	w.t.Fatalf("%s wants %q in its body, and nobody knows a valid one: name one in value, in sample_test.go", r, name)
	return nil
}
