package api

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
)

// serverEvents answers with server-sent events until there are no more, the caller is gone or the process is to end.
func (s *server) serverEvents(ctx context.Context, tell func(ctx context.Context, out *eventStream) error) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		_, w := humachi.Unwrap(hc)
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Accel-Buffering", "no")
		w.WriteHeader(http.StatusOK)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(s.Until, cancel)()
		if err := tell(ctx, &eventStream{w: w, control: http.NewResponseController(w), page: s.bounds.page}); err != nil && ctx.Err() == nil {
			_ = problemOf(ctx, err) // logged
			panic(http.ErrAbortHandler)
		}
	}}
}

// eventStream writes server-sent events.
type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	page    time.Duration // that a caller may take to receive what is written at once
}

func (e *eventStream) send(name string, data []byte) error {
	return e.write(fmt.Appendf(nil, "event: %s\ndata: %s\n\n", name, bytes.TrimSpace(data)))
}

const stillHere = ": still here\n"

func (e *eventStream) comment() error { return e.write([]byte(stillHere + "\n")) }

func (e *eventStream) write(text []byte) error {
	_ = e.control.SetWriteDeadline(time.Now().Add(e.page)) // a server that cannot set deadlines has none to extend either
	if _, err := e.w.Write(text); err != nil {
		return err
	}
	return e.control.Flush()
}
