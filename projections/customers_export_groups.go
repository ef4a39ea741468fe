package projections

import (
	"cmp"
	"maps"
	"slices"

	"customercenter/domain/group"
)

// exportGroups knows in which groups customers are, by the sets of their members.
type exportGroups struct {
	table setTable
	sets  []int64
	names []string          // of the sets
	rows  map[int][]*setRow // of the sets, by bucket
	keep  bool              // rows may be asked for again
}

func newExportGroups(a *answer, sets groupFacets, catalogue *group.State) (*exportGroups, error) {
	g := &exportGroups{rows: map[int][]*setRow{}}
	if sets == nil {
		return g, nil
	}
	schema, facets, err := sets(a.ctx, a.db, a.tenant, nil)
	if err != nil {
		return nil, err
	}
	g.table = setTable{schema, "group_bits", "facet"}
	byName := func(a, b group.Group) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), slices.Compare(a.ID[:], b.ID[:]))
	}
	for _, one := range slices.SortedFunc(maps.Values(catalogue.All), byName) {
		if set, served := facets[one.ID]; served {
			g.sets, g.names = append(g.sets, set), append(g.names, one.Name)
		}
	}
	return g, nil
}

// load reads the sets as far as they have to do with some customers.
func (g *exportGroups) load(a *answer, ordinals []int64) error {
	const atOnce = 64
	if g == nil || len(g.sets) == 0 {
		return nil
	}
	buckets := make([]int, 0, 64)
	for _, ordinal := range ordinals {
		if bucket := int(ordinal / bucketSize); len(buckets) == 0 || buckets[len(buckets)-1] != bucket {
			buckets = append(buckets, bucket)
		}
	}
	slices.Sort(buckets)
	buckets = slices.Compact(buckets)
	if !g.keep {
		maps.DeleteFunc(g.rows, func(bucket int, _ []*setRow) bool { return bucket < buckets[0] || bucket > buckets[len(buckets)-1] })
	}
	for len(buckets) > 0 {
		first, n := buckets[0], 0
		for n < min(len(buckets), atOnce) && buckets[n] == first+n && g.rows[buckets[n]] == nil {
			n++
		}
		if n == 0 { // it is known
			buckets = buckets[1:]
			continue
		}
		buckets = buckets[n:]
		found, err := a.sight.rows(a.ctx, g.table, g.sets, first, first+n-1)
		if err != nil {
			return err
		}
		for i := range n {
			of := make([]*setRow, len(g.sets))
			for set := range found {
				of[set] = found[set][i]
			}
			g.rows[first+i] = of
		}
	}
	return nil
}

// write writes the names of the groups in which a customer is, in their order.
func (g *exportGroups) write(cell []byte, ordinal int64, _ [][]byte) ([]byte, error) {
	first := true
	for set, row := range g.rows[int(ordinal/bucketSize)] {
		if !row.has(ordinal) {
			continue
		}
		if !first {
			cell = append(cell, cellSeparator)
		}
		cell, first = append(cell, g.names[set]...), false
	}
	return cell, nil
}
