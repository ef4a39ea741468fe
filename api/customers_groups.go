package api

import (
	"context"
	"net/http"
	"time"

	"customercenter/domain/filter"
	"customercenter/projections"
)

// CustomerGroup is a group that a customer is in, and why.
type CustomerGroup struct {
	Group    projections.Named `json:"group"`
	Since    time.Time         `json:"since" doc:"When the customer entered."`
	Cause    projections.Cause `json:"cause"`
	Evidence []GroupEvidence   `json:"evidence" nullable:"false" doc:"The conditions that decided, in the order of the rule: as it saw the customer when the customer entered, or when the rule was revised since."`
}

// GroupEvidence is what a condition of a group's rule saw. Of long values and lists there is only the beginning, with … for the rest.
type GroupEvidence struct {
	Field     string `json:"field" doc:"As filters name it."`
	Condition string `json:"condition" doc:"The condition in words, in the language of Accept-Language. Masked, as is the text, if the field is personal and the reader sees such masked."`
	Observed  string `json:"observed" doc:"The value of the field: a text, a number, an instant, true or false; a list as JSON; empty if it was not set."`
	Threshold string `json:"threshold" doc:"What it was compared with: the same, and of a time the span from/to; empty if with nothing."`
	Met       bool   `json:"met" doc:"Whether the condition was true; false where the rule wants it not to be."`
	Text      string `json:"text" doc:"All of this in words."`
}

func (s *server) customerGroupsOperation() {
	register(s, operation{id: "list-customer-groups", method: http.MethodGet, path: "/v1/customers/{id}/groups", tag: "Customers",
		summary: "List a customer's groups, and why the customer is in them", notes: "The kind of a cause is `event` (of the customer), `clock` (time passed) or `rule` (it changed, or what it means). " + agentNotes + " They are told of the groups that are visible to them."},
		s.listCustomerGroups)
}

type customerGroupsOutput struct {
	ServedPast
	Body List[CustomerGroup]
}

func (s *server) listCustomerGroups(ctx context.Context, r *request, in *oneCustomerInput) (out *customerGroupsOutput, err error) {
	err = s.ofCustomer(ctx, r, in.AsOf, in.ID, func(then *server) error {
		out, err = then.customerGroups(ctx, r, in)
		return err
	})
	return out, err
}

func (s *server) customerGroups(ctx context.Context, r *request, in *oneCustomerInput) (*customerGroupsOutput, error) {
	agent, err := s.customersOf(ctx, r)
	if err != nil {
		return nil, err
	}
	served, err := s.serveGroups(ctx, r.who.Tenant, in.After)
	if err != nil {
		return nil, err
	}
	if _, err := s.Customers.OneServedBy(ctx, r.who.Tenant, agent, in.ID); err != nil {
		return nil, err
	}
	memberships, err := s.Groups.Of(ctx, r.who.Tenant, in.ID)
	if err != nil {
		return nil, err
	}
	words, err := s.vocabulary(ctx, r)
	if err != nil {
		return nil, err
	}
	var items []CustomerGroup
	for _, m := range memberships {
		name, seen := words.names.Groups[m.Group]
		if !seen {
			continue
		}
		items = append(items, CustomerGroup{Group: projections.Named{ID: m.Group, Name: name}, Since: m.Since, Cause: m.Cause, Evidence: words.evidence(m.Evidence)})
	}
	return &customerGroupsOutput{s.at(served), whole(items)}, nil
}

// evidence tells what a rule saw, as the reader may see it: whoever sees personal data masked is told neither what was found there nor
// what was looked for.
func (v *vocabulary) evidence(kept []filter.Evidence) []GroupEvidence {
	told := []GroupEvidence{}
	for _, e := range kept {
		condition, text := e.Words(v.words, v.names)
		g := GroupEvidence{Field: e.Field, Condition: condition, Observed: e.Observed, Threshold: e.Threshold, Met: e.Met, Text: text}
		if e.Personal() && !v.personal {
			g.Condition, g.Observed, g.Threshold, g.Text = mask, masked(g.Observed), masked(g.Threshold), mask
		}
		told = append(told, g)
	}
	return told
}
