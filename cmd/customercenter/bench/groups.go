package bench

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/filter"
	"customercenter/eventstore"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// Groups measures groups that keep themselves, over a year of a customer center that has four: previews, a rule that is defined and one that is
// revised, a midnight of the calendar, a build from zero, and what groups cost the feeding of the read models. While rules are filled and the
// clock moves, people list customers and commands are carried out, and what they notice of it is measured against the same in quiet.
//
// Where something is to be compared with plain SQL, that works on a narrow copy of what the rules read. It writes down who is a member and nothing
// else: not since when, not why, no history, nothing to publish.
type Groups struct {
	// URL is of a database that is empty, or that an earlier run has filled with as many customers: then it is used again.
	URL       string
	Rounds    int
	Each      time.Duration // half of how long the quiet is measured, in each round
	Customers int
	Events    int    // channel events of which the logs of the last part are made
	Kinds     string // if not empty, only the parts whose name contains it
}

type groupsBench struct {
	Groups
	report    *Report
	plant     *plant
	list      *listBench // the year, and who asks for pages of the list
	schema    string     // of the read model of groups
	customers *projections.Customers
	groups    *projections.Groups
	running   atomic.Pointer[projector.Projector] // rung by every append
	people    []uuid.UUID                         // some customers, to whom something happens meanwhile
	tag       uuid.UUID                           // what happens to them
	written   int                                 // commands given
	regular   *ruled                              // the group that is defined and revised
}

// Run prints some lines per part.
func (g Groups) Run(ctx context.Context, report *Report) (err error) {
	b := &groupsBench{Groups: g, report: report}
	if b.plant, err = connectPlant(ctx, g.URL, "bench", eventstore.WithBell(b.ring)); err != nil {
		return err
	}
	defer b.plant.close()
	if err := b.prepare(ctx); err != nil {
		return err
	}
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{{"preview", b.preview}, {"define", b.define}, {"revise", b.revise}, {"midnight", b.midnight}, {"rebuild", b.rebuild}, {"mix", b.mix}} {
		if !strings.Contains(part.name, g.Kinds) {
			continue
		}
		if err := part.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// ring tells whoever runs of what was appended.
func (b *groupsBench) ring(tenant string, position int64) {
	if engine := b.running.Load(); engine != nil {
		engine.Ring(tenant, position)
	}
}

// start runs a projector, as in a process that has just been started, until stop is called.
func (b *groupsBench) start(ctx context.Context, models ...projector.Definition) (measured context.Context, engine *projector.Projector, stop func() error, err error) {
	// The log's clock may be ahead of the one on the wall, see jump: left to itself, a projector does not follow such a clock.
	if engine, err = projector.New(projector.Config{Store: b.plant.store, Definitions: models, Watermark: b.plant.store.Watermark}); err != nil {
		return nil, nil, nil, err
	}
	b.running.Store(engine)
	measured, end := running(ctx, engine.Run)
	return measured, engine, func() error {
		b.running.CompareAndSwap(engine, nil)
		return end()
	}, nil
}

// fed does something while the read models are fed, from when they show all there is.
func (b *groupsBench) fed(ctx context.Context, do func(ctx context.Context, engine *projector.Projector) error) (err error) {
	measured, engine, stop, err := b.start(ctx, models()...)
	if err != nil {
		return err
	}
	defer func() {
		if ended := stop(); err == nil {
			err = ended
		}
	}()
	if err := b.settled(measured, engine); err != nil {
		return err
	}
	return do(measured, engine)
}

// settled waits until both read models show the log, and the clock of groups is where the log is.
func (b *groupsBench) settled(ctx context.Context, engine *projector.Projector) error {
	head, at, err := b.plant.store.Watermark(ctx, b.plant.tenant)
	if err != nil {
		return err
	}
	for _, model := range models() {
		if _, fresh, err := engine.WaitFor(ctx, model.Name, b.plant.tenant, head, tooLong); err != nil || !fresh {
			return fmt.Errorf("bench: %s does not show position %d: %w", model.Name, head, orLate(err))
		}
	}
	return b.clockAt(ctx, at.Add(-clockLag))
}

// clockLag is how far the clock of a read model that has nothing to do may be behind.
const clockLag = 2 * time.Minute

// clockAt waits until the clock of the served build of groups has reached an instant: all that fell due by then has been done.
func (b *groupsBench) clockAt(ctx context.Context, at time.Time) error {
	return until(ctx, seldom, func() (reached bool, err error) {
		err = b.plant.pool.QueryRow(ctx, `select clock >= $3 from projection_checkpoints where tenant = $1
			and build = (select build from projection_live where name = $2 order by version desc limit 1)`, b.plant.tenant, projections.GroupsName, at).Scan(&reached)
		if err != nil {
			return false, fmt.Errorf("bench: clock: %w", err)
		}
		return reached, nil
	})
}

// orLate is the error, or that something took too long.
func orLate(err error) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("bench: it took longer than %s", tooLong)
}

// ruled is a group of the bench and its rule.
type ruled struct {
	id   uuid.UUID
	rule condition
}

// defineGroup defines a group and waits until its members are known. What it returns began when the command did.
func (b *groupsBench) defineGroup(ctx context.Context, name string, rule condition) (*ruled, time.Duration, error) {
	began := time.Now()
	done, err := commands.DefineGroup{Name: fmt.Sprintf("%s %d", name, began.UnixMilli()), Rule: []byte(rule.json)}.Run(ctx, b.plant.center, b.plant.by())
	if err != nil {
		return nil, 0, fmt.Errorf("bench: define a group: %w", err)
	}
	err = b.complete(ctx, done.Group, 1)
	return &ruled{done.Group, rule}, time.Since(began), err
}

// complete waits until the members by a revision of a group's rule are served.
func (b *groupsBench) complete(ctx context.Context, id uuid.UUID, revision int) error {
	return until(ctx, seldom, func() (bool, error) {
		known, err := b.groups.Status(ctx, b.plant.tenant)
		return known[id].Revision == revision && known[id].Filling == nil, err
	})
}

// matching counts who matches a filter now; groups are a field like any other.
func (b *groupsBench) matching(ctx context.Context, json string) (int64, error) {
	f, err := filter.Parse([]byte(json), &filter.Language{Groups: true}, "filter")
	if err != nil {
		return 0, fmt.Errorf("bench: filter: %w", err)
	}
	count, err := b.customers.CountOf(ctx, b.plant.tenant, projections.ListQuery{Filter: f, Calendar: b.list.calendar, At: b.list.at}, time.Minute)
	if err == nil && !count.Exact {
		err = fmt.Errorf("bench: the members of a group cannot be counted within a minute")
	}
	return count.Value, err
}

// members counts a group, and fails unless those who match its rule are as many.
func (b *groupsBench) members(ctx context.Context, g *ruled) (int64, error) {
	n, err := b.matching(ctx, inGroup(g.id).json)
	if err != nil {
		return 0, err
	}
	match, err := b.matching(ctx, g.rule.json)
	if err == nil && match != n {
		err = fmt.Errorf("bench: a group has %d members, and %d customers match its rule", n, match)
	}
	return n, err
}

func inGroup(id uuid.UUID) condition {
	return is("groups", "has_any", []uuid.UUID{id}, "")
}

// regulars are rules of which one matches about 30 % of the year's customers. None of them depends on the clock.
func regulars() []condition {
	came := is("session_count", "gte", 1, "session_count >= 1")
	again := is("session_count", "gte", 2, "session_count >= 2")
	unknown := is("phone", "not_set", nil, "phone = ''")
	wechat, app, web := channel(domain.ChannelWechat), channel(domain.ChannelApp), channel(domain.ChannelWeb)
	return []condition{all(wechat, came), all(wechat, unknown), all(either(wechat, web), came, unknown), all(app, unknown), all(app, came), all(came, not(wechat)), all(not(app), again),
		either(again, web)}
}

// seconds prints how long something took; the baseline is what plain SQL took.
func (b *groupsBench) seconds(what string, took, plainly time.Duration, note string) {
	b.report.Print(Line{Case: "groups " + what, Unit: "s", Value: took.Seconds(), Note: note}.Against(plainly.Seconds()))
}
