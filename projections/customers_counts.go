package projections

import (
	"maps"
	"runtime"
	"slices"
	"strconv"
	"sync"

	"customercenter/domain"
	"customercenter/domain/association"
	"customercenter/domain/customer"
)

// Facets: what the customers of a list can be counted by.
const (
	FacetTags        = "tags"
	FacetGroups      = "groups"
	FacetChannel     = "channel"
	FacetAssociation = "association"
	FacetCreatedVia  = "created_via"
	FacetBlacklisted = "blacklisted"
	FacetSessionOpen = "session_open"
	FacetEverServed  = "ever_served"
)

// Facets are all facets.
func Facets() []string {
	return []string{FacetTags, FacetGroups, FacetChannel, FacetAssociation, FacetCreatedVia, FacetBlacklisted, FacetSessionOpen, FacetEverServed}
}

// isFlag reports whether a facet has the values true and false.
func isFlag(name string) bool {
	return name == FacetBlacklisted || name == FacetSessionOpen || name == FacetEverServed
}

// count is how many there are. w is a walk that has found so many from the beginning; nil: there is none.
//
// It is exact if sets decide; else the walk goes on to a bound, within a budget.
func (a *answer) count(w *walk, found, bound int, until budget) (Count, error) {
	if a.exact() {
		if err := a.loadAll(); err != nil {
			return Count{}, err
		}
		return Count{Value: a.surely(), Exact: true}, nil
	}
	if w == nil {
		w, found = a.walk(false, 0), 0
	}
	rest, err := w.next(bound+1-found, until)
	if err != nil {
		return Count{}, err
	}
	found += len(rest)
	return Count{Value: int64(min(found, bound)), Exact: found <= bound && w.ended()}, nil
}

// facetValue is one value of a facet.
type facetValue struct{ facet, value string }

// facets counts the customers of an answer that is known by the values of facets. Values that nobody has are absent.
func (a *answer) facets(q *question, names []string, associations *association.State) (map[string]map[string]int64, error) {
	if err := a.loadAll(); err != nil { // a page from the middle needs less
		return nil, err
	}
	out := map[string]map[string]int64{}
	own := map[int64]facetValue{}
	for _, name := range names {
		out[name] = map[string]int64{}
		add := func(kind facetKind, value string) { own[facet(kind, value)] = facetValue{name, value} }
		switch name {
		case FacetTags:
			for id := range q.tags.Names {
				add(facetTag, id.String())
			}
		case FacetChannel:
			for _, channel := range domain.Channels() {
				add(facetChannel, channel)
			}
		case FacetAssociation:
			for _, of := range associations.All {
				add(facetAssociation, strconv.Itoa(of.ID))
			}
		case FacetCreatedVia:
			for _, via := range []string{customer.ViaInbound, customer.ViaImport, customer.ViaAPI} {
				add(facetCreatedVia, via)
			}
		case FacetGroups:
			if err := a.groupFacets(q.groups, out); err != nil {
				return nil, err
			}
		default:
			a.flagFacet(name, out[name])
		}
	}
	return out, a.tally(setTable{a.schema, "customer_bits", "facet"}, own, out)
}

func (a *answer) groupFacets(groups groupFacets, out map[string]map[string]int64) error {
	if groups == nil {
		return nil
	}
	schema, facets, err := groups(a.ctx, a.db, a.tenant, nil)
	if err != nil {
		return err
	}
	values := map[int64]facetValue{}
	for id, key := range facets {
		values[key] = facetValue{FacetGroups, id.String()}
	}
	return a.tally(setTable{schema, groupBits, "facet"}, values, out)
}

// flagFacet counts who is in a set that the plan has loaded, and who is not.
func (a *answer) flagFacet(name string, counts map[string]int64) {
	var yes int64
	for bucket := a.firstBucket(); bucket <= a.lastBucket(); bucket++ {
		yes += int64(a.span(bucket).lo.and(a.flags[name].span(bucket).lo).count())
	}
	if yes > 0 {
		counts["true"] = yes
	}
	if no := a.surely() - yes; no > 0 {
		counts["false"] = no
	}
}

// tally counts how many of the answer are in each of some sets. All is loaded.
func (a *answer) tally(table setTable, values map[int64]facetValue, out map[string]map[string]int64) error {
	first, last := a.firstBucket(), a.lastBucket()
	if first > last || len(values) == 0 {
		return nil
	}
	keys := slices.Sorted(maps.Keys(values))
	rows, err := a.sight.rows(a.ctx, table, keys, first, last)
	if err != nil {
		return err
	}
	who, sizes := make([]*bitmap, last-first+1), make([]int, last-first+1)
	for i := range who {
		who[i] = a.span(first + i).lo
		sizes[i] = who[i].count()
		if a.live != nil && table == a.live.table && who[i] == a.live.rows[first+i] {
			who[i] = everyone // whoever is in a set of this table is on the list
		}
	}
	counts := make([]int64, len(keys))
	var counting sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for first := range workers {
		counting.Go(func() {
			for i := first; i < len(keys); i += workers {
				for b, r := range rows[i] {
					counts[i] += int64(r.common(who[b], sizes[b]))
				}
			}
		})
	}
	counting.Wait()
	for i, key := range keys {
		if counts[i] > 0 {
			out[values[key].facet][values[key].value] = counts[i]
		}
	}
	return nil
}

// tell is count without a bound: it goes on until the budget is spent.
func (a *answer) tell(until budget) (Count, error) {
	if a.exact() {
		return a.count(nil, 0, 0, until)
	}
	const piece = 10_000
	w := a.walk(false, 0)
	w.judging.size = piece
	var n int64
	for {
		found, err := w.next(piece, until)
		if err != nil {
			return Count{}, err
		}
		n += int64(len(found))
		if len(found) < piece || w.ended() {
			return Count{Value: n, Exact: w.ended()}, nil
		}
	}
}
