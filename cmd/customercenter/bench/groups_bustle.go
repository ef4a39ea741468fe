package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/session"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// What goes on while groups are worked on: somebody asks for pages of the list, and commands are carried out, both at a steady rate.
const (
	pagesPerSecond    = 20
	commandsPerSecond = 100
	fewestMeasured    = 5 // pages and commands, however short it is
	writers           = 100
)

// bustle is what people noticed.
type bustle struct {
	pages []time.Duration
	calls []call
	seen  sightings // by the read models, in the order of models
}

// visible is how long it took, from when each command was due, until a read model showed it.
func (s *bustle) visible(model string) []time.Duration {
	took := make([]time.Duration, 0, len(s.calls))
	for i, m := range models() {
		if m.Name != model {
			continue
		}
		for _, c := range s.calls {
			took = append(took, s.seen[i:i+1].since(c))
		}
	}
	return took
}

// answered is how long it took, from when each command was due, until it was carried out.
func (s *bustle) answered() []time.Duration {
	took := make([]time.Duration, len(s.calls))
	for i, c := range s.calls {
		took[i] = c.done.Sub(c.due)
	}
	return took
}

// bustling measures both while something is done. The engine must be running and show all there is.
func (b *groupsBench) bustling(ctx context.Context, engine *projector.Projector, do func(ctx context.Context) error) (*bustle, error) {
	seen := &bustle{seen: make(sightings, len(models()))}
	watching, endWatch := context.WithCancel(ctx)
	defer endWatch()
	watchers, watching := errgroup.WithContext(watching)
	for i, m := range models() {
		watchers.Go(func() (err error) {
			seen.seen[i], err = b.plant.watch(watching, engine, m.Name)
			return err
		})
	}
	busy, ctx := errgroup.WithContext(ctx)
	going, over := context.WithCancel(ctx)
	defer over()
	busy.Go(func() (err error) {
		seen.pages, err = b.askPages(ctx, going)
		return err
	})
	busy.Go(func() (err error) {
		seen.calls, err = b.giveCommands(ctx, going)
		return err
	})
	busy.Go(func() error {
		defer over()
		return do(ctx)
	})
	err := busy.Wait()
	if err == nil {
		err = b.shown(watching, engine, seen.calls)
	}
	endWatch()
	return seen, errors.Join(err, watchers.Wait())
}

// quiet is a while in which nothing else is done.
func (b *groupsBench) quiet(ctx context.Context) error {
	timer := time.NewTimer(time.Duration(b.Rounds) * b.Each)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// shown waits until both read models show what was written.
func (b *groupsBench) shown(ctx context.Context, engine *projector.Projector, calls []call) error {
	var last int64
	for _, c := range calls {
		last = max(last, c.position)
	}
	for _, m := range models() {
		if _, fresh, err := engine.WaitFor(ctx, m.Name, b.plant.tenant, last, tooLong); err != nil || !fresh {
			return fmt.Errorf("bench: %s does not show position %d: %w", m.Name, last, orLate(err))
		}
	}
	return nil
}

// askPages asks one page after the other while it is going on.
func (b *groupsBench) askPages(ctx, going context.Context) (took []time.Duration, err error) {
	y := b.list.year
	kinds := []question{
		everybody(), tagged("has_any", y.tags[0]).question(), all(tagged("has_any", y.tags[1]), channel(domain.ChannelApp)).question(),
		all(not(tagged("has_any", y.tags[0])), channel(domain.ChannelWechat)).question(), called("王").question(), called("小明").question(),
		is("created_at", "in", map[string]string{"period": "last_week"}, "").question(), tagged("has_any", y.tags[100]).question(),
		everybody().sorted(projections.SortLastSessionDesc, ""),
	}
	pace := newPace(pagesPerSecond)
	for i := 0; going.Err() == nil || i < fewestMeasured; i++ {
		pace.wait(going)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		_, each, err := b.list.ask(ctx, kinds[i%len(kinds)])
		if err != nil {
			return nil, err
		}
		took = append(took, each)
	}
	return took, nil
}

// giveCommands lets people write and tags customers while it is going on, however long each takes.
func (b *groupsBench) giveCommands(ctx, going context.Context) ([]call, error) {
	var mu sync.Mutex
	var calls []call
	group, ctx := errgroup.WithContext(ctx)
	pace := newPace(commandsPerSecond)
	for i := 0; (going.Err() == nil || i < fewestMeasured) && ctx.Err() == nil; i++ {
		due, n := pace.wait(going), b.written
		b.written++
		group.Go(func() error {
			done, err := b.command(n)(ctx)
			if err != nil {
				return fmt.Errorf("bench: command: %w", err)
			}
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, call{due: due, done: time.Now(), position: done.Position})
			return nil
		})
	}
	err := group.Wait()
	return calls, err
}

// command is the n-th: a message of one of the writers, or a tag put onto somebody, or taken off again.
func (b *groupsBench) command(n int) func(context.Context) (commands.Done, error) {
	return func(ctx context.Context) (commands.Done, error) {
		if n%2 == 0 {
			return commands.ReceiveMessage{Association: 1, ExternalID: fmt.Sprintf("writer-%d", n/2%writers),
				Message: commands.Message{ID: fmt.Sprintf("%s-%d", b.tag, n), Kind: session.KindText, Text: "你好，还有货吗？"}}.Run(ctx, b.plant.center, b.plant.by())
		}
		who := b.people[n/2%len(b.people)]
		if n/2/len(b.people)%2 == 0 {
			return commands.TagCustomer{Customer: who, Tag: b.tag}.Run(ctx, b.plant.center, b.plant.by())
		}
		return commands.UntagCustomer{Customer: who, Tag: b.tag}.Run(ctx, b.plant.center, b.plant.by())
	}
}

// noticed prints what people noticed, against the quiet.
func (b *groupsBench) noticed(when string, quiet, then *bustle) {
	against := func(what, note string, took, before []time.Duration) {
		most := Percentile(took, 100)
		b.report.Print(Line{Case: "groups " + what + ": p95", Unit: "ms", Value: Percentile(took, 95), Max: &most,
			Note: fmt.Sprintf("%d %s; baseline: in quiet, p50 %.1f ms, the slowest %.0f ms", len(took), note, Percentile(before, 50), Percentile(before, 100))}.Against(Percentile(before, 95)).Latency(took))
	}
	against("list pages "+when, fmt.Sprintf("pages at %d/s", pagesPerSecond), then.pages, quiet.pages)
	paced := fmt.Sprintf("commands at %d/s", commandsPerSecond)
	against("commands "+when, paced, then.answered(), quiet.answered())
	for _, model := range models() {
		against("commands "+when+" until visible in "+model.Name, paced, then.visible(model.Name), quiet.visible(model.Name))
	}
}
