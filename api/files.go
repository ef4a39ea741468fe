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

// fileTime is how long a caller may take to receive a file.
const fileTime = 15 * time.Minute

// mediaTypes are those of files, by their format.
var mediaTypes = map[string]string{
	"csv":  "text/csv; charset=utf-8",
	"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

// file is an answer that is a file to be kept. It begins with its first byte: what goes wrong before that is answered as a problem, and what goes
// wrong later breaks it off.
type file struct {
	name   string // made here: letters, digits, - and .
	format string // of mediaTypes
	size   int64  // in bytes; 0 if it is not known
	write  func(io.Writer) error
}

func (f file) answer(ctx context.Context) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		_, w := humachi.Unwrap(hc)
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(fileTime)) // a server that cannot set deadlines has none to extend either
		out := &fileWriter{file: f, to: w}
		err := f.write(out)
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
	to    http.ResponseWriter
	begun bool
	gone  bool // the caller is
}

func (w *fileWriter) Write(p []byte) (int, error) {
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
	n, err := w.to.Write(p)
	w.gone = w.gone || err != nil
	return n, err
}
