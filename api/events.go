package api

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/google/uuid"

	"customercenter/domain/filter"
	"customercenter/eventstore"
)

// Event is one event of the log as analysts read it.
type Event struct {
	Tenant      string          `json:"tenant"`
	Position    int64           `json:"position" doc:"1, 2, 3 … in the tenant's log, without holes."`
	Stream      string          `json:"stream"`
	Version     int64           `json:"version" doc:"1, 2, 3 … in the stream."`
	Type        string          `json:"type"`
	TypeVersion int             `json:"type_version"`
	Customer    *uuid.UUID      `json:"customer" format:"uuid" doc:"Whom it concerns; null if nobody."`
	Data        json.RawMessage `json:"data" doc:"The payload. Personal fields, filters that look for personal data, names of imported files and reasons of bulk actions are absent for analysts whose token does not allow them; personal fields after an erasure too."`
	Meta        json.RawMessage `json:"meta" doc:"{actor: {kind, id}, cause, correlation, occurred_at}"`
	RecordedAt  time.Time       `json:"recorded_at"`
	Unreadable  bool            `json:"unreadable,omitempty" doc:"The personal fields could not be opened."`
}

const (
	// eventPage is how many events are read, in one short statement, and sent at a time.
	eventPage = 1000
	// pageTime is how long a caller may take to receive one page.
	pageTime = 30 * time.Second
)

func (s *server) eventOperations() {
	register(s, operation{id: "read-events", method: http.MethodGet, path: "/v1/events", tag: "Events",
		summary: "Read the log, as one JSON object per line, in order",
		notes: "The answer ends at the last position there is when it begins, or at `to`. An answer that breaks off without its last line feed is incomplete: " +
			"go on after the last position that was received.",
		stream: true, produces: "application/x-ndjson", schema: Event{}}, s.readEvents)
}

type readEventsInput struct {
	After
	From     string    `query:"from" maxLength:"40" doc:"The first position, or the time from which on events were recorded (RFC 3339)."`
	To       string    `query:"to" maxLength:"40" doc:"The last position, or the time before which events were recorded."`
	Type     []string  `query:"type" maxItems:"50" doc:"Types such as customer.created, parted by commas."`
	Stream   string    `query:"stream" maxLength:"100" doc:"One stream, such as tags or customer-<id>."`
	Customer uuid.UUID `query:"customer" format:"uuid" doc:"Events that concern this customer."`
}

func (s *server) readEvents(ctx context.Context, r *request, in *readEventsInput) (*huma.StreamResponse, error) {
	read, err := s.reading(ctx, r, in)
	if err != nil {
		return nil, err
	}
	// The first page is read before the answer begins, so that what is wrong can still be answered with a problem.
	page, more, err := read.next(ctx)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		_, w := humachi.Unwrap(hc)
		w.Header().Set("Content-Type", "application/x-ndjson")
		w.Header().Set("X-Log-Position", strconv.FormatInt(read.to, 10))
		w.WriteHeader(http.StatusOK)
		control := http.NewResponseController(w)
		out := bufio.NewWriterSize(w, 64<<10)
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		for {
			// A server that cannot set deadlines has none to extend either.
			_ = control.SetWriteDeadline(time.Now().Add(pageTime))
			for i := range page {
				if err := encoder.Encode(&page[i]); err != nil {
					panic(http.ErrAbortHandler) // the caller is gone
				}
			}
			if out.Flush() != nil || control.Flush() != nil {
				panic(http.ErrAbortHandler)
			}
			if !more {
				return
			}
			if page, more, err = read.next(ctx); err != nil {
				_ = problemOf(ctx, err)     // logged
				panic(http.ErrAbortHandler) // the caller must see that the answer is not complete
			}
		}
	}}, nil
}

// reading is how far one answer is.
type reading struct {
	store    *eventstore.Store
	tenant   string
	after    int64 // in the stream its version, else the position
	from, to int64 // positions, both included
	types    []string
	stream   string
	customer uuid.UUID
	masked   bool
}

func (s *server) reading(ctx context.Context, r *request, in *readEventsInput) (*reading, error) {
	head, err := s.Store.Head(ctx, r.who.Tenant)
	if err != nil {
		return nil, err
	}
	read := &reading{store: s.Store, tenant: r.who.Tenant, from: 1, to: head, types: in.Type, stream: in.Stream, customer: in.Customer, masked: !r.who.Personal}
	if in.From != "" {
		before, err := s.position(ctx, r.who.Tenant, in.From, "query.from")
		if err != nil {
			return nil, err
		}
		read.from = before.first
	}
	if in.To != "" {
		at, err := s.position(ctx, r.who.Tenant, in.To, "query.to")
		if err != nil {
			return nil, err
		}
		read.to = min(at.last, head)
	}
	if read.stream == "" {
		read.after = read.from - 1
	}
	return read, nil
}

// bound is a position or a time, as the first and as the last position of a range.
type bound struct{ first, last int64 }

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
	return bound{first: last + 1, last: last}, err
}

// next reads one page and reports whether there is more.
func (r *reading) next(ctx context.Context) ([]Event, bool, error) {
	var events []eventstore.Event
	var err error
	if r.stream != "" {
		events, err = r.store.ReadStream(ctx, r.tenant, r.stream, r.after, eventPage)
	} else if r.after < r.to {
		events, err = r.store.ReadLog(ctx, r.tenant, r.after, int(min(eventPage, r.to-r.after)))
	}
	if err != nil {
		return nil, false, err
	}
	more := len(events) == eventPage
	if len(events) > 0 {
		last := events[len(events)-1]
		if r.after = last.Position; r.stream != "" {
			r.after = last.Version
		}
		more = more && last.Position < r.to
	}
	events = slices.DeleteFunc(events, func(e eventstore.Event) bool { return !r.wants(&e) })
	page, err := r.reveal(ctx, events)
	return page, more, err
}

func (r *reading) wants(e *eventstore.Event) bool {
	return e.Position >= r.from && e.Position <= r.to &&
		(len(r.types) == 0 || slices.Contains(r.types, e.Type)) &&
		(r.customer == uuid.Nil || e.Customer == r.customer)
}

// reveal opens a page. Should one event be broken, the others are still told as they are.
func (r *reading) reveal(ctx context.Context, events []eventstore.Event) ([]Event, error) {
	page := make([]Event, 0, len(events))
	opened, err := r.store.Reveal(ctx, events, r.masked)
	if err == nil {
		for i := range opened {
			page = append(page, r.told(&opened[i]))
		}
		return page, nil
	}
	for i := range events {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		one, err := r.store.Reveal(ctx, events[i:i+1], r.masked)
		if err == nil {
			page = append(page, r.told(&one[0]))
			continue
		}
		broken := events[i]
		broken.Data = json.RawMessage("null")
		if open, err := r.store.Reveal(ctx, events[i:i+1], true); err == nil {
			broken.Data = open[0].Data
		}
		page = append(page, r.told(&broken))
		page[len(page)-1].Unreadable = true
	}
	return page, nil
}

// told is an event as the reader may see it. Who sees personal data masked sees no filter that looks for such, as the needle may be some, nor what
// may be about somebody and is sealed for nobody, as it is of many.
func (r *reading) told(e *eventstore.Event) Event {
	out := eventOf(e)
	aggregate, _, _ := strings.Cut(e.Type, ".")
	if r.masked && slices.Contains([]string{"group", "view", "auto_message", "import", "export", "bulk"}, aggregate) {
		out.Data = withoutNeedles(out.Data)
	}
	return out
}

// withoutNeedles leaves out the filters that look for personal data, the reason of listings and the names of files.
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
		Data: e.Data, Meta: e.Meta, RecordedAt: e.RecordedAt}
	if e.Customer != uuid.Nil {
		out.Customer = &e.Customer
	}
	return out
}
