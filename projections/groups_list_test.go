package projections

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/filter"
	"customercenter/domain/group"
	"customercenter/projections/projector"
)

// Whoever lists, counts or walks the members of a group while its rules are revised again and again gets those by one of the rules, and all of them.
func TestListByGroupWhileItsRulesAreRevised(t *testing.T) {
	w := newGroupWorld(t, 1, 100, 1000, 1)
	p, err := projector.New(projector.Config{Store: w.store, Definitions: Definitions()})
	if err != nil {
		t.Fatal(err)
	}
	w.build()
	if err := p.EnsureBuilt(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	const revisions, readers = 150, 3
	var members [2][]uuid.UUID // by the rules, which take turns
	for i := range 20 {
		which := 0
		if i%5 > 2 {
			which = 1
		}
		members[which] = append(members[which], w.NewCustomer([]string{"red", "blue"}[which]).ID)
	}
	rule := func(revision int) string {
		return fmt.Sprintf(`{"field":"nickname","op":"eq","value":%q}`, []string{"red", "blue"}[revision%2])
	}
	w.define(groupA, rule(0))
	w.settle()
	all := p.ByHand()
	defer all.Close()
	for more := true; more; {
		if more, err = all.Turn(t.Context(), groupTenant); err != nil {
			t.Fatal(err)
		}
	}

	catalogues := NewCatalogues(w.store)
	customers := NewCustomers(w.store, p, catalogues).WithGroups(NewGroups(w.store, p, catalogues))
	inGroup, err := filter.Parse(json.RawMessage(fmt.Sprintf(`{"field":"groups","op":"has_any","value":[%q]}`, groupA)), &filter.Language{Groups: true}, "filter")
	if err != nil {
		t.Fatal(err)
	}
	// oneOf reports whether these are the members by one of the rules.
	oneOf := func(ids []uuid.UUID) bool {
		slices.SortFunc(ids, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
		return slices.Equal(ids, members[0]) || slices.Equal(ids, members[1])
	}
	for i := range members {
		slices.SortFunc(members[i], func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	}
	asks := []func(context.Context) error{
		func(ctx context.Context) error {
			page, err := customers.List(ctx, groupTenant, ListQuery{Filter: inGroup, Facets: []string{FacetGroups}})
			if err != nil {
				return err
			}
			ids := make([]uuid.UUID, len(page.Items))
			for i := range page.Items {
				ids[i] = page.Items[i].ID
			}
			if n := int64(len(ids)); !oneOf(ids) || page.Count != (Count{Value: n, Exact: true}) || page.Facets[FacetGroups][groupA.String()] != n {
				return fmt.Errorf("%d members are listed, %+v counted, %v beside the list", n, page.Count, page.Facets)
			}
			return nil
		},
		func(ctx context.Context) error {
			count, err := customers.CountOf(ctx, groupTenant, ListQuery{Filter: inGroup}, time.Minute)
			if err == nil && (!count.Exact || count.Value != int64(len(members[0])) && count.Value != int64(len(members[1]))) {
				err = fmt.Errorf("%+v are counted", count)
			}
			return err
		},
		func(ctx context.Context) error {
			found, err := customers.Matching(ctx, groupTenant, inGroup, filter.Calendar{Zone: time.UTC}, time.Now(), 0, 100)
			if err != nil {
				return err
			}
			ids := make([]uuid.UUID, len(found))
			for i := range found {
				ids[i] = found[i].ID
			}
			if !oneOf(ids) {
				return fmt.Errorf("%d members match", len(ids))
			}
			return nil
		},
	}
	done, failed := make(chan struct{}), make(chan error, readers)
	var reading sync.WaitGroup
	for i := range readers {
		reading.Go(func() {
			for {
				if err := asks[i%len(asks)](t.Context()); err != nil {
					failed <- err
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for revision := 1; revision <= revisions; revision++ {
		w.revise(groupA, revision+1, rule(revision))
		w.settle()
		if s := w.status(groupA); s.Revision != revision+1 || s.Filling != nil {
			t.Errorf("after revision %d: %+v", revision+1, s)
		}
	}
	close(done)
	reading.Wait()
	select {
	case err := <-failed:
		t.Fatal(err)
	default:
	}
	w.Append(group.Stream, uuid.Nil, group.Deleted{Group: groupA})
	w.settle()
	if err := asks[0](t.Context()); err == nil {
		t.Fatal("a group that has ended is listed")
	}
}
