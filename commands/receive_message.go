package commands

import (
	"context"
	"maps"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/field"
	"customercenter/domain/session"
)

// ReceiveMessage is a customer's message that came in through a channel. It makes its sender a customer if they are none, and opens
// a session if none is unfinished, all in one append. What happened before the end of a session goes into that session, marked
// late, and opens nothing.
//
// While the customer is on the blacklist no session is opened: a message that would need one is recorded on the stream of the customer's
// suppressed messages, and nothing else happens; what the browser told is dropped. Whether the customer is listed is judged when the
// message is handled, not when it was written.
//
// Done has the customer, the session if any, and whether the message was late or suppressed. Profile is what the channel knows of its sender and is only used to
// create the customer: later, people edit it here, and messages do not touch the customer's stream. Values of custom fields that the tenant
// does not have, or has disabled, are passed over: no message is lost because an admin took a field away. A value that is wrong for a field
// that is there is refused like any other of the profile.
//
// Refused: NOT_FOUND or ASSOCIATION_GONE at association_id; ID_INVALID; OCCURRED_IN_FUTURE; and as in customer.State.Create and
// session.State.RecordMessage and RecordWebAttributes.
type ReceiveMessage struct {
	Association int
	ExternalID  string
	Profile     customer.Profile
	Message     Message
	Web         *session.WebAttributesRecorded // what the browser told; nil for nothing
}

// Message is what somebody wrote, see session.State.RecordMessage.
type Message struct {
	ID   string // the channel's
	Kind string
	Text string
	URL  string
	Name string // of a file
}

func (m Message) from(sender session.Sender) session.MessageRecorded {
	return session.MessageRecorded{Message: m.ID, Sender: sender, Kind: m.Kind, Text: m.Text, URL: m.URL, Name: m.Name}
}

// Run carries it out. For a customer whom this process has met, it is one read of what is new in three streams, and one append.
func (cmd ReceiveMessage) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, cmd.decide)
}

func (cmd ReceiveMessage) decide(ctx context.Context, a *attempt) error {
	id, err := a.customerID(ctx, cmd.Association, cmd.ExternalID)
	if err != nil {
		return err
	}
	all, who := associations(), customerOf(id)
	streams := []stream{all, who}
	open := a.believed(who)
	if open != nil {
		streams = append(streams, open)
	}
	custom := fields()
	if len(cmd.Profile.Custom) > 0 {
		streams = append(streams, custom)
	}
	if err := a.load(ctx, streams...); err != nil {
		return err
	}
	connected, err := all.state.Active(cmd.Association)
	if err != nil {
		return err
	}
	profile, err := customer.NormalizeProfile(cmd.known(custom.state), custom.state.Normalize) // of known customers too: an event is good or bad whoever sent it
	if err != nil {
		return err
	}
	if !who.state.Exists {
		if len(profile.Custom) > 0 {
			a.guard(custom)
		}
		err := a.create(who, id, customer.New{
			Association: cmd.Association, Channel: connected.Channel, ExternalID: cmd.ExternalID, Profile: profile, Via: customer.ViaInbound,
		}, noTags, custom.state.Normalize)
		if err != nil {
			return err
		}
	}
	place, err := who.state.SessionFor(a.at(), a.now)
	if err != nil {
		return err
	}
	if place.Opens() && who.state.Blacklisted(a.now) {
		return cmd.suppress(ctx, a, who, id)
	}
	found := conversation{id: place.Session, who: who, whoseID: id}
	if place.Opens() {
		err = a.open(&found, session.New{Customer: id, Association: cmd.Association, Channel: connected.Channel})
		// Nothing begins through an association behind its removal in the log. What goes into a session that is open needs no
		// such guard: that the message came before the removal is as true as that it came after.
		a.guard(all)
	} else {
		found.talk, err = a.session(ctx, place.Session, open)
	}
	if err != nil {
		return err
	}
	a.concerns(found)
	a.done.Late = place.Late
	return cmd.record(a, found)
}

// known is the profile with values of those custom fields only that take any.
func (cmd ReceiveMessage) known(custom *field.State) customer.Profile {
	profile := cmd.Profile
	profile.Custom = maps.Clone(profile.Custom)
	maps.DeleteFunc(profile.Custom, func(key string, _ any) bool { return !custom.Takes(key) })
	return profile
}

// open begins a session of a customer, on both streams.
func (a *attempt) open(c *conversation, n session.New) error {
	c.id = a.center.newID()
	c.talk = sessionOf(c.id) // there is nothing to load: the id is new
	initiator := domain.PartyCustomer
	if n.CallbackBy != "" {
		initiator = domain.PartyAgent
	}
	opened, err := c.who.state.OpenSession(c.id, initiator, a.now)
	if err != nil {
		return err
	}
	add(a, c.who, c.whoseID, opened)
	started, err := c.talk.state.Start(n)
	add(a, c.talk, c.whoseID, started)
	return err
}

// suppress records the message of somebody on the blacklist. The customer's stream must not move meanwhile: a message that was decided
// before the customer is taken off the list is not suppressed behind that in the log.
func (cmd ReceiveMessage) suppress(ctx context.Context, a *attempt, who *customerEntity, id uuid.UUID) error {
	dropped := suppressedOf(id)
	if err := a.load(ctx, dropped); err != nil {
		return err
	}
	recorded, err := dropped.state.Record(cmd.Message.from(session.Sender{Kind: domain.PartyCustomer}), a.at(), a.now)
	if err != nil {
		return err
	}
	a.guard(who)
	add(a, dropped, id, recorded)
	a.done.Customer, a.done.Suppressed = id, true
	return nil
}

// record adds the message to the transcript, and what the browser told.
func (cmd ReceiveMessage) record(a *attempt, c conversation) error {
	recorded, err := c.talk.state.RecordMessage(cmd.Message.from(session.Sender{Kind: domain.PartyCustomer}), a.at(), a.now)
	if err != nil {
		return err
	}
	a.comesAfter(c)
	add(a, c.talk, c.whoseID, recorded)
	if cmd.Web == nil {
		return nil
	}
	told, err := c.talk.state.RecordWebAttributes(*cmd.Web, a.at(), a.now)
	add(a, c.talk, c.whoseID, told)
	return err
}
