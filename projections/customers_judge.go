package projections

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// This file asks the tables about customers of whom the sets do not say whether they are in an answer.

// search finds by their terms who fulfils the conditions on texts, in some buckets of terms, and tells how many it found.
func (a *answer) search(buckets []int) (found int, err error) {
	for _, n := range a.judged {
		if n.complete || n.arms == nil {
			continue
		}
		wanted := slices.DeleteFunc(slices.Clone(buckets), func(bucket int) bool { return n.settled[termBuckets*bucket] })
		if len(wanted) == 0 {
			continue
		}
		sql, args := a.searchSQL(n, wanted)
		rows, err := a.db.Query(a.ctx, sql, args...)
		if err != nil {
			return found, err
		}
		ordinals, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return found, err
		}
		found += len(ordinals)
		for _, wide := range wanted {
			for bucket := termBuckets * wide; bucket < termBuckets*(wide+1); bucket++ {
				delete(n.yes, bucket) // a bitmap that is part of a span is not to be changed
				n.settled[bucket] = true
				delete(a.spans, bucket)
			}
		}
		members(n.yes, ordinals)
	}
	return found, nil
}

// searchSQL asks the index of terms bucket by bucket: the terms of all buckets and tenants are in one index. Within the fences (offset 0)
// there is nothing but what that index finds and the comparison of the texts.
func (a *answer) searchSQL(n *judgedNode, buckets []int) (string, []any) {
	args := arguments{a.tenant, buckets}
	var arms []string
	for _, arm := range n.arms {
		terms := make([]string, len(arm.terms))
		for i, term := range arm.terms {
			terms[i] = fmt.Sprintf("%s::bigint + (b.bucket << %d)", args.bind(term), termBits)
		}
		arms = append(arms, fmt.Sprintf("(select o.tenant, o.ordinal from $.customer_text o where o.terms @> array[%s] and %s offset 0)",
			strings.Join(terms, ", "), arm.condition(&args)))
	}
	return in(a.schema, fmt.Sprintf("select f.ordinal from unnest($2::bigint[]) b(bucket) cross join lateral (%s) f where f.tenant = $1",
		strings.Join(arms, " union all "))), args
}

// Tables of the read model, and their columns that are asked for.
const (
	textColumns     = "ordinal, external_id, nickname, name, phone, qq, wechat_id, email, company, description"
	judgedColumns   = "ordinal, custom, updated_at"
	activityColumns = "ordinal, session_count, message_count, suppressed_count, rating_sum, rating_count, first_session_at, last_session_at, last_message_at"
)

// judge asks the tables about customers, in ascending or descending order, for whom it is open whether they are in the answer.
func (a *answer) judge(ordinals []int64) error {
	a.looked += len(ordinals)
	open := make([]*judgedNode, 0, len(a.judged))
	for _, n := range a.judged {
		if !n.complete {
			open = append(open, n)
		}
	}
	sql, args := a.judgeSQL(open, ordinals)
	rows, err := a.db.Query(a.ctx, sql, append([]any{planned}, args...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	asked := map[int]*bitmap{}
	members(asked, ordinals)
	found := map[int]*bitmap{}
	verdicts, texts, yes := make([]bool, len(open)), make([]*string, len(open)), make([]map[int]*bitmap, len(open))
	var ordinal int64
	into := []any{&ordinal}
	for i, n := range open {
		yes[i] = map[int]*bitmap{}
		if n.verdict == nil {
			into = append(into, &verdicts[i])
		} else {
			into = append(into, &texts[i])
		}
	}
	one := make([]int64, 1)
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		one[0] = ordinal
		members(found, one)
		for i, n := range open {
			if n.verdict != nil {
				if verdicts[i], err = n.verdict(texts[i]); err != nil {
					return err
				}
			}
			if verdicts[i] {
				members(yes[i], one)
			}
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for bucket, of := range asked {
		delete(a.spans, bucket)
		a.rejected[bucket] = a.rejected[bucket].or(of.without(found[bucket]))
		for i, n := range open {
			if !n.settled[bucket] {
				n.seen[bucket] = n.seen[bucket].or(of)
				n.yes[bucket] = n.yes[bucket].or(yes[i][bucket].and(of))
			}
		}
	}
	return nil
}

// judgeSQL asks every open condition of customers. Each table is looked up customer by customer by an index, but for the first: if
// the customers are most of a range, the range is read.
func (a *answer) judgeSQL(open []*judgedNode, ordinals []int64) (string, []any) {
	low, high := min(ordinals[0], ordinals[len(ordinals)-1]), max(ordinals[0], ordinals[len(ordinals)-1])
	args := arguments{a.tenant}
	needed := map[string]bool{}
	columns, where := []string{"o.ordinal"}, []string{}
	required := allOf{a.root}
	if parts, ok := a.root.(allOf); ok {
		required = parts
	}
	for _, n := range open {
		needed[n.table] = true
		column := n.column(&args)
		if n.verdict == nil {
			column = "coalesce(" + column + ", false)"
			if slices.Contains(required, node(n)) {
				where = append(where, column)
			}
		}
		columns = append(columns, column)
	}
	var from []string
	lookup := func(alias, table, columns, by string) string {
		return fmt.Sprintf("cross join lateral (select %s from $.%s b where b.tenant = $1 and %s offset 0) %s", columns, table, by, alias)
	}
	if high-low < int64(2*len(ordinals)) {
		first, table, columns := "c", "customer", judgedColumns
		switch {
		case needed["t"]:
			first, table, columns = "t", "customer_text", textColumns
		case needed["a"]:
			first, table, columns = "a", "customer_activity", activityColumns
		}
		from = append(from, fmt.Sprintf("(select %s from $.%s b where b.tenant = $1 and b.ordinal between %s and %s offset 0) %s",
			columns, table, args.bind(low), args.bind(high), first))
		from = append(from, fmt.Sprintf("cross join lateral (select %s.ordinal) o", first))
		needed[first] = false
	} else {
		from = append(from, fmt.Sprintf("unnest(%s::bigint[]) o(ordinal)", args.bind(ordinals)))
	}
	if needed["t"] {
		from = append(from, lookup("t", "customer_text", textColumns, "b.ordinal = o.ordinal"))
	}
	if needed["c"] {
		from = append(from, lookup("c", "customer", judgedColumns, "b.ordinal = o.ordinal"))
	}
	if needed["a"] {
		from = append(from, lookup("a", "customer_activity", activityColumns, "b.ordinal = o.ordinal"))
	}
	if needed["l"] {
		from = append(from, "left join lateral (select b.since from $.customer_listing b where b.tenant = $1 and b.ordinal = o.ordinal offset 0) l on true")
	}
	return in(a.schema, fmt.Sprintf("select %s from %s where %s", strings.Join(columns, ", "), strings.Join(from, " "), conjunction(where))), args
}
