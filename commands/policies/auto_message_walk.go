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
	// audiencePage is how many of an audience are looked at at once, and listPage how many additions to a list.
	audiencePage = 2_000
	listPage     = 4
	// foundFor is for how long who was found to match counts as matching, and by how much the customer list may be behind the log while
	// an audience is looked for in it. Who has ceased to match for longer than both does not get it.
	foundFor = time.Minute
	// catchUp is how long an audience waits for a read model that has not come as far as it must.
	catchUp = 200 * time.Millisecond
	// handedFor is how long what was sent may take to be handed to the channels before no more is sent. Otherwise all that gathers while the
	// bus is away would go out at once when it is back, however slow the rate, and although it was stopped meanwhile.
	handedFor = 5 * time.Second
	// burst is for how long the right to send is saved up, if there was nobody to send to.
	burst = 2 * time.Second
	// shortestRest is how long a pass that found nobody is followed by none; each further one in vain doubles it, up to longestRest. It is
	// never less than restShare times what the pass took, so that looking for new matches takes a small part of the time.
	shortestRest = 10 * time.Second
	longestRest  = time.Minute
	restShare    = 4
	// firstFault is how long an auto message rests, but for others, that cannot be gone on with; each further failure in a row doubles it, up
	// to restAfterFault.
	firstFault     = time.Second
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
	foundAt time.Time   // when they were found, after the ordinal before, if they were found by what they match
	matched bool
	before  int64
	spent   time.Duration
	sent    int // in this pass
	vain    int // passes that found nobody, in a row

	unhanded   int64 // position up to which is not known to have been handed to the channels, of what was sent then; 0: nothing is waited for
	unhandedAt time.Time
	together   int // how many may be sent to at once: fewer after a failure, so that one customer who cannot be read stands alone
	failed     int // times in a row
}

func newWalk(a *addresser, tenant string, r running) *walk {
	return &walk{addresser: a, tenant: tenant, started: r.started, position: r.position, tokens: 1, filled: a.now(), listing: true, together: commands.MaxSentAtOnce}
}

// step sends to a few, or looks for some, and says how long to rest after that; 0: not at all.
func (w *walk) step(ctx context.Context, m automessage.Message) (rest time.Duration, err error) {
	perSecond := float64(m.Rate) / 60
	w.fill(perSecond)
	if w.matched && w.now().Sub(w.foundAt) > foundFor { // the rate is slow, or was made slower, or somebody else had the lease meanwhile
		w.found, w.matched, w.after = nil, false, w.before
	}
	if len(w.found) == 0 {
		if rest, err := w.awaits(ctx, m.Audience); err != nil || rest > 0 {
			return rest, err
		}
		begun := w.now()
		end, err := w.look(ctx, m)
		w.spent += w.now().Sub(begun)
		switch {
		case err != nil:
			return 0, err
		case len(w.found) == 0 && end:
			return w.end(), nil
		case len(w.found) == 0:
			return 0, nil
		}
	}
	// As many as a second allows go together: a step for each would cost more.
	together := min(len(w.found), w.together, max(1, int(perSecond)))
	if w.tokens < float64(together) {
		return time.Duration((float64(together) - w.tokens) / perSecond * float64(time.Second)), nil
	}
	if waiting, err := w.handing(ctx); err != nil || waiting {
		return firstFault, err
	}
	return 0, w.send(ctx, m.ID, min(len(w.found), w.together, int(w.tokens)))
}

// send sends to the first n who were found.
func (w *walk) send(ctx context.Context, autoMessage uuid.UUID, n int) error {
	begun := w.now()
	done, err := commands.SendAutoMessage{AutoMessage: autoMessage, Customers: w.found[:n]}.Run(ctx, w.center, w.by())
	w.spent += w.now().Sub(begun)
	switch {
	case err != nil && n > 1:
		w.together = n / 2
		return err
	case err != nil:
		// Whatever is wrong with this one, the others of the audience shall get it. The next pass tries again.
		err = fmt.Errorf("customer %v: %w", w.found[0], err)
		w.found = w.found[1:]
		return err
	}
	w.together, w.failed = min(2*w.together, commands.MaxSentAtOnce), 0
	w.found = w.found[n:]
	w.tokens -= float64(done.Recipients)
	w.sent += done.Recipients
	if done.Recipients > 0 && w.unhanded == 0 {
		w.unhanded, w.unhandedAt = done.Position, begun
	}
	return nil
}

// handing reports whether what was sent a while ago has still not been handed to the channels.
func (w *walk) handing(ctx context.Context) (waiting bool, err error) {
	if w.unhanded == 0 || w.now().Sub(w.unhandedAt) < handedFor {
		return false, nil
	}
	handed, err := loadPosition(ctx, w.pool, sendAutoName, w.tenant)
	if err != nil || handed < w.unhanded {
		return err == nil, err
	}
	w.unhanded = 0
	return false, nil
}

// fault says how long to rest after a failure.
func (w *walk) fault() time.Duration {
	rest := min(firstFault<<min(w.failed, 10), restAfterFault)
	w.failed++
	return rest
}

// fill adds what the rate allows since the last time.
func (w *walk) fill(perSecond float64) {
	now := w.now()
	w.tokens = min(max(1, perSecond*burst.Seconds()), w.tokens+now.Sub(w.filled).Seconds()*perSecond)
	w.filled = now
}

// look looks for the next of the audience who have not got it yet. end says that it has been through.
func (w *walk) look(ctx context.Context, m automessage.Message) (end bool, err error) {
	w.foundAt, w.before, w.matched = w.now(), w.after, !w.listing
	if w.listing {
		listed, err := w.fromList(ctx, m.ID)
		if err != nil {
			return false, err
		}
		w.found, err = w.without(ctx, m.ID, listed)
		return false, err
	}
	matches, err := w.matching(ctx, m.Audience)
	var gone *domain.Refusal
	if errors.As(err, &gone) && (gone.Code == domain.CodeTagUnknown || gone.Code == domain.CodeGroupUnknown) {
		return true, w.stop(ctx, m.ID)
	}
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
	if most := m.Rate; len(ids) > most {
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

// awaits says how long to wait until the audience can be looked for by what it matches: until the read models know all that happened
// before it was started or changed, are not far behind the log otherwise, and until each group that it names has had its members found
// by its rule in force. Otherwise who was taken out of the audience, and then it was started, would get it, by an event or by a revision of a
// group; and whoever is not in a group, while nobody is in it yet. What is sent cannot be taken back.
func (w *walk) awaits(ctx context.Context, audience automessage.Audience) (time.Duration, error) {
	asks := audience.Asks()
	if w.listing || asks == nil {
		return 0, nil
	}
	ready, behind, err := projections.Ready(ctx, w.store, w.builds, w.groups, w.tenant, asks, w.position)
	switch {
	case err != nil:
		return 0, err
	case behind > foundFor:
		return 0, fmt.Errorf("a read model is behind by %v", behind.Round(time.Second))
	case !ready:
		return catchUp, nil
	}
	return 0, nil
}

// stop stops an auto message whose audience names what was deleted. No tag or group goes while one is running that depends on it; a log of before that
// was so may have such. Without the tag, whoever was to be spared for having it would be found.
func (w *walk) stop(ctx context.Context, autoMessage uuid.UUID) error {
	w.log.WarnContext(ctx, "policies: an auto message is stopped: its audience names a tag or a group that was deleted", "tenant", w.tenant, "auto_message", autoMessage)
	_, err := commands.StopAutoMessage{AutoMessage: autoMessage}.Run(ctx, w.center, w.by())
	return err
}

// by is who does what a walk does.
func (w *walk) by() commands.By {
	return commands.By{
		Tenant: w.tenant, Actor: eventstore.Actor{Kind: "policy", ID: addressName}, Cause: w.tenant + ":" + strconv.FormatInt(w.position, 10),
	}
}

// matching returns the next of those who match by themselves. They are as the customer list shows them, which is behind the log by a moment.
// Refused: TAG_UNKNOWN or GROUP_UNKNOWN if the audience names what was deleted.
func (w *walk) matching(ctx context.Context, audience automessage.Audience) ([]projections.Match, error) {
	wanted := audience.Asks()
	if wanted == nil {
		return nil, nil // the list is all there is
	}
	fields, _, err := w.catalogues.Fields(ctx, w.tenant)
	if err != nil {
		return nil, err
	}
	calendar, err := w.catalogues.Calendar(ctx, w.tenant)
	if err != nil {
		return nil, err
	}
	f, err := filter.Parse(wanted, &filter.Language{Custom: fields.Filterable(), Groups: true}, "audience.filter")
	if err != nil {
		return nil, err
	}
	tags, _, err := w.catalogues.Tags(ctx, w.tenant)
	if err != nil {
		return nil, err
	}
	groups, _, err := w.catalogues.Groups(ctx, w.tenant)
	if err != nil {
		return nil, err
	}
	if err := f.CheckNamed(tags.Known, groups.Known); err != nil {
		return nil, err
	}
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
	w.spent, w.sent, w.failed = 0, 0, 0
	return rest
}
