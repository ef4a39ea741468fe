package api

import (
	"context"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/internal/locale"
)

// crowd counts what each token, or each tenant, has under way. It is safe for concurrent use.
type crowd[K comparable] struct {
	mu sync.Mutex
	of map[K]int
}

// enter counts one more, unless there are so many already; most 0: any number. leave takes it away again.
func (c *crowd[K]) enter(who K, most int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if most > 0 && c.of[who] >= most {
		return false
	}
	if c.of == nil {
		c.of = map[K]int{}
	}
	c.of[who]++
	return true
}

func (c *crowd[K]) leave(who K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of[who]--; c.of[who] <= 0 {
		delete(c.of, who)
	}
}

// spare lets a tenant have only so many requests under way at the same time, those whose body is still to come included, and only so many answers that
// may take long: files on their way in and out, and what is being followed. Of those, a token may have only so many, too. How often it may ask bounds what
// is soon done; this bounds the rest.
func (s *server) spare(ctx huma.Context, next func(huma.Context)) {
	about := requestOf(ctx.Context())
	if about.who.Role == "" { // open to all
		next(ctx)
		return
	}
	refuse := func(limit string) {
		_, w := humachi.Unwrap(ctx)
		s.metrics.refuse(limit)
		writeProblem(w, tooMany(about.language))
	}
	if ctx.Operation().Metadata[streams] == nil {
		if !s.underWay.enter(about.who.Tenant, s.Limits.UnderWay) {
			refuse(limitUnderWay)
			return
		}
		defer s.underWay.leave(about.who.Tenant)
		next(ctx)
		return
	}
	if !s.streaming.enter(about.who.Tenant, s.Limits.Streams) {
		refuse(limitStreams)
		return
	}
	defer s.streaming.leave(about.who.Tenant)
	if about.who.Token == uuid.Nil { // somebody whom the process itself has let in
		next(ctx)
		return
	}
	if !s.crowd.enter(about.who.Token, s.bounds.streams) {
		refuse(limitStreams)
		return
	}
	defer s.crowd.leave(about.who.Token)
	valid, over := context.WithCancel(ctx.Context())
	defer over()
	go s.attend(valid, over, about.who)
	next(huma.WithContext(ctx, valid))
}

// tooMany tells a caller to ask again a little later.
func tooMany(l locale.Language) *Problem {
	p := newProblem(l, codeRateLimited, "", nil)
	p.set("Retry-After", "1")
	return p
}

// attend ends what is under way when its token is valid no more. While that cannot be found out, it goes on: nothing can be read then either.
func (s *server) attend(ctx context.Context, end context.CancelFunc, who access.Principal) {
	look := time.NewTicker(s.bounds.token)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			if valid, err := s.Tokens.Valid(ctx, who.Tenant, who.Token); err == nil && !valid {
				end()
			}
		}
	}
}
