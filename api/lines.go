package api

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
)

// lines answers with one JSON object a line, page by page. The first page was read before, so that what is wrong could still be answered with a
// problem. Should a later one fail, the answer breaks off, and whoever reads it sees that it is not complete.
func lines[T any](ctx context.Context, header map[string]string, page []T, more bool, next func(context.Context) (page []T, more bool, err error)) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		_, w := humachi.Unwrap(hc)
		w.Header().Set("Content-Type", "application/x-ndjson")
		for name, value := range header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(http.StatusOK)
		control, about := http.NewResponseController(w), requestOf(ctx)
		out := bufio.NewWriterSize(w, 64<<10)
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		for {
			// A server that cannot set deadlines has none to extend either.
			_ = control.SetWriteDeadline(time.Now().Add(about.bounds.page))
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
			err := about.turn.during(ctx, func() (err error) {
				page, more, err = next(ctx)
				return err
			})
			if err != nil {
				_ = problemOf(ctx, err)     // logged
				panic(http.ErrAbortHandler) // the caller must see that the answer is not complete
			}
		}
	}}
}
