package projections

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/customer"
	"customercenter/eventstore"
	"customercenter/projections/projector"
)

// This file folds what concerns the service that customers get: who served them, and who gets none because of the blacklist.

type customerAgentRow struct {
	ID       uuid.UUID // see agentKey
	Customer uuid.UUID
	Ordinal  int64
	Agent    string
}

type customerListingRow struct {
	Customer   uuid.UUID
	Ordinal    int64
	Position   int64
	Since      time.Time
	ExpiresAt  *time.Time
	Reason     string
	ActorKind  string
	Actor      string
	Suppressed int
}

func newCustomerAgents() *projector.Rows[uuid.UUID, customerAgentRow] {
	type r = customerAgentRow
	return projector.NewRows("customer_agent", "id", "uuid", func(r *r) *uuid.UUID { return &r.ID },
		projector.Value("customer", "uuid", func(r *r) *uuid.UUID { return &r.Customer }),
		projector.Value("ordinal", "bigint", func(r *r) *int64 { return &r.Ordinal }),
		projector.Value("agent", "text", func(r *r) *string { return &r.Agent }),
	)
}

func newCustomerListings() *projector.Rows[uuid.UUID, customerListingRow] {
	type r = customerListingRow
	return projector.NewRows("customer_listing", "customer", "uuid", func(r *r) *uuid.UUID { return &r.Customer },
		projector.Value("ordinal", "bigint", func(r *r) *int64 { return &r.Ordinal }),
		projector.Value("position", "bigint", func(r *r) *int64 { return &r.Position }),
		projector.Value("since", "timestamptz", func(r *r) *time.Time { return &r.Since }),
		projector.Value("expires_at", "timestamptz", func(r *r) **time.Time { return &r.ExpiresAt }),
		projector.Value("reason", "text", func(r *r) *string { return &r.Reason }),
		projector.Value("actor_kind", "text", func(r *r) *string { return &r.ActorKind }),
		projector.Value("actor", "text", func(r *r) *string { return &r.Actor }),
		projector.Value("suppressed", "int", func(r *r) *int { return &r.Suppressed }),
	)
}

// agentKey names a customer and an agent together: a table of the projector has one key.
func agentKey(customer uuid.UUID, agent string) uuid.UUID {
	return uuid.NewSHA1(customer, []byte(agent))
}

// agentsOf are the agents who own or owned a session of the customer.
func agentsOf(activity *customerActivityRow) (agents []string, err error) {
	if err := json.Unmarshal([]byte(activity.Agents), &agents); err != nil {
		return nil, errors.New("the agents of a customer cannot be read")
	}
	return agents, nil
}

// served notes that a session of the customer is the agent's.
func (f *customersFold) served(activity *customerActivityRow, agent string) error {
	agents, err := agentsOf(activity)
	if err != nil || agent == "" || slices.Contains(agents, agent) {
		return err
	}
	b, err := json.Marshal(append(agents, agent))
	if err != nil {
		return errors.New("the agents of a customer cannot be written as JSON")
	}
	activity.Agents = string(b)
	f.agents.Create(customerAgentRow{ID: agentKey(activity.ID, agent), Customer: activity.ID, Ordinal: activity.Ordinal, Agent: agent})
	return nil
}

// listed puts a customer on the blacklist.
func (f *customersFold) listed(e *eventstore.Decoded, listed customer.Blacklisted) error {
	row, err := f.touched(e)
	if err != nil {
		return err
	}
	listing := customerListingRow{
		Customer: row.ID, Ordinal: row.Ordinal, Position: e.Position, Since: row.UpdatedAt, Reason: listed.Reason,
		ActorKind: e.Envelope.Actor.Kind, Actor: e.Envelope.Actor.ID,
	}
	if listed.ExpiresAt != nil {
		at := micros(*listed.ExpiresAt)
		listing.ExpiresAt = &at
	}
	f.listings.Put(listing)
	return nil
}

// lifted takes a customer off the blacklist.
func (f *customersFold) lifted(e *eventstore.Decoded) error {
	if _, err := f.touched(e); err != nil {
		return err
	}
	f.listings.Delete(e.Customer)
	return nil
}

// touched moves the instant and the version of the customer's last change.
func (f *customersFold) touched(e *eventstore.Decoded) (*customerRow, error) {
	row, found := f.customers.Edit(e.Customer)
	if !found {
		return nil, errNoCustomer
	}
	row.UpdatedAt, row.Version = micros(e.RecordedAt), e.Version
	return row, nil
}

// suppressed counts a message that was kept away from the agents.
func (f *customersFold) suppressed(activity *customerActivityRow) {
	activity.Suppressed++
	if listing, found := f.listings.Edit(activity.ID); found {
		listing.Suppressed++
	}
}

// leave deletes what hangs on a customer's place in the list, at the end of a life.
func (f *customersFold) leave(row *customerRow) error {
	f.texts.Delete(row.Ordinal)
	f.listings.Delete(row.ID)
	activity, found := f.activities.Peek(row.ID)
	if !found {
		return errNoCustomer
	}
	agents, err := agentsOf(activity)
	for _, agent := range agents {
		f.agents.Delete(agentKey(row.ID, agent))
	}
	return err
}
