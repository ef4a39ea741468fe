package projections

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

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
	if a.surely() <= a.fewRows(len(own)) {
		return out, a.tallyRows(own, out)
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
	return a.tally(setTable{schema, "group_bits", "facet"}, values, out)
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

// fewRows is up to how many customers are counted by their rows, which costs less than reading so many sets in all buckets.
func (a *answer) fewRows(values int) int64 {
	const least, most = 1_000, 10_000
	buckets := a.lastBucket() - a.firstBucket() + 1
	return int64(min(max(values*buckets/2, least), most))
}

// tallyRows is tally for a small answer.
func (a *answer) tallyRows(values map[int64]facetValue, out map[string]map[string]int64) error {
	ordinals := a.all()
	if len(ordinals) == 0 || len(values) == 0 {
		return nil
	}
	sql, args := tallyRowsSQL(a.schema, a.tenant, ordinals)
	rows, err := a.db.Query(a.ctx, sql, append([]any{planned}, args...)...)
	if err != nil {
		return err
	}
	var tags []uuid.UUID
	var channel, via string
	var association int
	_, err = pgx.ForEachRow(rows, []any{&tags, &channel, &association, &via}, func() error {
		of := append(tagFacets(tags), facet(facetChannel, channel), facet(facetAssociation, strconv.Itoa(association)), facet(facetCreatedVia, via))
		for _, key := range of {
			if v, counted := values[key]; counted {
				out[v.facet][v.value]++
			}
		}
		return nil
	})
	return err
}

func tallyRowsSQL(schema, tenant string, ordinals []int64) (string, []any) {
	return in(schema, "select c.tags, c.channel, c.association, c.created_via from $.customer c where c.tenant = $1 and c.ordinal = any($2)"), []any{tenant, ordinals}
}

// tally counts how many of the answer are in each of some sets.
func (a *answer) tally(table setTable, values map[int64]facetValue, out map[string]map[string]int64) error {
	var buckets []int
	var bits []pgtype.Bits
	for bucket := a.firstBucket(); bucket <= a.lastBucket(); bucket++ {
		if b := a.span(bucket).lo; !b.empty() {
			buckets, bits = append(buckets, bucket), append(bits, b.value())
		}
	}
	if len(buckets) == 0 || len(values) == 0 {
		return nil
	}
	keys := make([]int64, 0, len(values))
	for key := range values {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	sql, args := tallySQL(a.tenant, table, keys, buckets, bits)
	if everybody, ok := a.root.(allOf); ok && len(everybody) == 0 && table.schema == a.schema {
		sql, args = totalsSQL(a.tenant, table, keys)
	}
	rows, err := a.db.Query(a.ctx, sql, append([]any{planned}, args...)...)
	if err != nil {
		return err
	}
	var key, n int64
	_, err = pgx.ForEachRow(rows, []any{&key, &n}, func() error {
		if n > 0 {
			out[values[key].facet][values[key].value] = n
		}
		return nil
	})
	return err
}

// tallySQL counts the common bits of an answer and of sets.
func tallySQL(tenant string, table setTable, keys []int64, buckets []int, bits []pgtype.Bits) (string, []any) {
	return fmt.Sprintf(`select x.%s, sum(bit_count(x.bits & a.bits))::bigint
		from unnest($3::int[], $4::bit(16384)[]) a(bucket, bits) join %s x on x.bucket = a.bucket
		where x.tenant = $1 and x.%s = any($2::bigint[]) and x.bucket between $5 and $6 group by x.%s`,
		table.key, table.sql(), table.key, table.key), []any{tenant, keys, buckets, bits, buckets[0], buckets[len(buckets)-1]}
}

// totalsSQL counts sets of the list, in which nobody is who is not on it.
func totalsSQL(tenant string, table setTable, keys []int64) (string, []any) {
	return fmt.Sprintf(`select x.%s, sum(bit_count(x.bits))::bigint from %s x where x.tenant = $1 and x.%s = any($2::bigint[]) group by x.%s`,
		table.key, table.sql(), table.key, table.key), []any{tenant, keys}
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
