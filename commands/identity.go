package commands

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/association"
	"customercenter/domain/customer"
	"customercenter/domain/session"
)

// CustomerID returns the id of the customer with that identity, whether or not there is one. The external id may be spelled in
// any way its channel allows.
//
// Refused: NOT_FOUND at association_id if that number was never given; ID_INVALID. It returns eventstore.ErrUnknownTenant too.
func (c *Center) CustomerID(ctx context.Context, tenant string, association int, externalID string) (uuid.UUID, error) {
	a := &attempt{center: c, by: By{Tenant: tenant}}
	return a.customerID(ctx, association, externalID)
}

// CustomerOfSession returns whose session it is; false if there is no such session.
func (c *Center) CustomerOfSession(ctx context.Context, tenant string, id uuid.UUID) (uuid.UUID, bool, error) {
	// A session never changes its customer, so what the cache knows is enough.
	if known, ok := c.cache.get(tenant, session.Stream(id)); ok {
		return known.state.(*session.State).Customer, true, nil
	}
	a := &attempt{center: c, by: By{Tenant: tenant}}
	talk := sessionOf(id)
	if err := a.load(ctx, talk); err != nil {
		return uuid.Nil, false, err
	}
	return talk.state.Customer, talk.state.Status != "", nil
}

// Addressee is who is at the other end of a session.
type Addressee struct {
	Customer    uuid.UUID
	Association int
	Channel     string
	ExternalID  string // empty if the customer was erased
}

// AddresseeOf returns whom a session is with; false if there is no such session.
func (c *Center) AddresseeOf(ctx context.Context, tenant string, id uuid.UUID) (Addressee, bool, error) {
	whose, found, err := c.CustomerOfSession(ctx, tenant, id)
	if err != nil || !found {
		return Addressee{}, false, err
	}
	// An identity never changes, but whether it is still there does: so the stream is read.
	a := &attempt{center: c, by: By{Tenant: tenant}}
	who := customerOf(whose)
	if err := a.load(ctx, who); err != nil {
		return Addressee{}, false, err
	}
	return Addressee{
		Customer: whose, Association: who.state.Association, Channel: who.state.Channel, ExternalID: who.state.ExternalID,
	}, who.state.Exists, nil
}

// customerID makes a customer's id. It needs the channel of the association, which never changes, so it asks the log only for
// associations that the cache does not know.
func (a *attempt) customerID(ctx context.Context, id int, externalID string) (uuid.UUID, error) {
	channel, err := a.channel(ctx, id)
	if err != nil {
		return uuid.Nil, err
	}
	if externalID, err = customer.NormalizeExternalID(channel, externalID); err != nil {
		return uuid.Nil, err
	}
	secret, err := a.center.store.Secret(ctx, a.by.Tenant)
	if err != nil {
		return uuid.Nil, fmt.Errorf("commands: %w", err)
	}
	return customer.ID(secret, id, channel, externalID), nil
}

func (a *attempt) channel(ctx context.Context, id int) (string, error) {
	if known, ok := a.center.cache.get(a.by.Tenant, association.Stream); ok {
		if found, ok := known.state.(*association.State).Find(id); ok {
			return found.Channel, nil
		}
	}
	all := associations()
	if err := a.load(ctx, all); err != nil {
		return "", err
	}
	found, ok := all.state.Find(id)
	if !ok {
		return "", domain.Refuse(domain.CodeNotFound).At("association_id")
	}
	return found.Channel, nil
}

// believed returns the unfinished session that the cache knows of, to be loaded together with its customer; nil if it knows none.
func (a *attempt) believed(who *customerEntity) *sessionEntity {
	known, ok := a.center.cache.get(a.by.Tenant, who.name)
	if !ok {
		return nil
	}
	if open := known.state.(*customer.State).Unfinished.ID; open != uuid.Nil {
		return sessionOf(open)
	}
	return nil
}

// SessionRef names a session: by its ID, or, if that is zero, by whose it is.
type SessionRef struct {
	ID uuid.UUID
	// Association and ExternalID name the customer: meant is the unfinished session, else the latest. With an ID, an Association
	// that is not 0 must be the session's, or it is not found.
	Association int
	ExternalID  string
}

// conversation is a session with its customer, both loaded.
type conversation struct {
	id      uuid.UUID // of the session
	talk    *sessionEntity
	who     *customerEntity
	whoseID uuid.UUID
}

// find loads the session that is meant. Refused: NOT_FOUND at session_id or external_id, and as in Center.CustomerID.
//
// With pastToo, what happened before the unfinished session began belongs to the session before it, if there is one. That is for
// what ends or judges a session: coming late, it must not end or judge the next one. An agent's clock may be behind the channel's,
// so what takes a session does not look at times.
func (a *attempt) find(ctx context.Context, ref SessionRef, pastToo bool) (conversation, error) {
	if ref.ID != uuid.Nil {
		return a.findByID(ctx, ref)
	}
	who, id, open, err := a.findCustomer(ctx, ref.Association, ref.ExternalID)
	if err != nil {
		return conversation{}, err
	}
	found := conversation{id: who.state.Unfinished.ID, who: who, whoseID: id}
	past := pastToo && !a.by.OccurredAt.IsZero() && a.by.OccurredAt.Before(who.state.Unfinished.OpenedAt)
	if ended := len(who.state.Finished); ended > 0 && (found.id == uuid.Nil || past) {
		found.id = who.state.Finished[ended-1].ID
	}
	found.talk, err = a.session(ctx, found.id, open)
	return found, err
}

func (a *attempt) findByID(ctx context.Context, ref SessionRef) (conversation, error) {
	found := conversation{id: ref.ID, talk: sessionOf(ref.ID)}
	streams := []stream{found.talk}
	// Whose session it is never changes, so if the cache knows, both are loaded at once.
	if known, ok := a.center.cache.get(a.by.Tenant, found.talk.name); ok {
		found.whoseID = known.state.(*session.State).Customer
		found.who = customerOf(found.whoseID)
		streams = append(streams, found.who)
	}
	if err := a.load(ctx, streams...); err != nil {
		return conversation{}, err
	}
	state := found.talk.state
	if state.Status == "" || ref.Association != 0 && ref.Association != state.Association {
		return conversation{}, domain.Refuse(domain.CodeNotFound).At("session_id")
	}
	if found.who == nil {
		found.whoseID = state.Customer
		found.who = customerOf(found.whoseID)
		if err := a.load(ctx, found.who); err != nil {
			return conversation{}, err
		}
	}
	if !found.who.state.Exists { // erased since: nothing is added to what nobody can read
		return conversation{}, domain.Refuse(domain.CodeNotFound).At("session_id")
	}
	return found, nil
}

// findCustomer loads the customer of that identity and, in the same round trip, the session that is believed to be unfinished; it
// is nil if none is. Refused: NOT_FOUND at external_id if there is no such customer.
func (a *attempt) findCustomer(ctx context.Context, association int, externalID string) (*customerEntity, uuid.UUID, *sessionEntity, error) {
	id, err := a.customerID(ctx, association, externalID)
	if err != nil {
		return nil, uuid.Nil, nil, err
	}
	who := customerOf(id)
	streams := []stream{who}
	open := a.believed(who)
	if open != nil {
		streams = append(streams, open)
	}
	if err := a.load(ctx, streams...); err != nil {
		return nil, uuid.Nil, nil, err
	}
	if !who.state.Exists {
		return nil, uuid.Nil, nil, domain.Refuse(domain.CodeNotFound).At("external_id")
	}
	return who, id, open, nil
}

// session returns the session of that id: the one loaded already, if it is that, else it is loaded now.
// Refused: NOT_FOUND at external_id for the zero id, which is that of a customer without sessions.
func (a *attempt) session(ctx context.Context, id uuid.UUID, loaded *sessionEntity) (*sessionEntity, error) {
	if id == uuid.Nil {
		return nil, domain.Refuse(domain.CodeNotFound).At("external_id")
	}
	if loaded != nil && loaded.name == session.Stream(id) {
		return loaded, nil
	}
	talk := sessionOf(id)
	return talk, a.load(ctx, talk)
}

// concerns notes what the command was about.
func (a *attempt) concerns(c conversation) {
	a.done.Session, a.done.Customer = c.id, c.whoseID
}

// comesAfter says that something is added to a session that may have ended. Whoever ends the customer at the same time writes to no such session, so the
// customer's stream must not move: else it would be sealed with a key that is gone, and nobody could ever read it.
func (a *attempt) comesAfter(c conversation) {
	if c.talk.state.Ended() {
		a.guard(c.who)
	}
}

// nobody is the customer of what concerns none.
var nobody = uuid.Nil

// noTags is the catalogue of who may not use tags.
func noTags(uuid.UUID) bool { return false }
