package policies

import (
	"context"
	"hash/fnv"
	"sync"
	"time"
)

func partitionOf(tenant string) int {
	h := fnv.New32a()
	h.Write([]byte(tenant))
	return int(h.Sum32() % partitions)
}

// part is a partition of the tenants that this process holds the lease of.
type part struct {
	*Runner
	partition int
	workers   map[place]*worker
	running   sync.WaitGroup
}

// place is one policy and one tenant.
type place struct {
	policy *policy
	tenant string
}

// work runs all policies for the tenants of a partition until ctx ends.
func (r *Runner) work(ctx context.Context, partition int) error {
	p := &part{Runner: r, partition: partition, workers: map[place]*worker{}}
	defer p.running.Wait()
	var rung <-chan struct{}
	take := func() map[string]int64 { return nil }
	if r.config.Bells != nil {
		rings := r.config.Bells.Waiter(func(tenant string) bool { return partitionOf(tenant) == partition })
		defer rings.Close()
		rung, take = rings.C(), rings.Take
	}
	sweep := time.NewTicker(r.config.Sweep)
	defer sweep.Stop()
	p.look(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-rung:
			for tenant := range take() {
				for _, policy := range r.policies {
					p.wake(ctx, place{policy, tenant}, false)
				}
			}
		case <-sweep.C:
			p.look(ctx)
		}
	}
}

// look wakes everything that has something to do.
func (p *part) look(ctx context.Context) {
	all, err := p.Status(ctx)
	if err != nil {
		if ctx.Err() == nil {
			p.log.WarnContext(ctx, "policies: the log cannot be looked at", "error", err)
		}
		return
	}
	for _, s := range all {
		if partitionOf(s.Tenant) != p.partition || s.Lag() == 0 && !s.Due {
			continue
		}
		for _, policy := range p.policies {
			if policy.name == s.Policy {
				p.wake(ctx, place{policy, s.Tenant}, true)
			}
		}
	}
}

// wake has a policy look at a tenant. swept says that what is due is to be looked at too, and that the position is to be written down.
func (p *part) wake(ctx context.Context, at place, swept bool) {
	w := p.workers[at]
	if w == nil {
		w = &worker{Runner: p.Runner, policy: at.policy, tenant: at.tenant}
		p.workers[at] = w
	}
	if w.wanted(swept) {
		p.running.Go(func() { w.run(ctx) })
	}
}

// wait pauses, no longer than ctx lives.
func wait(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
