package api

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
)

// mediaTypes are those of files, by their format.
var mediaTypes = map[string]string{
	"csv":  "text/csv; charset=utf-8",
	"json": "application/json",
	"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

// file is an answer that is a file to be kept. It begins with its first byte: what goes wrong before that is answered as a problem, and what goes
// wrong later breaks it off. It is made in the caller's turn, and sent outside of it.
type file struct {
	name   string // made here: letters, digits, - and .
	format string // of mediaTypes
	size   int64  // in bytes; 0 if it is not known
	write  func(io.Writer) error
}

func (f file) answer(ctx context.Context) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		_, w := humachi.Unwrap(hc)
		about := requestOf(ctx)
		out := &fileWriter{file: f, ctx: ctx, about: about, to: w, control: http.NewResponseController(w), end: time.Now().Add(about.bounds.file)}
		err := about.turn.during(ctx, func() error { return f.write(out) })
		switch {
		case err == nil:
			return
		case !out.begun:
			writeProblem(w, problemOf(ctx, err))
			return
		case !out.gone && ctx.Err() == nil:
			_ = problemOf(ctx, err) // logged
		}
		panic(http.ErrAbortHandler) // the caller must see that the file is not complete
	}}
}

// fileWriter writes the headers before the first byte.
type fileWriter struct {
	file
	ctx     context.Context // of the request
	about   *request
	to      http.ResponseWriter
	control *http.ResponseController
	end     time.Time // at which it must be there
	begun   bool
	gone    bool // the caller is
}

// filePiece is how much of a file a caller must take within the time of a page, in bytes.
const filePiece = 64 << 10

func (w *fileWriter) Write(p []byte) (n int, err error) {
	if !w.begun && len(p) > 0 {
		w.begun = true
		header := w.to.Header()
		header.Set("Content-Type", mediaTypes[w.format])
		header.Set("Content-Disposition", `attachment; filename="`+w.name+`"`)
		header.Set("Content-Security-Policy", "sandbox")
		if w.size > 0 {
			header.Set("Content-Length", strconv.FormatInt(w.size, 10))
		}
		w.to.WriteHeader(http.StatusOK)
	}
	err = w.about.turn.aside(w.ctx, func() error {
		for n < len(p) && err == nil {
			deadline := time.Now().Add(w.about.bounds.page)
			if deadline.After(w.end) {
				deadline = w.end
			}
			_ = w.control.SetWriteDeadline(deadline) // a server that cannot set deadlines has none to extend either
			var sent int
			sent, err = w.to.Write(p[n:min(n+filePiece, len(p))])
			n += sent
		}
		w.gone = w.gone || err != nil
		return err
	})
	return n, err
}
