package projections

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// planned has a statement planned for the values at hand. A plan for any values would reckon with a tenth of a table where the
// limit is a thousand.
const planned = pgx.QueryExecModeCacheDescribe

// arguments collects bound values and names them.
type arguments []any

func (a *arguments) bind(v any) string {
	*a = append(*a, v)
	return fmt.Sprintf("$%d", len(*a))
}

// conjunction joins conditions; none is true.
func conjunction(conditions []string) string {
	if len(conditions) == 0 {
		return "true"
	}
	return strings.Join(conditions, " and ")
}

// disjunction joins alternatives; none is false.
func disjunction(conditions []string) string {
	if len(conditions) == 0 {
		return "false"
	}
	return strings.Join(conditions, " or ")
}

// in puts a build's schema in place of every "$.".
func in(schema, sql string) string {
	return strings.ReplaceAll(sql, "$.", pgx.Identifier{schema}.Sanitize()+".")
}
