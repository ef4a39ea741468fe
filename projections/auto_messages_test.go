package projections_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"

	"customercenter/domain/automessage"
	"customercenter/projections"
	"customercenter/projections/projectionstest"
)

func (m *model) autoMessages() *projections.AutoMessages {
	return projections.NewAutoMessages(m.store, m.projector)
}

// autoMessage sends an auto message to a customer and returns the recipient's stream.
func (m *model) autoMessage(id uuid.UUID, p *projectionstest.Person) string {
	stream := automessage.RecipientStream(automessage.RecipientID(id, p.ID, 1))
	m.Append(stream, p.ID, automessage.Sent{AutoMessage: id, Customer: p.ID, Association: 1})
	return stream
}

func (m *model) autoMessageCounts(id uuid.UUID) projections.AutoMessageCounts {
	m.t.Helper()
	all, err := m.autoMessages().Counts(m.t.Context(), tenant)
	if err != nil {
		m.t.Fatal(err)
	}
	return all[id]
}

func (m *model) recipients(id uuid.UUID, cursor string, limit int) projections.AutoMessageRecipients {
	m.t.Helper()
	page, err := m.autoMessages().Recipients(m.t.Context(), tenant, id, cursor, limit)
	if err != nil {
		m.t.Fatal(err)
	}
	return page
}

func TestAutoMessagesAreCounted(t *testing.T) {
	m := newModel(t, 1)
	one, two := uuid.New(), uuid.New()
	var people []*projectionstest.Person
	var streams []string
	for i := range 6 {
		people = append(people, m.NewCustomer(fmt.Sprint("v", i)))
		streams = append(streams, m.autoMessage(one, people[i]))
	}
	m.autoMessage(two, people[0])
	delivered, read, replied := automessage.Delivered{AutoMessage: one}, automessage.Read{AutoMessage: one}, automessage.Replied{AutoMessage: one}
	m.Append(streams[0], people[0].ID, delivered)
	m.Append(streams[1], people[1].ID, delivered)
	m.Append(streams[1], people[1].ID, read)
	m.Append(streams[2], people[2].ID, read) // before it arrived, as far as the channel tells
	m.sync(projections.AutoMessagesName)
	if got, want := m.autoMessageCounts(one), (projections.AutoMessageCounts{Sent: 6, Delivered: 3, Read: 2}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
	m.Append(streams[2], people[2].ID, delivered)
	m.Append(streams[3], people[3].ID, replied)
	m.Append(streams[4], people[4].ID, automessage.Withheld{AutoMessage: one, Code: "CUSTOMER_BLACKLISTED"})
	m.sync(projections.AutoMessagesName)
	if got, want := m.autoMessageCounts(one), (projections.AutoMessageCounts{Sent: 5, Delivered: 3, Read: 2, Replied: 1, Withheld: 1}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
	if got, want := m.autoMessageCounts(two), (projections.AutoMessageCounts{Sent: 1}); got != want {
		t.Errorf("of the other %+v, want %+v", got, want)
	}

	// The latest first, on pages.
	var listed []projections.AutoMessageRecipient
	for cursor, pages := "", 0; ; pages++ {
		page := m.recipients(one, cursor, 4)
		listed = append(listed, page.Items...)
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if len(listed) != 6 {
		t.Fatalf("%d recipients are listed, want 6", len(listed))
	}
	slices.Reverse(listed)
	for i, r := range listed {
		if r.CustomerID != people[i].ID || r.SentAt.IsZero() || (r.DeliveredAt != nil) != (i < 3) || (r.ReadAt != nil) != (i == 1 || i == 2) ||
			(r.RepliedAt != nil) != (i == 3) || (r.Code != "") != (i == 4) {
			t.Errorf("recipient %d: %+v", i, r)
		}
	}
	if r := listed[2]; r.DeliveredAt.After(*r.ReadAt) {
		t.Errorf("it arrived at %v, after it was read at %v", r.DeliveredAt, r.ReadAt)
	}
	if _, err := m.autoMessages().Recipients(t.Context(), tenant, one, "nonsense", 4); !errors.Is(err, projections.ErrCursor) {
		t.Errorf("a cursor of nothing: %v", err)
	}
	if page := m.recipients(uuid.New(), "", 0); len(page.Items) != 0 || page.Next != "" {
		t.Errorf("an unknown auto message has recipients: %+v", page)
	}

	stranger := uuid.New()
	had, err := m.autoMessages().Had(t.Context(), tenant, two, []uuid.UUID{people[0].ID, people[1].ID, stranger})
	if err != nil || len(had) != 1 || !had[people[0].ID] {
		t.Errorf("had the other: %v, %v", had, err)
	}

	m.Append(streams[4], people[4].ID, delivered) // it had gone out all the same
	m.sync(projections.AutoMessagesName)
	if got, want := m.autoMessageCounts(one), (projections.AutoMessageCounts{Sent: 6, Delivered: 4, Read: 2, Replied: 1}); got != want {
		t.Errorf("after a late report counted %+v, want %+v", got, want)
	}
	if r := m.recipients(one, "", 2).Items[1]; r.CustomerID != people[4].ID || r.Code != "" || r.DeliveredAt == nil {
		t.Errorf("after a late report the recipient is %+v", r)
	}
}

// A rebuild, and folding a customer anew, give the same rows and counts.
func TestAutoMessagesAreRebuilt(t *testing.T) {
	m := newModel(t, 2)
	one := uuid.New()
	m.Append(automessage.Stream, uuid.Nil, automessage.Defined{AutoMessage: one, Name: "one", Text: "您好", Rate: 600})
	var people []*projectionstest.Person
	for i := range 40 {
		p := m.NewCustomer(fmt.Sprint("v", i))
		people = append(people, p)
		stream := m.autoMessage(one, p)
		for n, e := range []automessage.RecipientEvent{automessage.Delivered{AutoMessage: one}, automessage.Read{AutoMessage: one}, automessage.Replied{AutoMessage: one}} {
			if i%4 > n {
				m.Append(stream, p.ID, e)
			}
		}
	}
	m.sync(projections.AutoMessagesName)
	want := m.autoMessageCounts(one)
	if want != (projections.AutoMessageCounts{Sent: 40, Delivered: 30, Read: 20, Replied: 10}) {
		t.Fatalf("counted %+v", want)
	}
	rebuilt, err := m.projector.Rebuild(t.Context(), projections.AutoMessagesName, nil)
	if err != nil {
		t.Fatal(err)
	}
	if differences, err := m.projector.Compare(t.Context(), projections.AutoMessagesName, rebuilt.ID); err != nil || len(differences) > 0 {
		t.Errorf("a rebuild differs: %v, %v", differences, err)
	}

	// What cannot be applied parks its customer, who may then be folded anew: with all that became of auto messages, once.
	if n := m.parkAndRetry(people[3].ID); n != 1 {
		t.Errorf("%d builds have the customer again", n)
	}
	m.sync(projections.AutoMessagesName)
	if got := m.autoMessageCounts(one); got != want {
		t.Errorf("counted %+v after a customer was folded anew, want %+v", got, want)
	}
}

// parkAndRetry parks a customer by hand, and has it folded anew.
func (m *model) parkAndRetry(id uuid.UUID) (mended int) {
	m.t.Helper()
	live, err := m.projector.Live(m.t.Context(), projections.AutoMessagesName)
	if err != nil {
		m.t.Fatal(err)
	}
	_, err = m.store.Pool().Exec(m.t.Context(), `insert into parked_customers (build, tenant, customer, position, type, reason)
		values ($1, $2, $3, $4, 'auto_message.read', 'a test')`, live.ID, tenant, id, m.Head())
	if err != nil {
		m.t.Fatal(err)
	}
	if mended, err = m.projector.Retry(m.t.Context(), projections.AutoMessagesName, tenant, id); err != nil {
		m.t.Fatal(err)
	}
	return mended
}
