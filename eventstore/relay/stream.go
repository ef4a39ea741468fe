package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// duplicates is how long the server remembers message ids. The expected sequence already keeps doubles out, so it is short: the
// server holds every id of this time in memory.
const duplicates = 2 * time.Second

// stream returns the event stream, made or changed as configured.
func (r *Relay) stream(ctx context.Context) (jetstream.Stream, error) {
	s, err := r.js.Stream(ctx, r.cfg.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		s, err = r.create(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("relay: stream %s: %w", r.cfg.Stream, err)
	}
	have := s.CachedInfo().Config
	if !slices.Contains(have.Subjects, Subjects) || have.Retention != jetstream.LimitsPolicy || have.Sealed {
		return nil, fmt.Errorf("relay: stream %s is not ours: it must hold %s by limits", r.cfg.Stream, Subjects)
	}
	want := have
	want.MaxAge, want.MaxBytes = r.cfg.MaxAge, r.cfg.MaxBytes
	if r.cfg.Replicas > 0 {
		want.Replicas = r.cfg.Replicas
	}
	// A replica that lags must not say where to go on.
	want.AllowDirect = false
	if want.MaxAge == have.MaxAge && want.MaxBytes == have.MaxBytes && want.Replicas == have.Replicas && want.AllowDirect == have.AllowDirect {
		return s, nil
	}
	changed, err := r.js.UpdateStream(ctx, want)
	if err != nil {
		// Other limits than wished for are no reason to carry nothing.
		slog.WarnContext(ctx, "relay: the stream's limits cannot be changed", "stream", r.cfg.Stream, "error", err)
		return s, nil
	}
	return changed, nil
}

// create makes the stream. Losing a race with another process is as good as winning it.
func (r *Relay) create(ctx context.Context) (jetstream.Stream, error) {
	config := jetstream.StreamConfig{
		Name:        r.cfg.Stream,
		Description: "The logs of all tenants, in order. Made from Postgres; it can be deleted and refilled.",
		Subjects:    []string{Subjects},
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardOld,
		Storage:     jetstream.FileStorage,
		MaxAge:      r.cfg.MaxAge,
		MaxBytes:    r.cfg.MaxBytes,
		Replicas:    max(r.cfg.Replicas, 1),
		Duplicates:  duplicates,
		DenyDelete:  true, // a single message taken out would be a hole; purging as a whole stays possible
	}
	if config.Replicas == 1 {
		// Nothing is lost with the stream, so it need not wait for the disk even where the server is told to.
		config.PersistMode = jetstream.AsyncPersistMode
	}
	s, err := r.js.CreateStream(ctx, config)
	var api *jetstream.APIError
	switch {
	case errors.Is(err, jetstream.ErrStreamNameAlreadyInUse):
		return r.js.Stream(ctx, r.cfg.Stream)
	case errors.As(err, &api) && config.PersistMode == jetstream.AsyncPersistMode:
		// A server before 2.12 may refuse what it does not know. Any other reason comes again.
		config.PersistMode = jetstream.DefaultPersistMode
		s, err = r.js.CreateStream(ctx, config)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return r.js.Stream(ctx, r.cfg.Stream)
		}
	}
	if err == nil {
		slog.InfoContext(ctx, "relay: stream made", "stream", r.cfg.Stream, "max_age", r.cfg.MaxAge, "max_bytes", r.cfg.MaxBytes)
	}
	return s, err
}
