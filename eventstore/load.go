package eventstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"customercenter/eventstore/keyring"
)

// Past is an append together with the instant at which it is said to have been recorded.
type Past struct {
	Append
	At time.Time
}

// loadChunk is how many events of a history that is loaded are one transaction.
const loadChunk = 20_000

// ErrHistory says that what was to be loaded runs back in time, or that somebody else appended meanwhile.
var ErrHistory = errors.New("eventstore: a loaded history must follow the log in time, and nobody else may append meanwhile")

// Load writes a history that is over: appends in the order in which they were recorded, with the instants given instead of the database's clock.
// It is for filling a log that nothing works on yet, such as a bench's; what is in it is stored exactly as Append would have, keys and seals
// included. It writes by COPY, in chunks that are a transaction each, and rings no bell.
//
// Nothing is checked but time: the caller must give the right versions; guards and receipts are not looked at. After an error the chunks before
// are in the log. progress, if not nil, is told the head after every chunk. ErrHistory; ErrUnknownType.
func (s *Store) Load(ctx context.Context, tenant string, history iter.Seq[Past], progress func(head int64)) error {
	encoded := make(chan []pastPrepared, 1)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(encoded)
		var chunk []pastPrepared
		events := 0
		send := func() error {
			if err := s.encodePast(ctx, tenant, chunk); err != nil {
				return err
			}
			select {
			case encoded <- chunk:
				chunk, events = nil, 0
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		for past := range history {
			past.Tenant = tenant
			p, err := s.begin(&past.Append)
			if err != nil {
				return err
			}
			for id, k := range p.fresh { // later appends seal with it before it is committed
				s.keys.Keep(tenant, id, k)
			}
			chunk = append(chunk, pastPrepared{p, past.At})
			for _, stream := range past.Streams {
				events += len(stream.Events)
			}
			if events < loadChunk {
				continue
			}
			if err := send(); err != nil {
				return err
			}
		}
		if len(chunk) == 0 {
			return nil
		}
		return send()
	})
	group.Go(func() error {
		for chunk := range encoded {
			head, err := s.copyPast(ctx, tenant, chunk)
			if err != nil {
				return err
			}
			if progress != nil {
				progress(head)
			}
		}
		return nil
	})
	return group.Wait()
}

type pastPrepared struct {
	*prepared
	at time.Time
}

// encodePast encodes a chunk on all processors. The keys of customers who are not new are asked for at once.
func (s *Store) encodePast(ctx context.Context, tenant string, chunk []pastPrepared) error {
	var known []uuid.UUID
	for _, p := range chunk {
		for _, stream := range p.Streams {
			for _, e := range stream.Events {
				if _, fresh := p.fresh[e.Customer]; !fresh && e.Customer != uuid.Nil {
					known = append(known, e.Customer)
				}
			}
		}
	}
	if _, err := s.keys.Of(ctx, tenant, known); err != nil {
		return unavailable(err)
	}
	workers := runtime.GOMAXPROCS(0)
	group, ctx := errgroup.WithContext(ctx)
	for worker := range workers {
		group.Go(func() error {
			for i := worker; i < len(chunk); i += workers {
				if err := s.encode(ctx, chunk[i].prepared); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// copyPast writes a chunk behind the log's end and returns the new head.
func (s *Store) copyPast(ctx context.Context, tenant string, chunk []pastPrepared) (head int64, err error) {
	head, err = s.copyChunk(ctx, tenant, chunk)
	if keyring.Outdated(err) {
		batch := make([]*prepared, len(chunk))
		for i, p := range chunk {
			batch[i] = p.prepared
		}
		if err = s.wrapAnew(ctx, tenant, batch); err == nil {
			head, err = s.copyChunk(ctx, tenant, chunk)
		}
	}
	if err != nil && !errors.Is(err, ErrHistory) {
		return 0, fmt.Errorf("eventstore: load: %w", unavailable(err))
	}
	return head, err
}

func (s *Store) copyChunk(ctx context.Context, tenant string, chunk []pastPrepared) (head int64, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtextextended('append/' || $1, 0))`, tenant); err != nil {
			return err
		}
		var last time.Time
		err := tx.QueryRow(ctx, `select position, recorded_at from events where tenant = $1 order by position desc limit 1`, tenant).Scan(&head, &last)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		var events, keys [][]any
		for _, p := range chunk {
			if p.at.Before(last) {
				return ErrHistory
			}
			last = p.at
			for _, e := range p.events {
				head++
				var customer *uuid.UUID
				if e.customer != uuid.Nil {
					customer = &e.customer
				}
				events = append(events, []any{tenant, head, e.stream, e.version, e.name, e.typeVersion, customer, e.data, e.meta, p.at})
			}
			for _, k := range p.keys {
				keys = append(keys, []any{tenant, k.Customer, k.Generation, k.Master, k.Bytes, p.at})
			}
		}
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{"customer_keys"}, []string{"tenant", "customer", "generation", "master", "wrapped", "created_at"},
			pgx.CopyFromRows(keys)); err != nil {
			return err
		}
		_, err = tx.CopyFrom(ctx, pgx.Identifier{"events"}, []string{"tenant", "position", "stream", "version", "type", "type_version", "customer", "data", "meta", "recorded_at"},
			pgx.CopyFromRows(events))
		return err
	})
	return head, err
}
