package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"customercenter/api"
)

// listener hears of a job.
type listener struct {
	told func(*api.AnyJob)
	// broken hears, once a break, that the server cannot be reached any more.
	broken func()
	// ended tells whether it is the end that is meant: a server that has not seen the last write yet may say that the job has ended as it stood
	// before.
	ended func(*api.AnyJob) bool
}

// follow tells how a job goes on until it has ended, and returns it as it is then. A stream that breaks is taken up again, for as long as the
// server's silence is shorter than the client's patience. after is the position of the write that began it.
func (c *client) follow(ctx context.Context, id uuid.UUID, after int64, l listener) (*api.AnyJob, error) {
	const shortRest, longRest = 200 * time.Millisecond, 5 * time.Second
	heard, rest, failed := time.Now(), shortRest, 0
	for {
		job, err := c.stream(ctx, id, after, func() { heard, failed = time.Now(), 0 }, func(job *api.AnyJob) {
			rest = shortRest
			l.told(job)
		})
		var refused *problem
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.As(err, &refused) && !refused.passing(), errors.Is(err, errUnreadable):
			return nil, err
		case job != nil && l.ended(job):
			return job, nil
		case err != nil && time.Since(heard) > c.patience:
			return nil, err
		case err != nil:
			if failed++; failed == 2 { // once is nothing to speak of
				l.broken()
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(rest):
			rest = min(2*rest, longRest)
		}
	}
}

// stream listens to a job once. It returns the job if the server said that it has ended. alive hears of every sign of life.
func (c *client) stream(ctx context.Context, id uuid.UUID, after int64, alive func(), told func(*api.AnyJob)) (*api.AnyJob, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(c.silence, func() { cancel(errSilent) }) // a server that has nothing to tell says so
	defer watchdog.Stop()
	r, err := c.request(ctx, http.MethodGet, "/v1/jobs/"+id.String()+"/events", nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("X-After-Position", strconv.FormatInt(after, 10))
	answer, err := c.send(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 4<<20) // a filter may be long
	for event := ""; lines.Scan(); {
		watchdog.Reset(c.silence)
		alive()
		if name, is := bytes.CutPrefix(lines.Bytes(), []byte("event: ")); is {
			event = string(name)
		}
		data, is := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		if !is {
			continue
		}
		job := &api.AnyJob{}
		if err := json.Unmarshal(data, job); err != nil {
			return nil, fmt.Errorf("%w: %w", errUnreadable, err)
		}
		if event == "end" {
			return job, nil
		}
		told(job)
	}
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	return nil, lines.Err()
}
