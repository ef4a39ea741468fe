package projections

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"customercenter/domain/filter"
)

// This file plans conditions on numbers. Who has had so many sessions, and who has ever given which score, is in sets; whom they do not
// decide is judged.

// sessionSteps are the numbers of sessions with a set of those who have had as many or more. They are stored, by what is in the sets.
var sessionSteps = []int64{1, 2, 3, 5, 10, 20, 50}

// worst and best are the scores of ratings.
const (
	worst = 1
	best  = 5
)

func (p *planner) number(c *filter.Condition) node {
	if key := custom(c.Field); key != "" {
		return p.custom(c, key)
	}
	switch c.Field {
	case "rating_last":
		return unset(c, p.rated, func() node {
			var keys []int64
			for score := worst; score <= best; score++ {
				if c.Match(&filter.Subject{RatingLast: score}, p.at, p.cal) {
					keys = append(keys, facet(facetRatingLast, strconv.Itoa(score)))
				}
			}
			return p.set(keys...)
		})
	case "rating_avg":
		return unset(c, p.rated, func() node { return p.average(c) })
	}
	return unset(c, always, func() node { return p.counted(c) })
}

// counted are those whose number of something is as the condition says: from one whole number to before another.
func (p *planner) counted(c *filter.Condition) node {
	from, to := int64(math.MinInt64), int64(math.MaxInt64)
	switch n := c.Numbers[0]; c.Op {
	case filter.Gte:
		from = ceiling(n)
	case filter.Gt:
		from = floor(n) + 1
	case filter.Lt:
		to = ceiling(n)
	case filter.Lte:
		to = floor(n) + 1
	case filter.Between:
		from, to = ceiling(n), floor(c.Numbers[1])+1
	case filter.Eq, filter.Ne:
		from, to = ceiling(n), floor(n)+1
	}
	var n node = anyOf{}
	if from < to {
		n = all(p.atLeast(c.Field, from), not(p.atLeast(c.Field, to)))
	}
	if c.Op == filter.Ne {
		return not(n)
	}
	return n
}

// atLeast are those who have had so many.
func (p *planner) atLeast(field string, n int64) node {
	switch {
	case n <= 0:
		return allOf{}
	case n > math.MaxInt32: // what the columns hold
		return anyOf{}
	}
	within, surely := node(allOf{}), node(anyOf{})
	if field == "session_count" {
		step := func(n int64) node { return p.set(facet(facetSessions, strconv.FormatInt(n, 10))) }
		i, exactly := slices.BinarySearch(sessionSteps, n)
		if exactly {
			return step(n)
		}
		if i < len(sessionSteps) {
			surely = step(sessionSteps[i])
		}
		within = all(step(sessionSteps[i-1]), not(surely)) // the first step is the first number
	}
	return either(surely, p.judge(&judgedNode{within: within, table: "a", column: func(args *arguments) string {
		return fmt.Sprintf("a.%s >= %s::bigint", field, args.bind(n))
	}}))
}

// floor is the greatest whole number that is not above n. Decimals have 18 digits at most.
func floor(n filter.Decimal) int64 {
	digits, _, fraction := strings.Cut(string(n), ".")
	whole, _ := strconv.ParseInt(digits, 10, 64)
	if fraction && strings.HasPrefix(digits, "-") {
		whole--
	}
	return whole
}

// ceiling is the least whole number that is not below n.
func ceiling(n filter.Decimal) int64 {
	if strings.Contains(string(n), ".") {
		return floor(n) + 1
	}
	return floor(n)
}

// rated are those who have given a rating.
func (p *planner) rated() node { return p.scored(facetRatingLast, func(int) bool { return true }) }

// scored are those who have given, last or ever, one of some scores.
func (p *planner) scored(kind facetKind, which func(score int) bool) node {
	var keys []int64
	for score := worst; score <= best; score++ {
		if which(score) {
			keys = append(keys, facet(kind, strconv.Itoa(score)))
		}
	}
	return p.set(keys...)
}

// average are those whose ratings are on average as the condition says.
func (p *planner) average(c *filter.Condition) node {
	n := c.Numbers[0]
	switch c.Op {
	case filter.Between:
		return all(p.averaged(filter.Gte, n), p.averaged(filter.Lte, c.Numbers[1]))
	case filter.Eq:
		return all(p.averaged(filter.Gte, n), p.averaged(filter.Lte, n))
	case filter.Ne:
		return either(p.averaged(filter.Gt, n), p.averaged(filter.Lt, n))
	}
	return p.averaged(c.Op, n)
}

// averaged are those whose ratings are on average on one side of a number. Whose scores all are, theirs is; whose scores are on both sides
// are judged, without a division.
func (p *planner) averaged(op filter.Op, n filter.Decimal) node {
	side := func(score int) bool {
		order := filter.Decimal(strconv.Itoa(score)).Compare(n)
		switch op {
		case filter.Lt:
			return order < 0
		case filter.Lte:
			return order <= 0
		case filter.Gt:
			return order > 0
		}
		return order >= 0
	}
	signs := map[filter.Op]string{filter.Lt: "<", filter.Lte: "<=", filter.Gt: ">", filter.Gte: ">="}
	this, other := p.scored(facetRated, side), p.scored(facetRated, func(score int) bool { return !side(score) })
	both := all(this, other)
	if no, ok := both.(anyOf); ok && len(no) == 0 {
		return this
	}
	return either(all(this, not(other)), p.judge(&judgedNode{within: both, table: "a", column: func(args *arguments) string {
		literal := "numeric"
		if !strings.Contains(string(n), ".") {
			literal = "bigint"
		}
		return fmt.Sprintf("a.rating_count > 0 and a.rating_sum %s %s::%s * a.rating_count", signs[op], args.bind(string(n)), literal)
	}}))
}
