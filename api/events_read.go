package api

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/filter"
	"customercenter/eventstore"
	"customercenter/projections/projector"
)

const (
	// eventPage is how many events are read, in one short statement, and sent at a time: some two milliseconds of work.
	eventPage = 250
	// sparsePage is how many positions one statement looks at if it leaves out all but some types.
	sparsePage = 8 * eventPage
	// restTimes is for how many times as long as it worked on a page a reading rests, so that those who write meanwhile find a processor.
	restTimes = 2.5
)

func restAfter(worked time.Duration) time.Duration {
	return time.Duration(restTimes * float64(worked))
}

// reader opens what is read from the log, as far as somebody may see it.
type reader struct {
	store  *eventstore.Store
	masked bool
}

// reading is how far one answer is.
type reading struct {
	reader
	tenant   string
	epoch    string // of the log, as it was in the beginning
	head     int64  // the last position, as it was then
	after    int64  // all up to this position has been read
	from, to int64  // positions, both included
	wanted
	// streams are where all is that is wanted, if that is not all over the log; found is where in the log it is, up to the position looked.
	streams []string
	found   []int64
	looked  int64
	live    bool
	page    eventstore.Page
}

// wanted are the events that are meant: those that meet everything that is set.
type wanted struct {
	types    []string
	stream   string
	customer uuid.UUID
}

func (s *server) reading(ctx context.Context, r *request, in *readEventsInput) (*reading, error) {
	known := s.Store.Codec().Types()
	for _, t := range in.Type {
		if !slices.Contains(known, t) {
			return nil, invalid("query.type", ruleEventType).With("near", strings.Join(nearest(t, known), ", "))
		}
	}
	epoch, err := s.Store.Epoch(ctx)
	if err != nil {
		return nil, err
	}
	head, err := s.Store.Head(ctx, r.who.Tenant)
	if err != nil {
		return nil, err
	}
	read := &reading{reader: reader{store: s.Store, masked: !r.who.Personal}, tenant: r.who.Tenant, epoch: epoch.String(), head: head, from: 1, to: head, live: in.live,
		wanted: wanted{types: in.Type, stream: in.Stream, customer: in.Customer}}
	switch {
	case in.Stream != "":
		read.streams = []string{in.Stream}
	case in.Customer != uuid.Nil:
		if read.streams, err = projector.StreamsOf(ctx, s.Store, r.who.Tenant, in.Customer); err != nil {
			return nil, err
		}
	}
	var from bound
	if in.From != "" {
		if from, err = s.position(ctx, r.who.Tenant, in.From, "query.from"); err != nil {
			return nil, err
		}
		read.from = from.first
	}
	if in.live {
		return read, read.follow(in)
	}
	if in.To != "" {
		to, err := s.position(ctx, r.who.Tenant, in.To, "query.to")
		if err != nil {
			return nil, err
		}
		if from.behind(to) {
			return nil, invalid("query.from", ruleOrder)
		}
		read.to = min(to.last, head)
	}
	read.after = read.from - 1
	return read, nil
}

// follow makes it a reading without an end: behind what the caller has, else from where it says, else behind the head.
func (r *reading) follow(in *readEventsInput) error {
	r.to = math.MaxInt64
	switch {
	case in.To != "":
		return invalid("query.to", ruleNotLive)
	case in.LastEventID != "":
		last, err := strconv.ParseInt(in.LastEventID, 10, 64)
		if err != nil || last < 0 {
			return invalid("header.Last-Event-ID", ruleInvalid)
		}
		if last > r.head { // of a log that was since restored from a backup, or of another one
			return invalid("header.Last-Event-ID", ruleAtMost).With("max", r.head)
		}
		r.after = last
		r.from = max(r.from, last+1)
	case in.From != "":
		r.after = r.from - 1
	default:
		r.after, r.from = r.head, r.head+1
	}
	return nil
}

// bound is a position or a time, as the first and as the last position of a range.
type bound struct {
	first, last int64
	at          time.Time // zero: a position was said
}

// behind reports whether a range that begins here lies the wrong way round, if it ends there. Directly behind the end it is empty: whoever has read up to
// it may ask for the rest. A position and a time are not compared.
func (b bound) behind(end bound) bool {
	if b.at.IsZero() && end.at.IsZero() {
		return b.first-1 > end.last
	}
	return !end.at.IsZero() && b.at.After(end.at)
}

func (s *server) position(ctx context.Context, tenant, text, location string) (bound, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if n < 0 {
			return bound{}, invalid(location, ruleInvalid)
		}
		return bound{first: max(n, 1), last: n}, nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || at.Year() < 1 || at.Year() > 9999 {
		return bound{}, invalid(location, ruleTime)
	}
	// Instants are recorded in microseconds: before t is up to the microsecond before it.
	last, err := s.Store.PositionAt(ctx, tenant, at.Add(-1).Truncate(time.Microsecond))
	return bound{first: last + 1, last: last, at: at}, err
}

// logPage are events of the log, as they are stored, until the next page is read.
type logPage struct {
	events []eventstore.Event
	more   bool // there may be others behind them
}

// next reads one page.
func (r *reading) next(ctx context.Context) (page logPage, err error) {
	events, left := []eventstore.Event(nil), r.to-r.after
	switch {
	case left <= 0 || r.from > r.to:
	case r.streams != nil && r.after < r.head:
		events, err = r.nextFound(ctx)
		page.more = r.after < r.to
	case len(r.types) > 0:
		before := r.after
		events, r.after, err = r.store.ReadHeard(ctx, r.tenant, r.after, int(min(sparsePage, left)), r.types)
		page.more = r.after-before == sparsePage && r.after < r.to
	default:
		err = r.store.ReadPage(ctx, &r.page, r.tenant, r.after, int(min(eventPage, left)))
		if events = r.page.Events; err == nil && len(events) > 0 {
			r.after = events[len(events)-1].Position
			page.more = len(events) == eventPage && r.after < r.to
		}
	}
	page.events = slices.DeleteFunc(events, func(e eventstore.Event) bool { return e.Position < r.from || e.Position > r.to || !r.wants(&e) })
	return page, err
}

// foundMost is how many positions are kept of what was found in streams.
const foundMost = 4 * eventPage

// nextFound reads the next page out of streams, which holds what there is of them up to the head. What comes behind that is read from the log.
func (r *reading) nextFound(ctx context.Context) ([]eventstore.Event, error) {
	end := min(r.to, r.head)
	if r.looked <= r.after {
		found, err := r.store.PositionsIn(ctx, r.tenant, r.streams, r.after, end, r.types, foundMost)
		if err != nil {
			return nil, err
		}
		r.found, r.looked = found, end
		if len(found) == foundMost {
			r.looked = found[len(found)-1]
		}
	}
	page := r.found[:min(eventPage, len(r.found))]
	events, err := r.store.ReadPositions(ctx, r.tenant, page)
	if err != nil {
		return nil, err
	}
	slices.Reverse(events)
	r.found = r.found[len(page):]
	r.after = r.looked
	if len(r.found) > 0 {
		r.after = page[len(page)-1]
	}
	return events, nil
}

func (w *wanted) wants(e *eventstore.Event) bool {
	return (len(w.types) == 0 || slices.Contains(w.types, e.Type)) && (w.stream == "" || e.Stream == w.stream) &&
		(w.customer == uuid.Nil || e.Customer == w.customer)
}

// open opens events where they stand, as far as the reader may see them, and returns what is told of each. Should one be broken, it is told as far as it can be
// read, and the others as they are. If the database cannot be asked for keys, nothing is told: whoever reads on would never see what is missing.
//
// Who sees personal data masked sees no filter that looks for such, as the needle may be some, nor what may be about somebody and is sealed for nobody, as it is
// of many.
func (r *reader) open(ctx context.Context, events []eventstore.Event) (told func(i int) Event, err error) {
	failed, err := r.store.Reveal(ctx, events, r.masked)
	if err != nil {
		return nil, err
	}
	return func(i int) Event {
		out := eventOf(&events[i])
		out.Unreadable = failed != nil && failed[i] != nil
		aggregate, _, _ := strings.Cut(out.Type, ".")
		if r.masked && slices.Contains([]string{"group", "view", "auto_message", "import", "export", "bulk", "projection"}, aggregate) {
			out.Data = withoutNeedles(out.Data)
		}
		return out
	}, nil
}

// withoutNeedles leaves out the filters that look for personal data, reasons that people wrote and the names of files.
func withoutNeedles(data json.RawMessage) json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil || members == nil {
		return data
	}
	for name, value := range members {
		switch {
		case name == "audience":
			members[name] = withoutNeedles(value)
		case name == "reason", name == "file_name":
			delete(members, name)
		case (name == "rule" || name == "filter") && filter.Mentions(value).Personal():
			delete(members, name)
		}
	}
	out, err := json.Marshal(members)
	if err != nil { // it was JSON before
		return json.RawMessage("null")
	}
	return out
}

func eventOf(e *eventstore.Event) Event {
	out := Event{Tenant: e.Tenant, Position: e.Position, Stream: e.Stream, Version: e.Version, Type: e.Type, TypeVersion: e.TypeVersion,
		Data: e.Data, Meta: e.Meta, RecordedAt: e.RecordedAt, Erased: e.Erased}
	if e.Customer != uuid.Nil {
		out.Customer = &e.Customer
	}
	return out
}
