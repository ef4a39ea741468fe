package projections

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"customercenter/domain/filter"
	"customercenter/domain/tag"
)

// answer is who matches a filter, as far as it is known. It belongs to one request.
type answer struct {
	ctx            context.Context
	db             reader
	schema, tenant string
	sight          *sight

	root node
	// live are all customers; nil if only customers can be in root.
	live   *setNode
	sets   []*setNode
	judged []*judgedNode
	ranges []*rangeNode
	flags  map[string]node // by facet, for whom it is true
	// from and to bound the ordinals, half-open; last is the last that was given.
	from, to, last int64

	loaded   map[int]bool
	spans    map[int]span // of buckets about which nothing new was learned since
	rejected map[int]*bitmap
	looked   int  // customers that were judged
	gathered bool // see gatherRest
}

// What is found out in which order: a condition that an index says few fulfil is settled before anybody is judged. So many customers
// are judged before the index of terms is searched, and so many before an index has to say of more who fulfils a condition.
const (
	gatherFirst = 5_000
	gatherMost  = 300_000
	judgedFirst = 200
	judgedMany  = 4_000
)

// question is what is asked of the customers.
type question struct {
	root   filter.Node
	agent  string // who owns or owned a session of the customer; empty: no condition
	at     time.Time
	cal    filter.Calendar
	tags   *tag.State
	groups groupFacets
	flags  []string // facets of yes and no that are to be counted
}

// reader is what a question is asked of: the pool, or one snapshot of the database.
type reader interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// newAnswer plans a question and finds out what plans are made with: the ordinals of times, and the few who fulfil a rare condition.
func newAnswer(ctx context.Context, s *sight, schema string, q *question) (*answer, error) {
	a := &answer{
		ctx: ctx, db: s.db, schema: schema, tenant: s.tenant, sight: s, flags: map[string]node{},
		loaded: map[int]bool{}, spans: map[int]span{}, rejected: map[int]*bitmap{},
	}
	p := &planner{a: a, at: q.at, cal: q.cal, tags: q.tags, groups: q.groups, known: map[string]*setNode{}}
	var err error
	if a.last, err = a.counters(p); err != nil {
		return nil, err
	}
	root, err := p.node(q.root)
	if err != nil {
		return nil, err
	}
	if q.agent != "" {
		root = all(p.set(facet(facetAgent, q.agent)), root)
	}
	a.root = root
	for _, name := range q.flags {
		if a.flags[name], err = p.yes(&filter.Condition{Field: name, Yes: true}); err != nil {
			return nil, err
		}
	}
	if !root.bounded() {
		live := p.set(facet(facetLive, ""))
		a.live = live.(*setNode)
	}
	if err := a.findOrdinals(); err != nil {
		return nil, err
	}
	for _, n := range a.judged {
		n.seen, n.yes, n.settled = map[int]*bitmap{}, map[int]*bitmap{}, map[int]bool{}
		if err := a.gather(n, gatherFirst); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// exact reports whether everything is known once the bitmaps are loaded.
func (a *answer) exact() bool {
	return !slices.ContainsFunc(a.judged, func(n *judgedNode) bool { return !n.complete })
}

// searchable reports whether the index of terms can find what has to be judged.
func (a *answer) searchable() bool {
	return slices.ContainsFunc(a.judged, func(n *judgedNode) bool { return !n.complete && n.arms != nil })
}

// counters reads the last ordinal, and the bounds of the periods.
func (a *answer) counters(p *planner) (last int64, err error) {
	rows, err := a.db.Query(a.ctx, in(a.schema, "select b.name, b.value from $.counter b where b.tenant = $1"), a.tenant)
	if err != nil {
		return 0, err
	}
	p.periods = [2]int64{0, -1} // none
	var name string
	var value int64
	_, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error {
		switch name {
		case ordinalCounter:
			last = value
		case firstPeriodCounter:
			p.periods[0] = value
		case lastPeriodCounter:
			p.periods[1] = value
		}
		return nil
	})
	return last, err
}

// findOrdinals finds the ranges of ordinals that ranges of creation are.
func (a *answer) findOrdinals() error {
	var times []time.Time
	var into []*int64
	first := func(at time.Time, to *int64) {
		if !at.IsZero() {
			times, into = append(times, at), append(into, to)
		}
	}
	for _, n := range a.ranges {
		n.to = math.MaxInt64
		first(n.createdFrom, &n.from)
		first(n.createdTo, &n.to)
	}
	ordinals, err := a.firstSince(times)
	if err != nil {
		return err
	}
	for i, ordinal := range ordinals {
		*into[i] = ordinal
	}
	a.from, a.to = 1, a.last+1
	parts, ok := a.root.(allOf)
	if !ok {
		parts = allOf{a.root}
	}
	for _, part := range parts {
		if n, ok := part.(*rangeNode); ok {
			a.from, a.to = max(a.from, n.from), min(a.to, n.to)
		}
	}
	return nil
}

// firstSince are the ordinals of the first customers who were created at or after times; beyond all ordinals if there is none.
func (a *answer) firstSince(times []time.Time) ([]int64, error) {
	if len(times) == 0 {
		return nil, nil
	}
	rows, err := a.db.Query(a.ctx, in(a.schema, `select coalesce((select b.ordinal from $.customer b where b.tenant = $1 and b.created_at >= t.at
		order by b.created_at, b.ordinal limit 1), $2) from unnest($3::timestamptz[]) with ordinality t (at, n) order by t.n`), a.tenant, int64(math.MaxInt64), times)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// gather settles a condition that an index says no more than so many fulfil.
func (a *answer) gather(n *judgedNode, most int) error {
	if n.gather == nil {
		return nil
	}
	args := arguments{a.tenant}
	sql := n.gather(&args)
	if !n.needed {
		sql += fmt.Sprintf(" limit %d", most+1)
	}
	var ordinals []int64 // as one value: many rows would cost thrice as much
	sql = in(a.schema, "select coalesce(array_agg(g.ordinal), '{}') from ("+sql+") g")
	if err := a.db.QueryRow(a.ctx, sql, append([]any{planned}, args...)...).Scan(&ordinals); err != nil {
		return err
	}
	if !n.needed && len(ordinals) > most {
		return nil
	}
	n.complete, n.yes = true, map[int]*bitmap{} // what was judged before is among them
	members(n.yes, ordinals)
	clear(a.spans)
	return nil
}

// gatherRest settles what an index can settle although it is much. It is tried once.
func (a *answer) gatherRest() (tried bool, err error) {
	if a.gathered {
		return false, nil
	}
	a.gathered = true
	for _, n := range a.judged {
		if n.gather == nil || n.complete {
			continue
		}
		if err := a.gather(n, gatherMost); err != nil {
			return true, err
		}
		tried = true
	}
	return tried, nil
}

// members adds ordinals to sets in the making.
func members(sets map[int]*bitmap, ordinals []int64) {
	for _, o := range ordinals {
		bucket := int(o / bucketSize)
		b := sets[bucket]
		if b == nil {
			b = new(bitmap)
			sets[bucket] = b
		}
		b.set(o)
	}
}

// span is who is, and who may be, in the answer. The bucket is loaded.
func (a *answer) span(bucket int) span {
	s, known := a.spans[bucket]
	if known {
		return s
	}
	s = a.root.span(bucket)
	bounds := between(bucket, a.from, a.to)
	if a.live != nil {
		bounds = bounds.and(a.live.rows[bucket])
	}
	if s.lo == s.hi {
		s = exactly(s.lo.and(bounds))
	} else {
		s = span{s.lo.and(bounds), s.hi.and(bounds).without(a.rejected[bucket])}
		if s.hi.without(s.lo).empty() {
			s = exactly(s.lo)
		}
	}
	if s.hi.empty() {
		s = span{}
	}
	a.spans[bucket] = s
	return s
}

// load reads the bitmaps of some buckets, both ends included.
func (a *answer) load(first, last int) error {
	for first <= last && a.loaded[first] {
		first++
	}
	for first <= last && a.loaded[last] {
		last--
	}
	if first > last {
		return nil
	}
	var tables []setTable
	sets := map[setTable][]int64{}
	for _, n := range a.sets {
		if sets[n.table] == nil {
			tables = append(tables, n.table)
		}
		sets[n.table] = append(sets[n.table], n.keys...)
	}
	for _, table := range tables {
		keys := sets[table]
		slices.Sort(keys)
		keys = slices.Compact(keys)
		rows, err := a.sight.rows(a.ctx, table, keys, first, last)
		if err != nil {
			return err
		}
		for _, n := range a.sets {
			if n.table == table {
				n.unite(keys, rows, first)
			}
		}
	}
	for bucket := first; bucket <= last; bucket++ {
		a.loaded[bucket] = true
		delete(a.spans, bucket)
	}
	return nil
}

// unite takes in rows of sets, sorted, of the buckets from first on.
func (n *setNode) unite(sets []int64, rows [][]*setRow, first int) {
	for _, key := range n.keys {
		i, _ := slices.BinarySearch(sets, key)
		for b, r := range rows[i] {
			if r.count == 0 {
				continue
			}
			if len(n.keys) == 1 {
				n.rows[first+b] = r.bitmap()
				continue
			}
			union := n.rows[first+b]
			if union == nil {
				union = new(bitmap)
				n.rows[first+b] = union
			}
			r.addTo(union)
		}
	}
}

func (t setTable) sql() string { return pgx.Identifier{t.schema, t.name}.Sanitize() }

// firstBucket and lastBucket are those in which the answer can be; the last lies before the first if it can be nowhere.
func (a *answer) firstBucket() int { return int(a.from / bucketSize) }

func (a *answer) lastBucket() int {
	if a.from >= a.to {
		return a.firstBucket() - 1
	}
	return int((a.to - 1) / bucketSize)
}

// loadAll reads the bitmaps of all buckets.
func (a *answer) loadAll() error {
	const once = 256 // half a megabyte for each set
	for first := a.firstBucket(); first <= a.lastBucket(); first += once {
		if err := a.load(first, min(first+once-1, a.lastBucket())); err != nil {
			return err
		}
	}
	return nil
}

// surely is how many are surely in the answer. All is loaded.
func (a *answer) surely() (n int64) {
	for bucket := a.firstBucket(); bucket <= a.lastBucket(); bucket++ {
		n += int64(a.span(bucket).lo.count())
	}
	return n
}

// within is how many with from <= ordinal < to are surely in the answer. All is loaded.
func (a *answer) within(from, to int64) (n int64) {
	from, to = max(from, a.from), min(to, a.to)
	for bucket := int(from / bucketSize); int64(bucket)*bucketSize < to; bucket++ {
		n += int64(a.span(bucket).lo.and(between(bucket, from, to)).count())
	}
	return n
}

// maybe is how many may be in the answer. All is loaded.
func (a *answer) maybe() (n int64) {
	for bucket := a.firstBucket(); bucket <= a.lastBucket(); bucket++ {
		n += int64(a.span(bucket).hi.count())
	}
	return n
}

// all are those surely in the answer, in the order of creation. All is loaded.
func (a *answer) all() (ordinals []int64) {
	for bucket := a.firstBucket(); bucket <= a.lastBucket(); bucket++ {
		ordinals = slices.AppendSeq(ordinals, a.span(bucket).lo.ordinals(bucket, true))
	}
	return ordinals
}
