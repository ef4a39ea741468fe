package policies

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/automessage"
	"customercenter/domain/filter"
	"customercenter/eventstore"
	"customercenter/projections"
)

const (
	// audiencePage is how many of an audience are looked at at once, and listPage how many additions to a list. At least the fewest of
	// those who are found are kept.
	audiencePage = 2_000
	fewest       = 10
	listPage     = 4
	// burst is for how long the right to send is saved up, if there was nobody to send to.
	burst = 2 * time.Second
	// shortestRest is how long a pass that found nobody is followed by none; each further one in vain doubles it, up to longestRest. It is
	// never less than restShare times what the pass took, so that looking for new matches takes a small part of the time.
	shortestRest = 10 * time.Second
	longestRest  = time.Minute
	restShare    = 4
	// restAfterFault is how long an auto message rests that cannot be gone on with, but for others.
	restAfterFault = 30 * time.Second
)

// walk goes through the audience of a running auto message again and again: first through its list, then through who matches by itself.
type walk struct {
	*addresser
	tenant   string
	started  time.Time // as in running
	position int64     // as in running

	tokens float64 // how many may be sent by the rate
	filled time.Time

	listing bool        // it is at the list
	listed  int64       // version of the list's stream up to which it was looked through
	after   int64       // ordinal up to which the matches were
	found   []uuid.UUID // who may be sent to: no more than a minute's worth, or they might match no more when it is their turn
	spent   time.Duration
	sent    int // in this pass
	vain    int // passes that found nobody, in a row
}

func newWalk(a *addresser, tenant string, r running) *walk {
	return &walk{addresser: a, tenant: tenant, started: r.started, position: r.position, tokens: 1, filled: a.now(), listing: true}
}

// step sends to a few, or looks for some, and says how long to rest after that; 0: not at all.
func (w *walk) step(ctx context.Context, m automessage.Message) (rest time.Duration, err error) {
	perSecond := float64(m.Rate) / 60
	w.fill(perSecond)
	if len(w.found) == 0 {
		begun := w.now()
		end, err := w.look(ctx, m)
		w.spent += w.now().Sub(begun)
		var refusal *domain.Refusal
		switch {
		case errors.As(err, &refusal):
			// The fields that an audience reads cannot go while it does, so this is a mistake of ours.
			w.log.ErrorContext(ctx, "policies: the audience of an auto message is not understood", "tenant", w.tenant, "auto_message", m.ID, "error", err)
			return restAfterFault, nil
		case err != nil:
			return 0, fmt.Errorf("policies: address: %w", err)
		case len(w.found) == 0 && end:
			return w.end(), nil
		case len(w.found) == 0:
			return 0, nil
		}
	}
	// As many as a second allows go together: a step for each would cost more.
	together := min(len(w.found), commands.MaxSentAtOnce, max(1, int(perSecond)))
	if w.tokens < float64(together) {
		return time.Duration((float64(together) - w.tokens) / perSecond * float64(time.Second)), nil
	}
	n := min(len(w.found), commands.MaxSentAtOnce, int(w.tokens))
	by := commands.By{
		Tenant: w.tenant, Actor: eventstore.Actor{Kind: "policy", ID: addressName}, Cause: w.tenant + ":" + strconv.FormatInt(w.position, 10),
	}
	begun := w.now()
	done, err := commands.SendAutoMessage{AutoMessage: m.ID, Customers: w.found[:n]}.Run(ctx, w.center, by)
	if err != nil {
		return 0, fmt.Errorf("policies: address: %w", err)
	}
	w.spent += w.now().Sub(begun)
	w.found = w.found[n:]
	w.tokens -= float64(done.Recipients)
	w.sent += done.Recipients
	return 0, nil
}

// fill adds what the rate allows since the last time.
func (w *walk) fill(perSecond float64) {
	now := w.now()
	w.tokens = min(max(1, perSecond*burst.Seconds()), w.tokens+now.Sub(w.filled).Seconds()*perSecond)
	w.filled = now
}

// look looks for the next of the audience who have not got it yet. end says that it has been through.
func (w *walk) look(ctx context.Context, m automessage.Message) (end bool, err error) {
	if w.listing {
		listed, err := w.fromList(ctx, m.ID)
		if err != nil {
			return false, err
		}
		w.found, err = w.without(ctx, m.ID, listed)
		return false, err
	}
	matches, err := w.matching(ctx, m.Audience)
	if err != nil {
		return false, err
	}
	ids := make([]uuid.UUID, len(matches))
	for i, c := range matches {
		ids[i] = c.ID
	}
	if ids, err = w.without(ctx, m.ID, ids); err != nil {
		return false, err
	}
	if most := max(m.Rate, fewest); len(ids) > most {
		w.found = ids[:most]
		last := slices.IndexFunc(matches, func(c projections.Match) bool { return c.ID == w.found[most-1] })
		w.after = matches[last].Ordinal
		return false, nil
	}
	w.found = ids
	if len(matches) > 0 {
		w.after = matches[len(matches)-1].Ordinal
	}
	return len(matches) < audiencePage, nil
}

// without returns those who have not got an auto message, as far as is known without asking the log, in their order.
func (w *walk) without(ctx context.Context, autoMessage uuid.UUID, customers []uuid.UUID) ([]uuid.UUID, error) {
	if len(customers) == 0 {
		return nil, nil
	}
	had, err := w.autoMessages.Had(ctx, w.tenant, autoMessage, customers)
	if err != nil {
		return nil, err
	}
	left := make([]uuid.UUID, 0, len(customers)-len(had))
	for _, id := range customers {
		if !had[id] {
			left = append(left, id)
		}
	}
	return left, nil
}

// fromList reads on in the list, and leaves it at its end.
func (w *walk) fromList(ctx context.Context, id uuid.UUID) (customers []uuid.UUID, err error) {
	events, err := w.store.ReadStream(ctx, w.tenant, automessage.ListStream(id), w.listed, listPage)
	if err != nil {
		return nil, err
	}
	decoded, err := w.store.Open(ctx, events)
	if err != nil {
		return nil, err
	}
	for _, d := range decoded {
		if added, ok := d.Payload.(automessage.RecipientsAdded); ok {
			customers = append(customers, added.Customers...)
		}
		w.listed = d.Version
	}
	w.listing = len(events) == listPage
	return customers, nil
}

// matching returns the next of those who match by themselves. They are as the customer list shows them, which is behind the log by a moment.
func (w *walk) matching(ctx context.Context, audience automessage.Audience) ([]projections.Match, error) {
	wanted := audience.Asks()
	if wanted == nil {
		return nil, nil // the list is all there is
	}
	fields, _, err := w.catalogues.Fields(ctx, w.tenant)
	if err != nil {
		return nil, err
	}
	own, _, err := w.catalogues.Settings(ctx, w.tenant)
	if err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(own.TimeZone())
	if err != nil { // it was there when it was set
		zone = time.UTC
	}
	f, err := filter.Parse(wanted, &filter.Language{Custom: fields.Filterable(), Groups: true}, "audience.filter")
	if err != nil {
		return nil, err
	}
	calendar := filter.Calendar{Zone: zone, WeekStart: own.FirstWeekday()}
	return w.customers.Matching(ctx, w.tenant, filter.Join(f, automessage.Reached()), calendar, w.now(), w.after, audiencePage)
}

// end ends a pass: the next one begins at the beginning.
func (w *walk) end() (rest time.Duration) {
	if w.sent > 0 {
		w.vain = 0
	}
	rest = max(min(shortestRest<<min(w.vain, 10), longestRest), restShare*w.spent)
	w.vain++
	w.listing, w.listed, w.after = true, 0, 0
	w.spent, w.sent = 0, 0
	return rest
}
