package projector

import (
	"context"
	"fmt"

	"customercenter/eventstore/lease"
)

// spread works on the partitions of one projection that this process holds the leases of. Processes of another version of the
// projection have leases of their own: they feed their own tables.
func (p *Projector) spread(ctx context.Context, def *Definition) error {
	return lease.Group{
		Pool: p.pool, Name: leaseName(def.Name, def.Version), Partitions: partitions,
		Run: func(ctx context.Context, partition int) error { return p.work(ctx, def, partition) },
	}.Loop(ctx)
}

// LeaseName is of the leases that whoever feeds a projection of this version takes part in.
func LeaseName(d Definition) string { return leaseName(d.Name, d.Version) }

func leaseName(name string, version int) string { return fmt.Sprintf("projector/%s/%d", name, version) }

// listen passes on the rings of other processes.
func (p *Projector) listen(ctx context.Context) {
	rings := p.config.Bells.Waiter(nil)
	defer rings.Close()
	for {
		select {
		case <-ctx.Done():
			return
		case <-rings.C():
			for tenant, position := range rings.Take() {
				p.Ring(tenant, position)
			}
		}
	}
}
