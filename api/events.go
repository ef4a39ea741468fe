package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/google/uuid"
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
	Data        json.RawMessage `json:"data" doc:"The payload. Personal fields, filters that look for personal data, names of imported files and reasons of bulk actions and of skipped events are absent for analysts whose token does not allow them; personal fields after an erasure too."`
	Meta        json.RawMessage `json:"meta" doc:"{actor: {kind, id}, cause, correlation, trace, occurred_at}"`
	RecordedAt  time.Time       `json:"recorded_at"`
	Erased      bool            `json:"erased,omitempty" doc:"The event had personal fields, and the customer was erased. Not told to who does not see personal data."`
	Unreadable  bool            `json:"unreadable,omitempty" doc:"The personal fields could not be opened."`
}

func (s *server) eventOperations() {
	register(s, operation{id: "read-events", method: http.MethodGet, path: "/v1/events", tag: "Events",
		summary: "Read the log, as one JSON object per line, in order; or follow it",
		notes: "The answer ends at the last position there is when it begins, or at `to`. An answer that breaks off without its last line feed is incomplete: " +
			"go on after the last position that was received.\n\n" +
			"With `Accept: text/event-stream` it has no end: server-sent events, whose `id` is the position and whose `data` is the same JSON object. It begins behind `Last-Event-ID`, else at `from`, " +
			"else with what happens from now on. While there is nothing to tell, a comment says every 15 seconds that the connection lives, together with an `id` " +
			"up to which everything has been told. Whoever is cut off goes on with `Last-Event-ID`, as browsers do by themselves: nothing is left out, and nothing comes twice. " +
			"It ends within seconds when the token is revoked or expires, and when the log has become another one.\n\n" +
			"`X-Log-Epoch` says which log it is. It is another one once the log was restored from a backup: positions behind that of the backup mean other events then, so whoever goes on behind a position compares it first.",
		stream: true, produces: "application/x-ndjson", schema: Event{}}, s.readEvents)
	answer := s.api.OpenAPI().Paths["/v1/events"].Get.Responses["200"]
	answer.Content["text/event-stream"] = &huma.MediaType{}
}

// epochHeader says of which incarnation of the log an answer tells, see eventstore.Store.Epoch.
const epochHeader = "X-Log-Epoch"

type readEventsInput struct {
	After
	From        string    `query:"from" maxLength:"64" doc:"The first position, or the time from which on events were recorded (RFC 3339): those at it are told. It must not lie behind to."`
	To          string    `query:"to" maxLength:"64" doc:"The last position, or the time before which events were recorded: those at it are not told, so that ranges of time join without overlap. The moments of as_of and of diff are meant otherwise: up to and including. Not for what is followed live."`
	Type        []string  `query:"type" maxItems:"50" doc:"Types such as customer.created, parted by commas."`
	Stream      string    `query:"stream" maxLength:"100" doc:"One stream, such as tags or customer-<id>."`
	Customer    uuid.UUID `query:"customer" format:"uuid" doc:"Events that concern this customer."`
	LastEventID string    `header:"Last-Event-ID" maxLength:"20" doc:"The last position that was received; only for what is followed live."`

	live bool
}

// Resolve sees which of the two kinds of answers is wanted.
func (in *readEventsInput) Resolve(ctx huma.Context) []error {
	in.live = strings.Contains(ctx.Header("Accept"), "text/event-stream")
	return nil
}

func (s *server) readEvents(ctx context.Context, r *request, in *readEventsInput) (*huma.StreamResponse, error) {
	read, err := s.reading(ctx, r, in)
	if err != nil {
		return nil, err
	}
	if in.live {
		answer := s.serverEvents(ctx, func(ctx context.Context, out *eventStream) error { return s.followLog(ctx, read, out) })
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			hc.SetHeader(epochHeader, read.epoch)
			answer.Body(hc)
		}}, nil
	}
	// The first page is read before the answer begins, so that what is wrong can still be answered with a problem.
	first, err := read.next(ctx)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		_, w := humachi.Unwrap(hc)
		w.Header().Set("Content-Type", "application/x-ndjson")
		w.Header().Set("X-Log-Position", strconv.FormatInt(read.to, 10))
		w.Header().Set(epochHeader, read.epoch)
		w.WriteHeader(http.StatusOK)
		if err := read.write(ctx, first, w); err != nil {
			_ = problemOf(ctx, err)     // logged
			panic(http.ErrAbortHandler) // the caller must see that the answer is not complete
		}
	}}, nil
}

// write sends the pages as lines. Between them it rests, unless it has waited for the caller anyway.
func (r *reading) write(ctx context.Context, page logPage, w http.ResponseWriter) error {
	control, about := http.NewResponseController(w), requestOf(ctx)
	var text []byte
	for began := time.Now(); ; {
		err := about.turn.during(ctx, func() error {
			told, err := r.open(ctx, page.events)
			if err != nil {
				return err
			}
			text = text[:0]
			for i := range page.events {
				e := told(i)
				text = append(e.appendJSON(text), '\n')
			}
			return nil
		})
		if err != nil {
			return err
		}
		worked := time.Since(began)
		// A server that cannot set deadlines has none to extend either.
		_ = control.SetWriteDeadline(time.Now().Add(about.bounds.page))
		_, err = w.Write(text)
		if err == nil && len(text) > 0 {
			err = control.Flush()
		}
		if err != nil {
			panic(http.ErrAbortHandler) // the caller is gone
		}
		if !page.more {
			return nil
		}
		pause(ctx, worked+restAfter(worked)-time.Since(began))
		err = about.turn.during(ctx, func() (err error) {
			began = time.Now()
			page, err = r.next(ctx)
			return err
		})
		if err != nil {
			return err
		}
	}
}
