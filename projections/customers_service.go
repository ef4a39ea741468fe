package projections

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/session"
	"customercenter/domain/suppressed"
	"customercenter/eventstore"
	"customercenter/projections/projector"
)

// This file folds what concerns the service that customers get: their sessions, who served them, and who gets none because of the blacklist.

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

// agentsOf are the agents who own or owned a session of the customer.
func agentsOf(activity *customerActivityRow) (agents []string, err error) {
	if err := json.Unmarshal([]byte(activity.Agents), &agents); err != nil {
		return nil, errors.New("the agents of a customer cannot be read")
	}
	return agents, nil
}

// happened folds what happens in sessions, and in place of them, into a customer's activity.
func (f *customersFold) happened(e *eventstore.Decoded) error {
	activity, found := f.activities.Edit(e.Customer)
	if !found {
		return errNoCustomer
	}
	at := micros(e.OccurredAt())
	switch payload := e.Payload.(type) {
	case customer.SessionOpened:
		if activity.OpenSession == nil {
			f.bits.Set(facet(facetOpen, ""), activity.Ordinal)
		}
		activity.OpenSession = &payload.Session
		activity.Sessions++
		if slices.Contains(sessionSteps, int64(activity.Sessions)) {
			f.bits.Set(facet(facetSessions, strconv.Itoa(activity.Sessions)), activity.Ordinal)
		}
		if activity.FirstSessionAt == nil || at.Before(*activity.FirstSessionAt) {
			activity.FirstSessionAt = &at
		}
		if at.After(activity.LastSessionAt) {
			f.seenLast(activity, at)
		}
	case customer.SessionClosed:
		if open := activity.OpenSession; open != nil && *open == payload.Session {
			activity.OpenSession = nil
			f.bits.Clear(facet(facetOpen, ""), activity.Ordinal)
		}
		if last := payload.LastCustomerMessageAt; last != nil {
			activity.LastCustomerMessageAt = later(activity.LastCustomerMessageAt, micros(*last))
		}
	case session.Accepted:
		return f.served(activity, payload.Agent)
	case session.Transferred:
		return f.served(activity, payload.To)
	case suppressed.MessageRecorded:
		f.suppressed(activity)
		activity.LastCustomerMessageAt = later(activity.LastCustomerMessageAt, at)
	case session.MessageRecorded:
		activity.Messages++
		activity.LastMessageAt = later(activity.LastMessageAt, at)
		if payload.Sender.Kind == domain.PartyCustomer {
			activity.LastCustomerMessageAt = later(activity.LastCustomerMessageAt, at)
		}
	case session.Rated:
		activity.RatingSum += payload.Score
		activity.Ratings++
		if given := 1 << payload.Score; activity.RatingScores&given == 0 {
			activity.RatingScores |= given
			f.bits.Set(facet(facetRated, strconv.Itoa(payload.Score)), activity.Ordinal)
		}
		if activity.RatingLastAt == nil || !at.Before(*activity.RatingLastAt) {
			f.rated(activity, payload.Score)
			activity.RatingLastAt = &at
		}
	}
	return nil
}

// served notes that a session of the customer is the agent's.
func (f *customersFold) served(activity *customerActivityRow, agent string) error {
	if agent == "" {
		return nil
	}
	if last := activity.LastAgent; last != agent {
		if last != "" {
			f.bits.Clear(facet(facetLastAgent, last), activity.Ordinal)
		}
		f.bits.Set(facet(facetLastAgent, agent), activity.Ordinal)
		activity.LastAgent = agent
	}
	agents, err := agentsOf(activity)
	if err != nil || slices.Contains(agents, agent) {
		return err
	}
	b, err := json.Marshal(append(agents, agent))
	if err != nil {
		return errors.New("the agents of a customer cannot be written as JSON")
	}
	if len(agents) == 0 {
		f.bits.Set(facet(facetServed, ""), activity.Ordinal)
	}
	f.bits.Set(facet(facetAgent, agent), activity.Ordinal)
	activity.Agents = string(b)
	return nil
}

// rated notes the score of the customer's latest rating.
func (f *customersFold) rated(activity *customerActivityRow, score int) {
	if activity.RatingLast == score {
		return
	}
	if activity.RatingLast != 0 {
		f.bits.Clear(facet(facetRatingLast, strconv.Itoa(activity.RatingLast)), activity.Ordinal)
	}
	if score != 0 {
		f.bits.Set(facet(facetRatingLast, strconv.Itoa(score)), activity.Ordinal)
	}
	activity.RatingLast = score
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
	f.bits.Set(facet(facetBlacklisted, ""), row.Ordinal)
	return nil
}

// lifted takes a customer off the blacklist.
func (f *customersFold) lifted(e *eventstore.Decoded) error {
	row, err := f.touched(e)
	if err != nil {
		return err
	}
	f.listings.Delete(e.Customer)
	f.bits.Clear(facet(facetBlacklisted, ""), row.Ordinal)
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
