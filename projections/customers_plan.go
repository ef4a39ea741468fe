package projections

import (
	"fmt"
	"slices"
	"time"

	"customercenter/domain/filter"
	"customercenter/domain/tag"
)

// A filter becomes a tree of sets. A leaf is a set that the database has as bitmaps, a range of ordinals, or a condition that has to be
// judged customer by customer. Of every leaf, and so of every node, it is known who is surely in it and who may be; only those between
// are ever looked at, and once nobody is between any more the answer is exact.

// span is what is known of a set in one bucket: lo are surely in it, hi may be. lo is a part of hi.
type span struct{ lo, hi *bitmap }

func exactly(b *bitmap) span { return span{b, b} }

// node is a part of a plan.
type node interface {
	// span is what is known now, of a bucket whose bitmaps are loaded.
	span(bucket int) span
	// bounded reports whether only customers who are on the list are in it.
	bounded() bool
}

type (
	allOf []node // everybody, if there are none
	anyOf []node // nobody, if there are none
	notIn struct{ node }
)

func (n allOf) span(bucket int) span {
	out := exactly(everyone)
	for _, part := range n {
		s := part.span(bucket)
		if out.lo == out.hi && s.lo == s.hi {
			out = exactly(out.lo.and(s.lo))
		} else {
			out = span{out.lo.and(s.lo), out.hi.and(s.hi)}
		}
		if out.hi == nil {
			return span{}
		}
	}
	return out
}

func (n anyOf) span(bucket int) (out span) {
	for _, part := range n {
		s := part.span(bucket)
		if out.lo == out.hi && s.lo == s.hi {
			out = exactly(out.lo.or(s.lo))
		} else {
			out = span{out.lo.or(s.lo), out.hi.or(s.hi)}
		}
	}
	return out
}

func (n notIn) span(bucket int) span {
	s := n.node.span(bucket)
	if s.lo == s.hi {
		return exactly(everyone.without(s.lo))
	}
	return span{everyone.without(s.hi), everyone.without(s.lo)}
}

func (n allOf) bounded() bool { return slices.ContainsFunc(n, node.bounded) }
func (n anyOf) bounded() bool {
	return !slices.ContainsFunc(n, func(part node) bool { return !part.bounded() })
}
func (n notIn) bounded() bool { return false }

// all is allOf without needless parts.
func all(parts ...node) node {
	var out allOf
	for _, part := range parts {
		switch part := part.(type) {
		case allOf:
			out = append(out, part...)
		case anyOf:
			if len(part) == 0 {
				return part
			}
			out = append(out, part)
		default:
			out = append(out, part)
		}
	}
	if len(out) == 1 {
		return out[0]
	}
	return out
}

// either is anyOf without needless parts.
func either(parts ...node) node {
	var out anyOf
	for _, part := range parts {
		switch part := part.(type) {
		case anyOf:
			out = append(out, part...)
		case allOf:
			if len(part) == 0 {
				return part
			}
			out = append(out, part)
		default:
			out = append(out, part)
		}
	}
	if len(out) == 1 {
		return out[0]
	}
	return out
}

// not is notIn without needless parts.
func not(part node) node {
	switch part := part.(type) {
	case notIn:
		return part.node
	case allOf:
		if len(part) == 0 {
			return anyOf{}
		}
	case anyOf:
		if len(part) == 0 {
			return allOf{}
		}
	}
	return notIn{part}
}

// setTable is a table of bitmaps: tenant, a key, bucket and bits.
type setTable struct{ schema, name, key string }

// groupBits is the name of the table of the members of groups.
const groupBits = "group_bits"

// setNode are the members of any of some sets of a table.
type setNode struct {
	table setTable
	keys  []int64
	rows  map[int]*bitmap // by bucket, of those that are loaded
}

func (n *setNode) span(bucket int) span { return exactly(n.rows[bucket]) }

// Of a group, somebody may still be a member who has left the list: the read model of groups is another one, and may be behind.
func (n *setNode) bounded() bool { return n.table.name != groupBits }

// rangeNode are the customers with from <= ordinal < to. If it came from times of creation, the ordinals are found before it is asked.
type rangeNode struct {
	from, to               int64
	createdFrom, createdTo time.Time // half-open; zero is no bound
}

func (n *rangeNode) span(bucket int) span { return exactly(between(bucket, n.from, n.to)) }
func (n *rangeNode) bounded() bool        { return false }

// judgedNode is a condition that the tables of rows must be asked for.
type judgedNode struct {
	// within is a set in which everybody is for whom it holds.
	within node
	// column is the SQL of the verdict over one of the tables: t, c, a or l, see judgeSQL. If there is a verdict, it is a text for that. It is
	// asked of customers outside of within, too, where other conditions are open, and must be right for them.
	table   string
	column  func(args *arguments) string
	verdict func(text *string) (bool, error)
	// arms are the searches in the index of terms which together find everybody for whom it holds, and nobody else; nil: there are none.
	arms []termArm
	// rarity is one in how many of within it probably holds for.
	rarity int
	// gather finds everybody for whom it holds by an index, for a condition that few may fulfil; nil: there is none.
	// It is asked for some thousand first, unless everybody is needed, and for many when judging would take longer.
	gather func(args *arguments) string
	needed bool

	seen, yes map[int]*bitmap // who was judged, and for whom it held
	settled   map[int]bool    // buckets in which yes is all there is to know
	complete  bool            // all are settled
}

func (n *judgedNode) span(bucket int) span {
	if n.complete || n.settled[bucket] {
		return exactly(n.yes[bucket])
	}
	hi := n.within.span(bucket).hi
	seen := n.seen[bucket]
	if seen == nil {
		return span{nil, hi}
	}
	yes := n.yes[bucket]
	return span{yes, hi.without(seen).or(yes)}
}

func (n *judgedNode) bounded() bool { return n.within.bounded() }

// planner makes a plan of a filter.
type planner struct {
	a      *answer
	at     time.Time
	cal    filter.Calendar
	tags   *tag.State
	groups groupFacets
	known  map[string]*setNode
	// periods are the first and the last in which somebody's latest session began, see customers_periods.go.
	periods [2]int64
	// expired are those whose listing has expired and is not lifted yet; nil until somebody asks.
	expired *judgedNode
}

// set is the union of sets in customer_bits.
func (p *planner) set(keys ...int64) node {
	return p.union(setTable{p.a.schema, "customer_bits", "facet"}, keys)
}

func (p *planner) grams(keys ...int64) node {
	return p.union(setTable{p.a.schema, "customer_gram_bits", "gram"}, keys)
}

// union is the union of sets of a table. A set that is named twice is read once.
func (p *planner) union(table setTable, keys []int64) node {
	if len(keys) == 0 {
		return anyOf{}
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	name := fmt.Sprint(table, keys)
	n := p.known[name]
	if n == nil {
		n = &setNode{table: table, keys: keys, rows: map[int]*bitmap{}}
		p.known[name] = n
		p.a.sets = append(p.a.sets, n)
	}
	return n
}

// node is the plan of a part of a filter.
func (p *planner) node(n filter.Node) (node, error) {
	switch n := n.(type) {
	case nil:
		return allOf{}, nil
	case filter.All:
		parts, err := p.nodes(n)
		return all(parts...), err
	case filter.Any:
		return p.any(n)
	case filter.Not:
		part, err := p.node(n.Node)
		if err != nil {
			return nil, err
		}
		return not(part), nil
	case *filter.Condition:
		return p.condition(n)
	}
	return nil, fmt.Errorf("projections: a filter with a part of type %T", n)
}

func (p *planner) nodes(parts []filter.Node) ([]node, error) {
	out := make([]node, len(parts))
	for i, part := range parts {
		var err error
		if out[i], err = p.node(part); err != nil {
			return nil, err
		}
	}
	return out, nil
}
