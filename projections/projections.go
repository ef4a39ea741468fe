// Package projections holds the read models: what the log says, in the form in which it is asked for. One model is one file with
// its fold and its queries, one with its tables, and one with its tests. Package projector runs them.
//
// Which events a model hears is in the Types of its Definition. The small catalogues (tags, fields, groups, views, associations, settings) have no tables:
// they are read from their streams, see Catalogues.
package projections

import (
	"context"
	"time"

	"customercenter/projections/projector"
)

// Definitions are all read models that have tables, as this binary knows them.
func Definitions() []projector.Definition {
	return []projector.Definition{CustomersDefinition(), SessionsDefinition(), HistoryDefinition(), AutoMessagesDefinition(), GroupsDefinition(), JobsDefinition()}
}

// Builds tells which build of a read model is to be asked: a *projector.Projector, or one fixed build.
type Builds interface {
	Live(ctx context.Context, name string) (projector.Build, error)
}

// micros is an instant as the database keeps it, so that a row is the same in memory and there.
func micros(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// later is the later of a nullable instant and another.
func later(a *time.Time, b time.Time) *time.Time {
	if a != nil && !b.After(*a) {
		return a
	}
	return &b
}
