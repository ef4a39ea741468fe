package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/eventstore"
	"customercenter/eventstore/keyring"
	"customercenter/eventstore/tenancy"
)

// patience is for how long a command is decided anew because somebody else was faster. A second try stands in line with the others of
// its process, so what can still be faster is the first in line of each other process; but that one may win many times in a row, as
// who has just appended knows the stream's version, and who has lost must read it first.
const patience = 5 * time.Second

// keylessMost is how many times somebody may be erased while a command is decided. A key that is not there for another reason is not waited for.
const keylessMost = 5

// ErrBusy says that others kept changing the same streams. Nothing was changed; try again.
var ErrBusy = errors.New("commands: others keep changing the same thing")

// execute runs one command: decide loads what it needs and says what is to be appended. When another command was faster, decide
// is asked anew.
func (c *Center) execute(ctx context.Context, by By, decide func(context.Context, *attempt) error) (Done, error) {
	if !tenancy.Allows(ctx, by.Tenant) {
		return Done{}, fmt.Errorf("commands: %w", eventstore.ErrUnknownTenant)
	}
	line := place{lines: c.lines}
	defer line.leave()
	var patient context.Context // from the first conflict on
	keyless := 0
	for patient == nil || patient.Err() == nil {
		a := &attempt{center: c, by: by, now: c.now()}
		done, err := a.run(ctx, decide)
		var conflict *eventstore.ConflictError
		if errors.Is(err, keyring.ErrNoKey) && keyless < keylessMost {
			keyless++ // somebody was erased after it was decided: the next decision knows
			continue
		}
		if !errors.As(err, &conflict) {
			return done, err
		}
		c.cache.distrust(by.Tenant, conflict.Stream, conflict.Actual)
		if patient == nil {
			limited, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			patient = limited
		}
		if err := line.enter(ctx, streamKey{by.Tenant, conflict.Stream}); err != nil {
			return Done{}, fmt.Errorf("commands: %w", err)
		}
	}
	if ctx.Err() != nil {
		return Done{}, fmt.Errorf("commands: %w", context.Cause(ctx))
	}
	return Done{}, ErrBusy
}

// attempt is one try of a command: what it has loaded, and what it wants appended.
type attempt struct {
	center *Center
	by     By
	now    time.Time

	loaded  []stream
	written []stream // in the order in which they were first written to
	guards  []eventstore.Guard
	keys    []eventstore.NewCustomer
	done    Done
}

// at is when the command happened, as far as decisions are concerned.
func (a *attempt) at() time.Time {
	if a.by.OccurredAt.IsZero() {
		return a.now
	}
	return a.by.OccurredAt
}

// load brings entities up to date, all in one round trip.
func (a *attempt) load(ctx context.Context, streams ...stream) error {
	names, after := make([]string, len(streams)), make([]int64, len(streams))
	of := make(map[string]stream, len(streams))
	for i, s := range streams {
		names[i], after[i] = s.id(), s.recall(a.center.cache, a.by.Tenant)
		of[names[i]] = s
	}
	events, err := a.center.reads.streams(ctx, a.by.Tenant, names, after)
	if err != nil {
		return fmt.Errorf("commands: load: %w", err)
	}
	decoded, err := a.center.store.Open(ctx, events)
	if err != nil {
		return fmt.Errorf("commands: load: %w", err)
	}
	for _, d := range decoded {
		of[d.Stream].fold(d)
	}
	for _, s := range streams {
		s.remember(a.center.cache, a.by.Tenant)
	}
	a.loaded = append(a.loaded, streams...)
	return nil
}

// add says that events are to be appended to a stream. about is the customer they concern; uuid.Nil if nobody.
func add[E domain.Event](a *attempt, to stream, about uuid.UUID, events []E) {
	if len(events) > 0 && !slices.Contains(a.written, to) {
		a.written = append(a.written, to)
	}
	for _, e := range events {
		to.decided(e, about, a.at(), a.by.OccurredAt)
	}
}

// guard says that what was decided holds only while this loaded stream does not move.
func (a *attempt) guard(s stream) {
	a.guards = append(a.guards, eventstore.Guard{Stream: s.id(), Version: s.at().version})
}

func (a *attempt) run(ctx context.Context, decide func(context.Context, *attempt) error) (Done, error) {
	err := domain.CheckOccurred(a.by.OccurredAt, a.now)
	if err == nil {
		err = decide(ctx, a)
	}
	var refusal *domain.Refusal
	if err != nil && !errors.As(err, &refusal) {
		return Done{}, err
	}
	if refusal != nil {
		a.written, a.guards, a.keys, a.done = nil, nil, nil, Done{}
	}
	if refusal != nil && a.by.Once != nil && a.by.Once.DoneOnly {
		return a.firstOr(ctx, refusal)
	}
	a.done.Changed = len(a.written) > 0
	if !a.done.Changed && a.by.Once == nil {
		if refusal != nil {
			return Done{}, refusal
		}
		for _, s := range a.loaded {
			a.done.Position = max(a.done.Position, s.at().position)
		}
		return a.done, nil
	}
	return a.append(ctx, refusal)
}

// append writes what was decided, if anything, and the receipt, if one is wanted.
func (a *attempt) append(ctx context.Context, refusal *domain.Refusal) (Done, error) {
	request := eventstore.Append{
		Tenant: a.by.Tenant, ID: a.center.newID(), Now: a.now, NewCustomers: a.keys,
		Actor: a.by.Actor, Cause: a.by.Cause, Correlation: a.by.Correlation,
	}
	for _, s := range a.written {
		request.Streams = append(request.Streams, eventstore.StreamAppend{Stream: s.id(), Version: s.at().version, Events: s.changes()})
	}
	if a.done.Changed {
		request.Guards = a.guards
	}
	if a.by.Once != nil {
		receipt, err := a.receipt(refusal)
		if err != nil {
			return Done{}, err
		}
		request.Receipt = receipt
	}
	result, err := a.center.store.Append(ctx, request)
	var repeated *eventstore.RepeatedError
	switch {
	case errors.As(err, &repeated):
		return a.by.Once.first(repeated)
	case err != nil:
		return Done{}, fmt.Errorf("commands: %w", err)
	case refusal != nil:
		return Done{Position: result.Last}, refusal
	}
	a.committed(result)
	a.done.First, a.done.Position = result.First, result.Last
	return a.done, nil
}

// firstOr is the answer to a request whose refusals are not kept: the first answer if it was carried out before, else the refusal.
func (a *attempt) firstOr(ctx context.Context, refusal *domain.Refusal) (Done, error) {
	once := a.by.Once
	before, err := a.center.store.Answered(ctx, a.by.Tenant, a.by.receiptActor(), once.Route, once.Key)
	switch {
	case err != nil:
		return Done{}, fmt.Errorf("commands: %w", err)
	case before != nil:
		return once.first(before)
	}
	return Done{}, refusal
}

// committed folds what was appended into the cache: streams come one after the other in the log.
func (a *attempt) committed(result eventstore.Result) {
	last := result.First - 1
	for _, s := range a.written {
		last += int64(len(s.changes()))
		s.committed(a.center.cache, a.by.Tenant, last, func(e eventstore.NewEvent) time.Time {
			if e.OccurredAt.IsZero() {
				return result.RecordedAt
			}
			return e.OccurredAt.UTC()
		})
	}
}

// receipt is what is remembered of the answer.
func (a *attempt) receipt(refusal *domain.Refusal) (*eventstore.Receipt, error) {
	once := a.by.Once
	var answer any = a.done
	if refusal != nil {
		answer = refused{Code: refusal.Code, Location: refusal.Location, Args: refusal.Args}
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return nil, fmt.Errorf("commands: receipt: %w", err)
	}
	return &eventstore.Receipt{
		Actor: a.by.receiptActor(), Route: once.Route, Key: once.Key, Body: once.Body,
		Answer: string(text), Expires: a.now.Add(once.Keep),
	}, nil
}
