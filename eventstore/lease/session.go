package lease

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// session is one connection's worth of taking part in a group. It belongs to one goroutine, but for wake.
type session struct {
	*Group
	conn *pgx.Conn
	runs map[int]*run // by partition; a partition is in here as long as we hold its lock

	mu        sync.Mutex
	awake     bool               // somebody wants the loop to look at once
	interrupt context.CancelFunc // of the pause the loop is in
}

// run is a partition at work.
type run struct {
	cancel  context.CancelFunc
	stopped bool          // asked to end, by cancel
	done    chan struct{} // closed when Run has ended and will not be called again
}

func (r *run) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// session connects, joins the group, and holds partitions until ctx ends or the connection is lost. All runs have ended when it
// returns; unless the connection was lost, the locks are given back after that.
func (g *Group) session(ctx context.Context) error {
	s := &session{Group: g, runs: map[int]*run{}}
	if err := s.join(ctx); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, s.wake)()
	for {
		err := s.tick(ctx)
		if err == nil && ctx.Err() != nil && len(s.runs) == 0 {
			s.leave()
			return nil
		}
		if err == nil {
			err = s.pause()
		}
		if err != nil {
			s.abandon()
			return err
		}
	}
}

// join connects and becomes a member.
func (s *session) join(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, max(s.Freeze, 2*time.Second))
	defer cancel()
	config := s.Pool.Config().ConnConfig.Copy()
	config.RuntimeParams["application_name"] = "customercenter lease " + s.Name
	// A client that the server has not heard of for so long is frozen or cut off.
	config.RuntimeParams["idle_session_timeout"] = fmt.Sprint(s.Freeze.Milliseconds())
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("lease: connect: %w", err)
	}
	s.conn = conn
	var now time.Time
	if err := conn.QueryRow(ctx, `select clock_timestamp()`).Scan(&now); err != nil {
		s.close()
		return fmt.Errorf("lease: join: %w", err)
	}
	if err := s.near(now); err != nil {
		s.close()
		return err
	}
	// The lock's key is the time of joining in hundredths of a second, so that members have an order: by age, then by pid. It
	// begins anew every 248 days, and then a member may count as younger than it is, which costs a partition's move.
	_, err = conn.Exec(ctx, `select pg_advisory_lock_shared($1, ((extract(epoch from clock_timestamp()) * 100)::bigint % 2147483648)::int)`,
		int32(memberClass(s.Name)))
	if err != nil {
		s.close()
		return fmt.Errorf("lease: join: %w", err)
	}
	return nil
}

// errClocks says that this process is to do none of the group's work for now. It gives its partitions back in order.
var errClocks = errors.New("lease: the clocks of this process and the database are too far apart, so it takes no part")

// near is an error if the database's clock, as it was a moment ago, is too far from this process's.
func (s *session) near(now time.Time) error {
	if apart := time.Since(now).Abs(); s.Clocks > 0 && apart > s.Clocks {
		return fmt.Errorf("%w: %s", errClocks, apart.Round(time.Second))
	}
	return nil
}

// leave gives up membership, so that others see at once that we are gone, and ends the connection.
func (s *session) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), s.Freeze/2)
	defer cancel()
	_, _ = s.conn.Exec(ctx, `select pg_advisory_unlock_all()`) // what fails here happens with the end of the connection
	s.close()
}

func (s *session) close() {
	ctx, cancel := context.WithTimeout(context.Background(), s.Freeze/4)
	defer cancel()
	_ = s.conn.Close(ctx) // what fails here is gone anyway
}

// abandon is what remains to be done when the connection is lost: the locks may be another's already, so all runs are cancelled at
// once. It waits for them, so that we do not come back beside ourselves.
func (s *session) abandon() {
	for _, r := range s.runs {
		r.cancel()
	}
	s.close()
	for _, r := range s.runs {
		<-r.done
	}
}

// tick looks round once: gives back what has ended, lets go of what is too much, takes what is free and due to us.
func (s *session) tick(ctx context.Context) error {
	// Well under Freeze: when an answer stays out, the runs must have been cancelled before the server ends the session.
	qctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Freeze/2)
	defer cancel()
	for p, r := range s.runs {
		if ctx.Err() != nil {
			r.stop()
		}
		if r.ended() {
			if err := s.unlock(qctx, p); err != nil {
				return err
			}
		}
	}
	quota, free, err := s.look(qctx)
	if errors.Is(err, errClocks) && len(s.runs) > 0 {
		for _, r := range s.runs {
			r.stop()
		}
		return nil // until they have ended
	}
	if err != nil || ctx.Err() != nil {
		return err
	}
	active := s.active()
	for len(active) > quota { // the highest numbers first, so that what stays is stable
		last := len(active) - 1
		s.runs[active[last]].stop()
		active = active[:last]
	}
	// Members that look at the same moment should not all try the same partition first.
	rand.Shuffle(len(free), func(i, j int) { free[i], free[j] = free[j], free[i] })
	for _, p := range free {
		if len(s.runs) >= quota { // those being stopped count: they are ours until they have ended
			break
		}
		if err := s.take(ctx, qctx, p); err != nil {
			return err
		}
	}
	return nil
}

// active lists the partitions at work and not being stopped, sorted.
func (s *session) active() []int {
	var active []int
	for p, r := range s.runs {
		if !r.stopped {
			active = append(active, p)
		}
	}
	slices.Sort(active)
	return active
}

// look asks who takes part and who holds what. quota is how many partitions are due to us: an equal share, and the remainder goes
// to the oldest members, so that a newcomer takes no more than it must.
func (s *session) look(ctx context.Context) (quota int, free []int, err error) {
	rows, err := s.conn.Query(ctx, `select classid = $1, pid = pg_backend_pid(), objid::bigint, clock_timestamp() from pg_locks
		where locktype = 'advisory' and objsubid = 2 and granted and classid in ($1, $2)
		and database = (select oid from pg_database where datname = current_database())
		order by objid, pid`, memberClass(s.Name), partitionClass(s.Name))
	if err != nil {
		return 0, nil, fmt.Errorf("lease: look: %w", err)
	}
	members, rank := 0, -1
	held := make([]bool, s.Partitions)
	ours := 0
	var member, mine bool
	var key int64
	var now time.Time
	_, err = pgx.ForEachRow(rows, []any{&member, &mine, &key, &now}, func() error {
		switch {
		case member && mine:
			rank = members
			members++
		case member:
			members++
		case key < int64(s.Partitions):
			held[key] = true
			if mine {
				ours++
			}
		}
		return nil
	})
	if err != nil {
		return 0, nil, fmt.Errorf("lease: look: %w", err)
	}
	if rank < 0 || ours != len(s.runs) {
		return 0, nil, errors.New("lease: the server does not know our locks any more; is there a connection pooler in between?")
	}
	if err := s.near(now); err != nil {
		return 0, nil, err
	}
	quota = s.Partitions / members
	if rank < s.Partitions%members {
		quota++
	}
	for p, h := range held {
		if !h {
			free = append(free, p)
		}
	}
	return quota, free, nil
}

// take tries to lock a partition and starts its run.
func (s *session) take(ctx, qctx context.Context, p int) error {
	var ok bool
	if err := s.conn.QueryRow(qctx, `select pg_try_advisory_lock($1, $2)`, int32(partitionClass(s.Name)), int32(p)).Scan(&ok); err != nil {
		return fmt.Errorf("lease: take: %w", err)
	}
	if !ok {
		return nil
	}
	runCtx, cancel := context.WithCancel(ctx)
	r := &run{cancel: cancel, done: make(chan struct{})}
	s.runs[p] = r
	go func() {
		defer s.wake()
		defer close(r.done)
		defer cancel()
		s.keepRunning(runCtx, p)
	}()
	return nil
}

// stop asks the run to end.
func (r *run) stop() {
	r.stopped = true
	r.cancel()
}

// unlock gives a partition back whose run has ended.
func (s *session) unlock(ctx context.Context, p int) error {
	if _, err := s.conn.Exec(ctx, `select pg_advisory_unlock($1, $2)`, int32(partitionClass(s.Name)), int32(p)); err != nil {
		return fmt.Errorf("lease: give back: %w", err)
	}
	delete(s.runs, p)
	return nil
}

// pause waits for the next tick. It reads from the connection meanwhile, so that its loss is noticed at once.
func (s *session) pause() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.Every)
	defer cancel()
	s.mu.Lock()
	if s.awake {
		cancel()
	}
	s.awake, s.interrupt = false, cancel
	s.mu.Unlock()
	err := s.conn.PgConn().WaitForNotification(ctx)
	s.mu.Lock()
	s.interrupt = nil
	s.mu.Unlock()
	if s.conn.IsClosed() {
		return fmt.Errorf("lease: the connection ended: %w", err)
	}
	if err != nil && !pgconn.Timeout(err) && ctx.Err() == nil {
		return fmt.Errorf("lease: wait: %w", err)
	}
	return nil
}

// wake makes the loop look at once. It may be called from anywhere.
func (s *session) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.awake = true
	if s.interrupt != nil {
		s.interrupt()
	}
}

// Pauses between two calls of Run that ended by themselves; a run that lasted longer than steady begins with the first again.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 10 * time.Second
	steady     = time.Minute
)

// keepRunning calls Run until ctx ends.
func (s *session) keepRunning(ctx context.Context, p int) {
	for pause := firstPause; ctx.Err() == nil; pause = min(2*pause, lastPause) {
		began := time.Now()
		err := s.call(ctx, p)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > steady {
			pause = firstPause
		}
		slog.ErrorContext(ctx, "lease: a run ended by itself and is started again", "group", s.Name, "partition", p, "pause", pause, "error", err)
		wait(ctx, pause)
	}
}

// call is Run with a panic turned into an error. The panic's own text may hold anything and is not logged unless the runtime wrote it.
func (s *session) call(ctx context.Context, p int) (err error) {
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		err = fmt.Errorf("lease: panic of type %T", r)
		if known, ok := r.(runtime.Error); ok {
			err = fmt.Errorf("lease: panic: %w", known)
		}
		slog.ErrorContext(ctx, "lease: panic", "group", s.Name, "partition", p, "stack", string(debug.Stack()))
	}()
	return s.Run(ctx, p)
}
