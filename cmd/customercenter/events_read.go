package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"customercenter/api"
)

// logReader reads the log through the API, and goes on where it was when an answer breaks off.
type logReader struct {
	client *client
	query  url.Values
	live   bool // follows the log, without an end
	// last is the position up to which everything was taken; negative: not known yet, the server says where it begins.
	last int64
	// epoch is that of the log which was read up to last; empty: not known yet, the server says which it is.
	epoch string
	// end is the last position of what is not followed, as soon as it is known.
	end int64
	// take gets every event, as a line without its line feed, or, when there is none, how far the server is: nil. The line is its own until it returns.
	take func(position int64, line []byte) error
	// broken hears, once a break, that the server cannot be reached any more.
	broken func()
}

// longestLook is how long a server may look through the log for events that are wanted before it counts as gone.
const longestLook = 15 * time.Minute

// errTaking is what went wrong on the side that takes the events: nothing that another try would mend.
type errTaking struct{ error }

func (e errTaking) Unwrap() error { return e.error }

// errShort says that the log is shorter than what has been read of it.
var errShort = errors.New("the log ends before the position up to which it has been read: is it another system's, or was it restored from a backup?")

// errOther says that the log was restored since it was read: what is behind the last position there now need not be what came next.
var errOther = errors.New("the log is not the one that was read so far: it was restored from a backup, or is another system's. What came after the backup never happened. Begin anew, with another file or directory")

// read reads to the end; what is followed until the context ends. A server that cannot be reached is tried for as long as the client's patience lasts;
// what is followed, for ever.
func (r *logReader) read(ctx context.Context) error {
	const shortRest, longRest = 200 * time.Millisecond, 5 * time.Second
	heard, rest, failed := time.Now(), shortRest, 0
	for {
		before := r.last
		err := r.once(ctx, func() { heard, failed = time.Now(), 0 })
		if r.last != before {
			rest = shortRest
		}
		var refused *problem
		var taking errTaking
		switch {
		case errors.As(err, &taking):
			return taking.error
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil && !r.live:
			return nil
		case errors.As(err, &refused) && !refused.passing(), errors.Is(err, errUnreadable), errors.Is(err, errShort), errors.Is(err, errOther), errors.As(err, new(usageError)):
			return err
		case err != nil && !r.live && time.Since(heard) > r.client.patience:
			return err
		case err != nil:
			if failed++; failed == 2 { // once is nothing to speak of
				r.broken()
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(rest):
			rest = min(2*rest, longRest)
		}
	}
}

// once asks once. alive hears of every sign of life. No error means that the answer ended as it should.
func (r *logReader) once(ctx context.Context, alive func()) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := r.client.silence
	if !r.live { // it may look at a long log without finding anything
		silence = longestLook
	}
	watchdog := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer watchdog.Stop()
	if to, err := strconv.ParseInt(r.query.Get("to"), 10, 64); !r.live && r.last >= 0 && (err == nil && to <= r.last || r.end > 0 && r.end <= r.last) {
		return nil // all of it has been read
	}
	query := maps.Clone(r.query)
	if !r.live && r.last >= 0 {
		query.Set("from", strconv.FormatInt(r.last+1, 10))
	}
	if r.end > 0 {
		query.Set("to", strconv.FormatInt(r.end, 10))
	}
	request, err := r.client.request(ctx, http.MethodGet, "/v1/events?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	if r.live {
		request.Header.Set("Accept", "text/event-stream")
		if r.last >= 0 {
			request.Header.Set("Last-Event-ID", strconv.FormatInt(r.last, 10))
		}
	}
	answer, err := r.client.send(request)
	var refused *problem
	switch {
	case errors.As(err, &refused) && slices.ContainsFunc(refused.Errors, func(e api.FieldError) bool { return e.Location == "header.Last-Event-ID" }):
		return fmt.Errorf("%w %w", errShort, err)
	case err != nil:
		return err
	}
	defer answer.Body.Close()
	switch epoch := answer.Header.Get("X-Log-Epoch"); {
	case epoch == "":
		return fmt.Errorf("%w: it does not say of which log it is", errUnreadable)
	case r.epoch != "" && r.epoch != epoch:
		return errOther
	default:
		r.epoch = epoch
	}
	in := &lines{Reader: bufio.NewReaderSize(answer.Body, 256<<10), told: func() {
		watchdog.Reset(silence)
		alive()
	}}
	if r.live {
		err = r.serverEvents(in)
	} else {
		err = r.jsonLines(in, answer.Header)
	}
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.As(err, new(errTaking)) {
		return cause
	}
	return err
}

// jsonLines takes an answer that has an end.
func (r *logReader) jsonLines(in *lines, header http.Header) error {
	end, err := strconv.ParseInt(header.Get("X-Log-Position"), 10, 64)
	if err != nil {
		return fmt.Errorf("%w: it does not say where it ends", errUnreadable)
	}
	if end < r.last && !r.query.Has("to") && r.end == 0 {
		return fmt.Errorf("%w It ends at %d; what is behind %d was asked for", errShort, end, r.last)
	}
	if r.end == 0 {
		r.end = end
	}
	for {
		line, err := in.next()
		if errors.Is(err, io.EOF) {
			if end > r.last {
				return r.taken(end, nil)
			}
			return nil
		}
		if err != nil {
			return err
		}
		if err := r.event(line); err != nil {
			return err
		}
	}
}

// serverEvents takes what is followed.
func (r *logReader) serverEvents(in *lines) error {
	var id []byte
	told := false
	for {
		line, err := in.next()
		if errors.Is(err, io.EOF) { // the server ends, or the token; the next try will say
			return nil
		}
		if err != nil {
			return err
		}
		switch {
		case bytes.HasPrefix(line, []byte("id: ")):
			id = bytes.Clone(line[4:])
		case bytes.HasPrefix(line, []byte("data: ")):
			if err := r.event(line[6:]); err != nil {
				return err
			}
			told = true
		case len(line) == 0 && id != nil: // what was told is complete
			if !told {
				position, err := strconv.ParseInt(string(id), 10, 64)
				if err != nil {
					return fmt.Errorf("%w: an id that is no position", errUnreadable)
				}
				if position > r.last {
					if err := r.taken(position, nil); err != nil {
						return err
					}
				}
			}
			id, told = nil, false
		}
	}
}

// event takes one, unless it was taken before.
func (r *logReader) event(line []byte) error {
	position, err := positionOf(line)
	if err != nil || position <= r.last {
		return err
	}
	return r.taken(position, line)
}

func (r *logReader) taken(position int64, line []byte) error {
	if err := r.take(position, line); err != nil {
		return errTaking{err}
	}
	r.last = position
	return nil
}

// positionOf finds the position in a line. It is the second member, before anything that somebody could have written.
func positionOf(line []byte) (int64, error) {
	_, rest, found := bytes.Cut(line, []byte(`,"position":`))
	end := bytes.IndexByte(rest, ',')
	if !found || end < 1 {
		return 0, fmt.Errorf("%w: an event without a position", errUnreadable)
	}
	position, err := strconv.ParseInt(string(rest[:end]), 10, 64)
	if err != nil || position < 1 {
		return 0, fmt.Errorf("%w: an event without a position", errUnreadable)
	}
	return position, nil
}

// lines reads whole lines.
type lines struct {
	*bufio.Reader
	told func() // after each piece that arrived
	long []byte
}

// next is the next line without its line feed; io.EOF at the end, io.ErrUnexpectedEOF in the middle of a line. It is valid until the next call.
func (l *lines) next() ([]byte, error) {
	if l.Buffered() == 0 {
		if _, err := l.Peek(1); err != nil {
			return nil, err
		}
		l.told()
	}
	l.long = l.long[:0]
	for {
		piece, err := l.ReadSlice('\n')
		switch {
		case err == nil && len(l.long) == 0:
			return piece[:len(piece)-1], nil
		case err == nil, errors.Is(err, bufio.ErrBufferFull):
			l.long = append(l.long, piece...)
		case errors.Is(err, io.EOF):
			return nil, io.ErrUnexpectedEOF
		default:
			return nil, err
		}
		if err == nil {
			return l.long[:len(l.long)-1], nil
		}
	}
}
