package projections

import (
	"fmt"
	"strings"
)

// conditions are those that the walked table itself can judge, and the others with what must be looked up for them.
func (w *walk) conditions(walked string, args *arguments) (hit, lookups, rest []string) {
	of := "c"
	if walked == tableCustomer {
		of = "o"
	}
	sets := w.sets(of, args)
	if w.bySession {
		sets = append(sets, w.created(args)...)
	}
	flags := w.flags(args)
	switch {
	case walked == tableCustomer:
		hit = sets
	case walked == tableText: // it has no ids
		lookups, rest = append(lookups, lookup("c", tableCustomer, "ordinal", "p.ordinal", "id, tags, channel, created_at")), append(rest, sets...)
	case len(sets) > 0:
		lookups, rest = append(lookups, lookup("c", tableCustomer, "id", "p.id", "id, tags, channel, created_at")), append(rest, sets...)
	}
	if len(flags) > 0 {
		id := "p.id"
		if walked == tableText {
			id = "c.id"
		}
		lookups, rest = append(lookups, lookup("a", tableActivity, "id", id, "open_session, agents")), append(rest, flags...)
	}
	if walked == tableText {
		hit = w.texts("o", args)
	} else if texts := w.texts("t", args); len(texts) > 0 {
		lookups, rest = append(lookups, lookup("t", tableText, "ordinal", "p.ordinal", "external_id, nickname, name")), append(rest, texts...)
	}
	if is := w.q.Blacklisted; is != nil && walked != tableListing {
		rest = append(rest, fmt.Sprintf("coalesce((select b.expires_at is null or b.expires_at > %s from $.customer_listing b "+
			"where b.tenant = $1 and b.ordinal = p.ordinal), false) = %s", args.bind(w.now), args.bind(*is)))
	}
	return hit, lookups, rest
}

// lookup takes columns of a customer's one row in a table, by an index.
func lookup(alias, table, by, value, columns string) string {
	return fmt.Sprintf("cross join lateral (select b.%s from $.%s b where b.tenant = $1 and b.%s = %s offset 0) %s",
		strings.ReplaceAll(columns, ", ", ", b."), table, by, value, alias)
}

// sets are the conditions on a customer's tags and channel.
func (w *walk) sets(of string, args *arguments) (conditions []string) {
	if w.q.Tags != nil {
		conditions = append(conditions, fmt.Sprintf("%s.tags && %s::uuid[]", of, args.bind(w.q.Tags)))
	}
	if w.q.Channels != nil {
		conditions = append(conditions, fmt.Sprintf("%s.channel = any(%s::text[])", of, args.bind(w.q.Channels)))
	}
	return conditions
}

// flags are the conditions on what happens to a customer.
func (w *walk) flags(args *arguments) (conditions []string) {
	if is := w.q.SessionOpen; is != nil {
		conditions = append(conditions, "(a.open_session is not null) = "+args.bind(*is))
	}
	if is := w.q.EverServed; is != nil {
		conditions = append(conditions, "(a.agents <> '[]') = "+args.bind(*is))
	}
	return conditions
}

// texts are the conditions on a customer's folded names and external id.
func (w *walk) texts(of string, args *arguments) (conditions []string) {
	if w.q.Name != "" {
		needle := args.bind(w.q.Name)
		conditions = append(conditions, fmt.Sprintf("(strpos(%s.nickname, %s) > 0 or strpos(%s.name, %s) > 0)", of, needle, of, needle))
	}
	if w.q.ID != "" {
		conditions = append(conditions, fmt.Sprintf("strpos(%s.external_id, %s) > 0", of, args.bind(w.q.ID)))
	}
	return conditions
}

// created are the bounds of created_at.
func (w *walk) created(args *arguments) (conditions []string) {
	if !w.q.From.IsZero() {
		conditions = append(conditions, "c.created_at >= "+args.bind(w.q.From))
	}
	if !w.q.To.IsZero() {
		conditions = append(conditions, "c.created_at < "+args.bind(w.q.To))
	}
	return conditions
}

// ordinals are the bounds of created_at as bounds of the ordinals, which are in the same order.
func (w *walk) ordinals(args *arguments) (conditions []string) {
	if !w.q.From.IsZero() {
		conditions = append(conditions, fmt.Sprintf("o.ordinal >= (select b.ordinal from $.customer b where b.tenant = $1 and b.created_at >= %s "+
			"order by b.created_at, b.ordinal limit 1)", args.bind(w.q.From)))
	}
	if !w.q.To.IsZero() {
		conditions = append(conditions, fmt.Sprintf("o.ordinal <= (select b.ordinal from $.customer b where b.tenant = $1 and b.created_at < %s "+
			"order by b.created_at desc, b.ordinal desc limit 1)", args.bind(w.q.To)))
	}
	return conditions
}
