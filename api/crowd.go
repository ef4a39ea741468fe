package api

import (
	"context"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/google/uuid"

	"customercenter/api/access"
)

// crowd counts what each token has under way that may take long: files on their way in and out, and what is being followed. It is safe for
// concurrent use.
type crowd struct {
	mu sync.Mutex
	of map[uuid.UUID]int
}

// enter counts one more, unless there are so many already. leave takes it away again.
func (c *crowd) enter(token uuid.UUID, most int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of[token] >= most {
		return false
	}
	if c.of == nil {
		c.of = map[uuid.UUID]int{}
	}
	c.of[token]++
	return true
}

func (c *crowd) leave(token uuid.UUID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of[token]--; c.of[token] <= 0 {
		delete(c.of, token)
	}
}

// spare lets a token have only so much under way at the same time. How often it may ask bounds what is soon done; this bounds the rest.
func (s *server) spare(ctx huma.Context, next func(huma.Context)) {
	about := requestOf(ctx.Context())
	if ctx.Operation().Metadata[streams] == nil || about.who.Token == uuid.Nil { // open to all
		next(ctx)
		return
	}
	if !s.crowd.enter(about.who.Token, s.bounds.streams) {
		_, w := humachi.Unwrap(ctx)
		p := newProblem(about.language, codeRateLimited, "", nil)
		p.set("Retry-After", "1")
		writeProblem(w, p)
		return
	}
	defer s.crowd.leave(about.who.Token)
	valid, over := context.WithCancel(ctx.Context())
	defer over()
	go s.attend(valid, over, about.who)
	next(huma.WithContext(ctx, valid))
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
