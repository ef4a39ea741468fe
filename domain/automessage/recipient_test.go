package automessage_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/automessage"
	"customercenter/domain/domaintest"
)

func TestRecipients(t *testing.T) {
	type testCase = domaintest.Case[automessage.Recipient, automessage.RecipientEvent]
	type events = []automessage.RecipientEvent
	do := func(decide func(*automessage.Recipient) []automessage.RecipientEvent) func(*automessage.Recipient) ([]automessage.RecipientEvent, error) {
		return func(r *automessage.Recipient) ([]automessage.RecipientEvent, error) { return decide(r), nil }
	}
	send := do(func(r *automessage.Recipient) []automessage.RecipientEvent { return r.Send(a, b, 1) })
	deliver := do((*automessage.Recipient).Deliver)
	read := do((*automessage.Recipient).BeRead)
	withhold := do(func(r *automessage.Recipient) []automessage.RecipientEvent { return r.Withhold(domain.CodeNotFound) })
	reply := func(after time.Duration) func(*automessage.Recipient) ([]automessage.RecipientEvent, error) {
		return do(func(r *automessage.Recipient) []automessage.RecipientEvent {
			return r.Reply(domaintest.Start.Add(after))
		})
	}
	sent := automessage.Sent{AutoMessage: a, Customer: b, Association: 1}
	withheld := automessage.Withheld{AutoMessage: a, Code: domain.CodeNotFound}
	delivered, wasRead, replied := automessage.Delivered{AutoMessage: a}, automessage.Read{AutoMessage: a}, automessage.Replied{AutoMessage: a}

	domaintest.Run(t, []testCase{
		{Name: "send", When: send, Then: events{sent}},
		{Name: "send twice", Given: given{sent}, When: send},
		{Name: "send after all", Given: given{sent, withheld}, When: send},
		{Name: "deliver", Given: given{sent}, When: deliver, Then: events{delivered}},
		{Name: "deliver twice", Given: given{sent, delivered}, When: deliver},
		{Name: "deliver after it was read", Given: given{sent, wasRead}, When: deliver, Then: events{delivered}},
		{Name: "deliver what was not sent", When: deliver},
		{Name: "read", Given: given{sent}, When: read, Then: events{wasRead}},
		{Name: "read twice", Given: given{sent, wasRead, delivered}, When: read},
		{Name: "read what was not sent", When: read},
		{Name: "withhold", Given: given{sent}, When: withhold, Then: events{withheld}},
		{Name: "withhold twice", Given: given{sent, withheld}, When: withhold},
		{Name: "withhold what arrived", Given: given{sent, delivered}, When: withhold},
		{Name: "withhold what was read", Given: given{sent, wasRead}, When: withhold},
		{Name: "withhold what was not sent", When: withhold},
		{Name: "reply", Given: given{sent}, When: reply(time.Second), Then: events{replied}},
		{Name: "reply at the last moment", Given: given{sent}, When: reply(automessage.ReplyWindow), Then: events{replied}},
		{Name: "reply too late", Given: given{sent}, When: reply(automessage.ReplyWindow + 1)},
		{Name: "write before it", Given: given{sent}, When: reply(0)},
		{Name: "reply twice", Given: given{sent, replied}, When: reply(time.Hour)},
		{Name: "reply to what was withheld", Given: given{sent, withheld}, When: reply(time.Hour)},
		{Name: "reply to what was said to be withheld, but arrived", Given: given{sent, withheld, delivered}, When: reply(time.Hour), Then: events{replied}},
		{Name: "reply to what was said to be withheld, but was read", Given: given{sent, withheld, wasRead}, When: reply(time.Hour), Then: events{replied}},
		{Name: "reply to what was not sent", When: reply(time.Hour)},
	})
}

// One customer has one recipient for each auto message and life, and no two share one.
func TestRecipientID(t *testing.T) {
	seen := map[uuid.UUID]bool{}
	for _, message := range []uuid.UUID{a, b} {
		for _, customer := range []uuid.UUID{vip, gold} {
			for generation := 1; generation <= 12; generation++ {
				id := automessage.RecipientID(message, customer, generation)
				if seen[id] || id != automessage.RecipientID(message, customer, generation) {
					t.Errorf("the recipient %v is not one and the same", id)
				}
				seen[id] = true
				if found, ok := automessage.RecipientOf(automessage.RecipientStream(id)); !ok || found != id {
					t.Errorf("the stream of %v is that of %v", id, found)
				}
			}
		}
	}
	for _, stream := range []string{"", "recipient-", "customer-" + a.String(), "recipient-" + a.String() + "x", "recipient-not-a-uuid-of-exactly-36-characters"} {
		if _, ok := automessage.RecipientOf(stream); ok {
			t.Errorf("%q passes for the stream of a recipient", stream)
		}
	}
}

func TestLists(t *testing.T) {
	type testCase = domaintest.Case[automessage.List, automessage.ListEvent]
	type events = []automessage.ListEvent
	put := func(customers ...uuid.UUID) func(*automessage.List) ([]automessage.ListEvent, error) {
		return func(l *automessage.List) ([]automessage.ListEvent, error) { return l.Add(a, customers) }
	}
	added := func(customers ...uuid.UUID) automessage.RecipientsAdded {
		return automessage.RecipientsAdded{AutoMessage: a, Customers: customers}
	}
	many := func(from, n int) []uuid.UUID {
		ids := make([]uuid.UUID, n)
		for i := range ids {
			ids[i][14], ids[i][15] = byte((from+i)>>8), byte(from+i)
		}
		return ids
	}
	var full given
	for from := 0; from < automessage.MaxListed; from += automessage.MaxAdded {
		full = append(full, added(many(from, automessage.MaxAdded)...))
	}
	if size := domaintest.Fold[automessage.ListSize](full...); size.Customers != automessage.MaxListed {
		t.Errorf("a full list has %d customers", size.Customers)
	}
	domaintest.Run(t, []testCase{
		{Name: "add", When: put(vip, gold), Then: events{added(vip, gold)}},
		{Name: "add in order, each once", When: put(gold, vip, gold), Then: events{added(gold, vip)}},
		{Name: "add who is there and another", Given: given{added(vip)}, When: put(vip, gold), Then: events{added(gold)}},
		{Name: "add who is there", Given: given{added(vip, gold)}, When: put(gold, vip)},
		{Name: "add nobody", When: put(), Refused: domain.CodeValidation, At: "customers"},
		{Name: "add too many at once", When: put(many(0, automessage.MaxAdded+1)...), Refused: domain.CodeValidation, At: "customers"},
		{Name: "one too many", Given: full, When: put(vip), Refused: domain.CodeLimitReached, At: "customers"},
		{Name: "a full list takes who is on it", Given: full, When: put(many(7, 3)...)},
	})
}
