package bulk_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/bulk"
	"customercenter/domain/customer"
	"customercenter/domain/domaintest"
)

type customerCase = domaintest.Case[customer.State, customer.Event]

var (
	created        = customer.Created{Association: 1, Channel: domain.ChannelApp, ExternalID: "u1", Via: customer.ViaAPI, Generation: 1}
	tagged         = customer.Tagged{Tag: vip}
	untagged       = customer.Untagged{Tag: vip}
	deletedTag     = customer.Tagged{Tag: other}
	soon, tomorrow = domaintest.Minute(30), domaintest.Minute(24 * 60)
	forEver        = customer.Blacklisted{Reason: "spam"}
	forAnHour      = customer.Blacklisted{Reason: "rude", ExpiresAt: ptr(domaintest.Minute(60))}
	lifted         = customer.Unblacklisted{Cause: customer.CauseManual}
	expired        = customer.Unblacklisted{Cause: customer.CauseExpired}
)

func ptr[T any](v T) *T { return &v }

// asked is a bulk action that is going on.
func asked(action bulk.Action, change func(*bulk.Started)) *bulk.State {
	e := bulk.Started{Bulk: a, Action: action}
	switch action {
	case bulk.Tag, bulk.Untag:
		e.Tag = vip
	case bulk.Blacklist:
		e.Reason = "spam"
	}
	if change != nil {
		change(&e)
	}
	return domaintest.Fold[bulk.State](e)
}

func TestWhatIsDoneToOne(t *testing.T) {
	do := func(s *bulk.State, now time.Time) func(*customer.State) ([]customer.Event, error) {
		return func(who *customer.State) ([]customer.Event, error) { return s.Do(who, now, known) }
	}
	deleted := func(e *bulk.Started) { e.Tag = other }
	till := func(at time.Time) func(*bulk.Started) { return func(e *bulk.Started) { e.ExpiresAt = &at } }
	tag, untag, blacklist, unblacklist := asked(bulk.Tag, nil), asked(bulk.Untag, nil), asked(bulk.Blacklist, nil), asked(bulk.Unblacklist, nil)
	const missing = domain.CodeNotFound
	domaintest.Run(t, []customerCase{
		{Name: "tag", Given: given{created}, When: do(tag, soon), Then: []customer.Event{tagged}},
		{Name: "tag whoever has it", Given: given{created, tagged}, When: do(tag, soon)},
		{Name: "tag whoever is no customer", When: do(tag, soon), Refused: missing},
		{Name: "tag with what was deleted meanwhile", Given: given{created}, When: do(asked(bulk.Tag, deleted), soon), Refused: domain.CodeTagUnknown, At: "tags"},
		{Name: "untag", Given: given{created, tagged}, When: do(untag, soon), Then: []customer.Event{untagged}},
		{Name: "untag whoever has it not", Given: given{created}, When: do(untag, soon)},
		{Name: "untag what was deleted meanwhile", Given: given{created, deletedTag}, When: do(asked(bulk.Untag, deleted), soon), Then: []customer.Event{customer.Untagged{Tag: other}}},
		{Name: "untag whoever is no customer", When: do(untag, soon), Refused: missing},
		{Name: "blacklist", Given: given{created}, When: do(blacklist, soon), Then: []customer.Event{forEver}},
		{Name: "blacklist for a while", Given: given{created}, When: do(asked(bulk.Blacklist, till(tomorrow)), soon), Then: []customer.Event{customer.Blacklisted{Reason: "spam", ExpiresAt: &tomorrow}}},
		{Name: "blacklist for a while that is over by now", Given: given{created}, When: do(asked(bulk.Blacklist, till(soon)), soon), Refused: domain.CodeValidation, At: "expires_at"},
		{Name: "blacklist whoever is on it", Given: given{created, forAnHour}, When: do(blacklist, soon), Refused: domain.CodeAlreadyBlacklisted},
		{Name: "blacklist whose listing has expired", Given: given{created, forAnHour}, When: do(blacklist, tomorrow), Then: []customer.Event{expired, forEver}},
		{Name: "blacklist whoever is no customer", When: do(blacklist, soon), Refused: missing},
		{Name: "unblacklist", Given: given{created, forEver}, When: do(unblacklist, soon), Then: []customer.Event{lifted}},
		{Name: "unblacklist whoever is not on it", Given: given{created}, When: do(unblacklist, soon), Refused: domain.CodeNotBlacklisted},
		{Name: "unblacklist whose listing has expired", Given: given{created, forAnHour}, When: do(unblacklist, tomorrow), Refused: domain.CodeNotBlacklisted},
		{Name: "unblacklist whoever is no customer", When: do(unblacklist, soon), Refused: missing},
	})
}

func TestWhatIsUndoneOfOne(t *testing.T) {
	// undo tells the customer's state what has happened since, too: what is given is all, and the last of it is since.
	undo := func(s *bulk.State, now time.Time, listing *customer.Blacklisted, since ...domain.Event) func(*customer.State) ([]customer.Event, error) {
		return func(who *customer.State) ([]customer.Event, error) {
			return s.UndoOne(who, bulk.Before{Listing: listing, Since: since}, now, known)
		}
	}
	deleted := func(e *bulk.Started) { e.Tag = other }
	tag, untag, blacklist, unblacklist := asked(bulk.Tag, nil), asked(bulk.Untag, nil), asked(bulk.Blacklist, nil), asked(bulk.Unblacklist, nil)
	renamed := customer.ProfileChanged{Fields: map[string]customer.Change{"name": {New: "王"}}}
	opened := customer.SessionOpened{Session: uuid.UUID{15: 1}, Initiator: domain.PartyCustomer}
	again := created
	again.Generation, again.Tags = 2, []uuid.UUID{vip}
	const changed, missing = domain.CodeChangedSince, domain.CodeNotFound
	domaintest.Run(t, []customerCase{
		{Name: "tag", Given: given{created, tagged}, When: undo(tag, soon, nil), Then: []customer.Event{untagged}},
		{Name: "tag, although other things have happened", Given: given{created, tagged, renamed, opened, deletedTag, forEver}, When: undo(tag, soon, nil, renamed, opened, deletedTag, forEver),
			Then: []customer.Event{untagged}},
		{Name: "tag that was taken off", Given: given{created, tagged, untagged}, When: undo(tag, soon, nil, untagged), Refused: changed},
		{Name: "tag that was taken off and put on", Given: given{created, tagged, untagged, tagged}, When: undo(tag, soon, nil, untagged, tagged), Refused: changed},
		{Name: "tag that was deleted since", Given: given{created, deletedTag}, When: undo(asked(bulk.Tag, deleted), soon, nil), Then: []customer.Event{customer.Untagged{Tag: other}}},
		{Name: "tag of whoever is no customer any more", When: undo(tag, soon, nil), Refused: missing},
		{Name: "tag of whoever is a customer again", Given: given{again}, When: undo(tag, soon, nil, again), Refused: changed},

		{Name: "untag", Given: given{created, tagged, untagged}, When: undo(untag, soon, nil), Then: []customer.Event{tagged}},
		{Name: "untag what was put on", Given: given{created, tagged, untagged, tagged}, When: undo(untag, soon, nil, tagged), Refused: changed},
		{Name: "untag what was deleted since", Given: given{created}, When: undo(asked(bulk.Untag, deleted), soon, nil), Refused: domain.CodeTagUnknown, At: "tags"},
		{Name: "untag of whoever is no customer any more", When: undo(untag, soon, nil), Refused: missing},

		{Name: "blacklist", Given: given{created, forEver}, When: undo(blacklist, soon, nil), Then: []customer.Event{lifted}},
		{Name: "blacklist, although a tag was put on", Given: given{created, forEver, tagged}, When: undo(blacklist, soon, nil, tagged), Then: []customer.Event{lifted}},
		{Name: "blacklist that was lifted", Given: given{created, forEver, lifted}, When: undo(blacklist, soon, nil, lifted), Refused: changed},
		{Name: "blacklist that was lifted and renewed", Given: given{created, forEver, lifted, forAnHour}, When: undo(blacklist, soon, nil, lifted, forAnHour), Refused: changed},
		{Name: "blacklist that has expired", Given: given{created, forAnHour}, When: undo(blacklist, tomorrow, nil), Refused: domain.CodeNotBlacklisted},
		{Name: "blacklist that has expired and was lifted", Given: given{created, forAnHour, expired}, When: undo(blacklist, tomorrow, nil, expired), Refused: changed},
		{Name: "blacklist of whoever is no customer any more", When: undo(blacklist, soon, nil), Refused: missing},

		{Name: "unblacklist", Given: given{created, forEver, lifted}, When: undo(unblacklist, soon, &forEver), Then: []customer.Event{forEver}},
		{Name: "unblacklist of a listing with an end", Given: given{created, forAnHour, lifted}, When: undo(unblacklist, soon, &forAnHour), Then: []customer.Event{forAnHour}},
		{Name: "unblacklist of a listing that would have expired", Given: given{created, forAnHour, lifted}, When: undo(unblacklist, domaintest.Minute(60), &forAnHour), Refused: domain.CodeNotBlacklisted},
		{Name: "unblacklist of a listing that cannot be read", Given: given{created, forEver, lifted}, When: undo(unblacklist, soon, nil), Refused: changed},
		{Name: "unblacklist of whoever was listed again", Given: given{created, forEver, lifted, forAnHour}, When: undo(unblacklist, soon, &forEver, forAnHour), Refused: changed},
		{Name: "unblacklist of whoever is no customer any more", When: undo(unblacklist, soon, &forEver), Refused: missing},
	})
}
