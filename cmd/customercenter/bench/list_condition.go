package bench

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// condition is a condition in the filter language, and in SQL over the plain copies: every ? there stands for the next of args.
type condition struct {
	json string
	sql  string
	args []any
}

// is makes a condition on a field; value is nil for operators that take none.
func is(field, op string, value any, sql string, args ...any) condition {
	c := map[string]any{"field": field, "op": op}
	if value != nil {
		c["value"] = value
	}
	text, err := json.Marshal(c)
	if err != nil {
		panic("bench: condition: " + err.Error()) // values are texts, numbers, times and lists of them
	}
	return condition{string(text), sql, args}
}

func joined(word, between string, parts []condition) condition {
	var texts, sql []string
	var args []any
	for _, p := range parts {
		texts, sql, args = append(texts, p.json), append(sql, p.sql), append(args, p.args...)
	}
	return condition{fmt.Sprintf(`{%q:[%s]}`, word, strings.Join(texts, ",")), "(" + strings.Join(sql, between) + ")", args}
}

func all(parts ...condition) condition    { return joined("all", " and ", parts) }
func either(parts ...condition) condition { return joined("any", " or ", parts) }
func not(part condition) condition {
	return condition{`{"not":` + part.json + `}`, "not " + part.sql, part.args}
}

// question asks for the newest who match.
func (c condition) question() question {
	sql := c.sql
	for i := range c.args {
		sql = strings.Replace(sql, "?", fmt.Sprintf("$%d", i+1), 1)
	}
	return question{filter: c.json, where: sql, args: c.args}
}

func everybody() question { return question{where: "true"} }

// sorted asks for the same in another order.
func (q question) sorted(sort, order string) question {
	q.sort, q.order = sort, order
	return q
}

func contains(field, needle string) condition {
	return is(field, "contains", needle, field+" ilike ?", like(needle))
}

// called is whose nickname or name contains a text.
func called(needle string) condition {
	return either(contains("nickname", needle), contains("name", needle))
}

func tagged(op string, tags ...uuid.UUID) condition {
	sql := map[string]string{"has_any": "(tags && ?)", "has_all": "(tags @> ?)", "has_none": "(not tags && ?)"}[op]
	return is("tags", op, tags, sql, tags)
}

func channel(name string) condition { return is("channel", "in", []string{name}, "channel = ?", name) }

func created(from, to time.Time) condition {
	return is("created_at", "between", []time.Time{from, to}, "(created_at >= ? and created_at < ?)", from, to)
}

func blacklisted(yes bool, at time.Time) condition {
	c := is("blacklisted", "is", yes, "(blacklisted_at is not null and (blacklisted_until is null or blacklisted_until > ?))", at)
	if !yes {
		c.sql = "not " + c.sql
	}
	return c
}
