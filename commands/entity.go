package commands

import (
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/association"
	"customercenter/domain/automessage"
	"customercenter/domain/bulk"
	"customercenter/domain/customer"
	"customercenter/domain/exports"
	"customercenter/domain/field"
	"customercenter/domain/group"
	"customercenter/domain/imports"
	"customercenter/domain/job"
	"customercenter/domain/projection"
	"customercenter/domain/session"
	"customercenter/domain/settings"
	"customercenter/domain/suppressed"
	"customercenter/domain/tag"
	"customercenter/domain/view"
	"customercenter/eventstore"
)

// aggregate is a pointer to the state S of an aggregate.
type aggregate[S any] interface {
	*S
	Apply(domain.Event, time.Time)
	Clone() S
}

// entity is one stream as an attempt sees it: its state, and the events that the attempt decided to add.
type entity[S any, P aggregate[S]] struct {
	name string
	base folded
	// state is what decisions are asked of. It includes the events that were decided, and is not changed but by decided.
	state P
	own   bool // state is a copy of this entity's own, not shared with the cache
	// passing is set of one of the many that a job goes through: the cache is for those whom people deal with, and takes nobody in for that.
	passing bool
	added   []eventstore.NewEvent
}

// stream is an entity, whatever its state.
type stream interface {
	id() string
	recall(c *cache, tenant string) (version int64)
	fold(eventstore.Decoded)
	remember(c *cache, tenant string)
	decided(e domain.Event, about uuid.UUID, at, occurredAt time.Time)
	at() folded
	changes() []eventstore.NewEvent
	committed(c *cache, tenant string, last int64, at func(eventstore.NewEvent) time.Time)
}

type (
	customerEntity     = entity[customer.State, *customer.State]
	sessionEntity      = entity[session.State, *session.State]
	tagsEntity         = entity[tag.State, *tag.State]
	fieldsEntity       = entity[field.State, *field.State]
	associationsEntity = entity[association.State, *association.State]
	groupsEntity       = entity[group.State, *group.State]
	viewsEntity        = entity[view.State, *view.State]
	settingsEntity     = entity[settings.State, *settings.State]
	suppressedEntity   = entity[suppressed.State, *suppressed.State]
	autoMessagesEntity = entity[automessage.State, *automessage.State]
	listEntity         = entity[automessage.List, *automessage.List]
	recipientEntity    = entity[automessage.Recipient, *automessage.Recipient]
	importEntity       = entity[imports.State, *imports.State]
	exportEntity       = entity[exports.State, *exports.State]
	bulkEntity         = entity[bulk.State, *bulk.State]
	skippedEntity      = entity[projection.State, *projection.State]
)

func customerOf(id uuid.UUID) *customerEntity {
	return &customerEntity{name: customer.Stream(id), state: new(customer.State)}
}

// passingCustomer is one of many customers whom a job goes through.
func passingCustomer(id uuid.UUID) *customerEntity {
	who := customerOf(id)
	who.passing = true
	return who
}

func sessionOf(id uuid.UUID) *sessionEntity {
	return &sessionEntity{name: session.Stream(id), state: new(session.State)}
}

func fields() *fieldsEntity { return &fieldsEntity{name: field.Stream, state: new(field.State)} }

func tags() *tagsEntity { return &tagsEntity{name: tag.Stream, state: new(tag.State)} }

func groups() *groupsEntity { return &groupsEntity{name: group.Stream, state: new(group.State)} }

func views() *viewsEntity { return &viewsEntity{name: view.Stream, state: new(view.State)} }

func associations() *associationsEntity {
	return &associationsEntity{name: association.Stream, state: new(association.State)}
}

func settingsOf() *settingsEntity {
	return &settingsEntity{name: settings.Stream, state: new(settings.State)}
}

func suppressedOf(customer uuid.UUID) *suppressedEntity {
	return &suppressedEntity{name: suppressed.Stream(customer), state: new(suppressed.State)}
}

func autoMessages() *autoMessagesEntity {
	return &autoMessagesEntity{name: automessage.Stream, state: new(automessage.State)}
}

func listOf(autoMessage uuid.UUID) *listEntity {
	return &listEntity{name: automessage.ListStream(autoMessage), state: new(automessage.List)}
}

func recipientOf(id uuid.UUID) *recipientEntity {
	return &recipientEntity{name: automessage.RecipientStream(id), state: new(automessage.Recipient)}
}

func importOf(id uuid.UUID) *importEntity {
	return &importEntity{name: job.Stream(id), state: new(imports.State)}
}

func exportOf(id uuid.UUID) *exportEntity {
	return &exportEntity{name: job.Stream(id), state: new(exports.State)}
}

func bulkOf(id uuid.UUID) *bulkEntity {
	return &bulkEntity{name: job.Stream(id), state: new(bulk.State)}
}

func skipped() *skippedEntity {
	return &skippedEntity{name: projection.Stream, state: new(projection.State)}
}

func (e *entity[S, P]) id() string                     { return e.name }
func (e *entity[S, P]) at() folded                     { return e.base }
func (e *entity[S, P]) changes() []eventstore.NewEvent { return e.added }

// recall takes what the cache knows and returns the version from which the stream must be read on. The cache may know the stream as something
// else: whoever asks for an import under the id of an export has made it so.
func (e *entity[S, P]) recall(c *cache, tenant string) int64 {
	known, _ := c.get(tenant, e.name)
	if state, same := known.state.(P); same {
		e.base, e.state, e.own = known, state, false
	}
	return e.base.version
}

// fold adds a stored event.
func (e *entity[S, P]) fold(d eventstore.Decoded) {
	e.unshare()
	event := d.Payload.(domain.Event) // the codec knows nothing else
	e.state.Apply(event, d.OccurredAt())
	e.base.reached(event, d.Version, d.Position)
}

// remember gives the state to the cache, if something was folded.
func (e *entity[S, P]) remember(c *cache, tenant string) {
	if !e.own {
		return
	}
	e.base.state, e.own = e.state, false
	if !e.passing {
		c.put(tenant, e.name, e.base)
	}
}

// unshare makes the state safe to change.
func (e *entity[S, P]) unshare() {
	if !e.own {
		clone := e.state.Clone()
		e.state, e.own = P(&clone), true
	}
}

// decided adds an event that is to be appended, so that further decisions see it.
func (e *entity[S, P]) decided(event domain.Event, about uuid.UUID, at, occurredAt time.Time) {
	e.unshare()
	e.state.Apply(event, at)
	e.added = append(e.added, eventstore.NewEvent{Payload: event, Customer: about, OccurredAt: occurredAt})
}

// committed tells the cache of the events that were appended, the last of them at that position. They are folded anew: only now
// is it known when they were recorded.
func (e *entity[S, P]) committed(c *cache, tenant string, last int64, at func(eventstore.NewEvent) time.Time) {
	if e.passing && !c.has(tenant, e.name) {
		return
	}
	state := P(new(S))
	if e.base.state != nil {
		clone := e.base.state.(P).Clone()
		state = P(&clone)
	}
	next := e.base
	next.state = state
	for i, added := range e.added {
		event := added.Payload.(domain.Event)
		state.Apply(event, at(added))
		next.reached(event, next.version+1, last-int64(len(e.added)-1-i))
	}
	c.put(tenant, e.name, next)
}

// next is the version of the stream once all is appended that was decided.
func (e *entity[S, P]) next() int64 { return e.base.version + int64(len(e.added)) }

// edited is the version of the last event that edits a customer, those decided but not appended yet included.
func (e *entity[S, P]) edited() int64 {
	last := e.base.edited
	for i, added := range e.added {
		if edits(added.Payload.(domain.Event)) {
			last = e.base.version + int64(i) + 1
		}
	}
	return last
}

// Untouched is the IfVersion of what has seen no event yet.
const Untouched = -1

// seen refuses a change by somebody who has seen another version than the present one; 0 stands for any, Untouched for none.
// Refused: PRECONDITION_FAILED.
func seen(version, present int64) error {
	switch version {
	case 0, present:
		return nil
	case Untouched:
		if present == 0 {
			return nil
		}
	}
	return domain.Refuse(CodePreconditionFailed)
}

// edits reports whether an event changes what people edit of a customer, and so the version that guards against lost edits.
func edits(e domain.Event) bool {
	switch e.(type) {
	case customer.Created, customer.ProfileChanged, customer.Tagged, customer.Untagged, customer.Blacklisted, customer.Unblacklisted:
		return true
	}
	return false
}
