package projector_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/customer"
	"customercenter/eventstore"
	"customercenter/eventstore/eventstoretest"
	"customercenter/projections"
	"customercenter/projections/projectionstest"
	"customercenter/projections/projector"
)

const benchEvents = 100_000

// history writes a log in about the proportions of real traffic.
func history(b *testing.B) (*eventstore.Store, int64) {
	b.Helper()
	store := projectionstest.Store(b, tenant)
	world := projectionstest.NewWorld(b, store, tenant, 1, 400)
	world.Run(benchEvents)
	return store, world.Head()
}

func perSecond(b *testing.B, events int64, took time.Duration) {
	b.ReportMetric(float64(events)/took.Seconds(), "events/s")
}

// What a rebuild is measured against: one goroutine that reads the log and opens every event.
func BenchmarkReadAndOpen(b *testing.B) {
	store, head := history(b)
	for b.Loop() {
		began := time.Now()
		for at := int64(0); at < head; {
			events, err := store.ReadLog(b.Context(), tenant, at, 2000)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := store.Open(b.Context(), events); err != nil {
				b.Fatal(err)
			}
			at = events[len(events)-1].Position
		}
		perSecond(b, head, time.Since(began))
	}
}

func BenchmarkRebuild(b *testing.B) {
	for _, d := range projections.Definitions() {
		b.Run(d.Name, func(b *testing.B) {
			store, head := history(b)
			p := open(b, store, 500, d)
			if err := p.EnsureBuilt(b.Context(), nil); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				began := time.Now()
				if _, err := p.Rebuild(b.Context(), d.Name, nil); err != nil {
					b.Fatal(err)
				}
				perSecond(b, head, time.Since(began))
			}
		})
	}
}

// The log is there already; batches of 500 as when it grows.
func BenchmarkLive(b *testing.B) {
	for _, d := range projections.Definitions() {
		b.Run(d.Name, func(b *testing.B) {
			store := projectionstest.Store(b, tenant)
			build := live(b, built(b, store, 500, d), d.Name) // while there is nothing
			world := projectionstest.NewWorld(b, store, tenant, 1, 400)
			world.Run(benchEvents)
			for b.Loop() {
				b.StopTimer()
				if _, err := store.Pool().Exec(b.Context(), `truncate projection_checkpoints`); err != nil {
					b.Fatal(err)
				}
				truncate(b, store, build)
				p := open(b, store, 500, d) // one that remembers no position
				b.StartTimer()
				began := time.Now()
				stop := run(b, p)
				caughtUp(b, p, d.Name, world.Head())
				perSecond(b, world.Head(), time.Since(began))
				stop()
			}
		})
	}
}

func truncate(b *testing.B, store *eventstore.Store, build projector.Build) {
	b.Helper()
	if _, err := store.Pool().Exec(b.Context(), `do $$ declare t text; begin
		for t in select format('%I.%I', schemaname, tablename) from pg_tables where schemaname = '`+build.Schema+`' loop
			execute 'truncate ' || t;
		end loop; end $$`); err != nil {
		b.Fatal(err)
	}
}

// From before an append until its event is served, at a thousand appends per second.
func BenchmarkAppendToVisible(b *testing.B) {
	var p *projector.Projector
	pool := eventstoretest.Pool(b)
	store := eventstore.New(pool, projectionstest.Codec(), eventstoretest.Keys(b, pool), eventstore.WithBell(func(tenant string, position int64) { p.Ring(tenant, position) }))
	if err := store.CreateTenant(b.Context(), tenant, tenant); err != nil {
		b.Fatal(err)
	}
	p = built(b, store, 1000, projections.CustomersDefinition())
	run(b, p)
	took := make([]time.Duration, 3000)
	for b.Loop() {
		var wait sync.WaitGroup
		next := time.NewTicker(time.Millisecond)
		for i := range took {
			<-next.C
			wait.Go(func() {
				began, id := time.Now(), uuid.New()
				done, err := store.Append(b.Context(), eventstore.Append{
					Tenant: tenant, ID: uuid.New(), Now: began, NewCustomers: []eventstore.NewCustomer{{ID: id, Generation: 1}},
					Streams: []eventstore.StreamAppend{{Stream: customer.Stream(id), Events: []eventstore.NewEvent{{
						Customer: id, Payload: customer.Created{Channel: "app", ExternalID: id.String(), Via: customer.ViaAPI, Generation: 1}}}}},
				})
				if err != nil {
					b.Error(err)
					return
				}
				if _, fresh, err := p.WaitFor(b.Context(), projections.CustomersName, tenant, done.Last, 10*time.Second); !fresh || err != nil {
					b.Error(fresh, err)
				}
				took[i] = time.Since(began)
			})
		}
		next.Stop()
		wait.Wait()
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}
