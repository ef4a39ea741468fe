package api

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"customercenter/eventstore"
	"customercenter/eventstore/bell"
	"customercenter/eventstore/tenancy"
)

const (
	// tailSweep is after what time a tail looks at the log though no bell rang: a ring may be lost.
	tailSweep = time.Second
	// tailRest is how long a tail lets events come together before it looks again, so that however much is written, who listens is woken some
	// dozens of times a second.
	tailRest = 20 * time.Millisecond
)

// tails are the ends of logs that are followed live in this process: of each tenant one reader, however many listen. It is safe for
// concurrent use.
type tails struct {
	store *eventstore.Store
	bells *bell.Listener // nil: there are none
	log   *slog.Logger

	mu sync.Mutex
	of map[string]*tail // by tenant, as long as somebody listens
}

// tail is the end of one log. It keeps the page that was read last, and nothing before it: who is slower reads the log.
type tail struct {
	tenant    string
	listeners int // guarded by tails.mu
	end       context.CancelFunc

	mu    sync.Mutex
	page  *tailPage
	moved chan struct{} // closed when there is another page
}

// listen begins to listen; head is a position that the caller has seen, of the log of that epoch. leave ends it.
func (t *tails) listen(tenant string, head int64, epoch string) *tail {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.of[tenant]
	if l == nil {
		ctx, cancel := context.WithCancel(tenancy.Narrow(context.Background(), tenant))
		l = &tail{tenant: tenant, end: cancel, page: newTailPage(ctx, t.store, epoch, head, head, nil), moved: make(chan struct{})}
		t.of[tenant] = l
		go l.run(ctx, t)
	}
	l.listeners++
	return l
}

func (t *tails) leave(l *tail) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l.listeners--; l.listeners == 0 {
		l.end()
		delete(t.of, l.tenant)
	}
}

// now is the last page, which is replaced when moved is closed.
func (l *tail) now() (page *tailPage, moved <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.page, l.moved
}

func (l *tail) turn(page *tailPage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.page = page
	close(l.moved)
	l.moved = make(chan struct{})
}

// run reads what is appended, page after page.
func (l *tail) run(ctx context.Context, t *tails) {
	var rings <-chan struct{}
	if t.bells != nil {
		waiter := t.bells.Waiter(func(tenant string) bool { return tenant == l.tenant })
		defer waiter.Close()
		rings = waiter.C()
	}
	sweep := time.NewTicker(tailSweep)
	defer sweep.Stop()
	epoch, last, failed := l.page.epoch, l.page.last, false
	for ctx.Err() == nil {
		events, err := t.store.ReadLog(ctx, l.tenant, last, eventPage)
		if err == nil {
			var other string
			if other, err = t.other(ctx, l.tenant, epoch, &last); other != "" && err == nil {
				epoch = other
				l.turn(newTailPage(ctx, t.store, epoch, last, last, nil))
				continue
			}
		}
		if err != nil && ctx.Err() == nil && !failed { // those who listen need not notice: it is tried again at every sweep
			t.log.WarnContext(ctx, "api: the end of the log cannot be read", "tenant", l.tenant, "error", err)
		}
		failed = err != nil
		if err == nil && len(events) > 0 {
			page := newTailPage(ctx, t.store, epoch, last, events[len(events)-1].Position, events)
			last = page.last
			l.turn(page)
			pause(ctx, tailRest)
			continue
		}
		select {
		case <-rings:
		case <-sweep.C:
		case <-ctx.Done():
		}
	}
}

// other looks whether the log is another one than that of an epoch: it was restored from a backup. Then it says which, and where that ends. Asked after a
// page was read, so that no page of one log is told as one of the other.
func (t *tails) other(ctx context.Context, tenant, epoch string, head *int64) (string, error) {
	now, err := t.store.Epoch(ctx)
	if err != nil || now.String() == epoch {
		return "", err
	}
	*head, err = t.store.Head(ctx, tenant)
	return now.String(), err
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// tailPage is a piece of the log, with what is told of it.
type tailPage struct {
	epoch       string // of the log
	after, last int64  // it reaches from behind the one up to the other
	events      []eventstore.Event
	// What is told of each event, to those who see personal data and to those who do not. It is made when first asked for.
	open, masked func() ([][]byte, error)
}

func newTailPage(ctx context.Context, store *eventstore.Store, epoch string, after, last int64, events []eventstore.Event) *tailPage {
	tell := func(masked bool) func() ([][]byte, error) {
		var mu sync.Mutex
		var texts [][]byte
		return func() ([][]byte, error) {
			mu.Lock()
			defer mu.Unlock()
			if texts != nil {
				return texts, nil
			}
			told, err := (&reader{store: store, masked: masked}).open(ctx, slices.Clone(events)) // the others are told of the same events
			if err != nil {
				return nil, err // who listens next tries again
			}
			all := make([][]byte, len(events))
			for i := range all {
				e := told(i)
				b := strconv.AppendInt([]byte("id: "), e.Position, 10)
				all[i] = append(e.appendJSON(append(b, "\ndata: "...)), "\n\n"...)
			}
			texts = all
			return texts, nil
		}
	}
	return &tailPage{epoch: epoch, after: after, last: last, events: events, open: tell(false), masked: tell(true)}
}

// tell is what a page has for a reading, which is behind it then.
func (r *reading) tell(page *tailPage) (text []byte, err error) {
	var texts [][]byte
	for i := range page.events {
		if e := &page.events[i]; e.Position <= r.after || e.Position < r.from || !r.wants(e) {
			continue
		}
		if texts == nil {
			if texts, err = page.texts(r.masked); err != nil {
				return nil, err
			}
		}
		text = append(text, texts[i]...)
	}
	r.after = max(r.after, page.last)
	return text, nil
}

func (p *tailPage) texts(masked bool) ([][]byte, error) {
	if masked {
		return p.masked()
	}
	return p.open()
}
