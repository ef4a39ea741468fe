package projections

import (
	"context"
	_ "embed"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/domain/customer"
	"customercenter/eventstore"
	"customercenter/projections/projector"
)

//go:embed tag_usage.sql
var tagUsageSQL string

// TagUsageName is the name of the read model that counts the customers of each tag.
const TagUsageName = "tag_usage"

// TagUsageDefinition is the read model that counts the customers of each tag.
func TagUsageDefinition() projector.Definition {
	tables, indexes := projector.Sections(tagUsageSQL)
	return projector.Definition{
		Name: TagUsageName, Version: 1,
		Types:  []string{"customer.created", "customer.tagged", "customer.untagged"},
		Blind:  []string{"customer.created"},
		Tables: tables, Indexes: indexes,
		New: newTagUsageFold,
	}
}

type tagUsageRow struct {
	Tag       uuid.UUID
	Customers int64
}

type tagUsageCustomerRow struct {
	ID   uuid.UUID
	Tags []uuid.UUID
}

// tagUsageFold is the fold of the read model "tag_usage".
type tagUsageFold struct {
	usage     *projector.Rows[uuid.UUID, tagUsageRow]
	customers *projector.Rows[uuid.UUID, tagUsageCustomerRow]
}

func newTagUsageFold() projector.Fold {
	return &tagUsageFold{
		usage: projector.NewRows("tag_usage", "tag", "uuid", func(r *tagUsageRow) *uuid.UUID { return &r.Tag },
			projector.Value("customers", "bigint", func(r *tagUsageRow) *int64 { return &r.Customers })),
		customers: projector.NewRows("tag_usage_customer", "id", "uuid", func(r *tagUsageCustomerRow) *uuid.UUID { return &r.ID },
			projector.UUIDs("tags", func(r *tagUsageCustomerRow) *[]uuid.UUID { return &r.Tags })),
	}
}

func (f *tagUsageFold) Tables() []projector.Table { return []projector.Table{f.usage, f.customers} }

func (f *tagUsageFold) Touch(e *eventstore.Decoded) {
	switch payload := e.Payload.(type) {
	case customer.Created:
		for _, tag := range payload.Tags {
			f.usage.Touch(tag)
		}
	case customer.Tagged:
		f.customers.Touch(e.Customer)
		f.usage.Touch(payload.Tag)
	case customer.Untagged:
		f.customers.Touch(e.Customer)
		f.usage.Touch(payload.Tag)
	}
}

func (f *tagUsageFold) Apply(e *eventstore.Decoded) error {
	if created, ok := e.Payload.(customer.Created); ok {
		// Nothing is taken off here: a customer is created again only after what ended the life before.
		if len(created.Tags) > 0 {
			f.count(created.Tags, 1)
			f.customers.Put(tagUsageCustomerRow{ID: e.Customer, Tags: slices.Clone(created.Tags)})
		}
		return nil
	}
	var before []uuid.UUID
	if row, found := f.customers.Peek(e.Customer); found {
		before = row.Tags
	}
	after := customer.State{Tags: slices.Clone(before)}
	after.Apply(e.Payload.(customer.Event), e.RecordedAt)
	f.count(without(before, after.Tags), -1)
	f.count(without(after.Tags, before), 1)
	f.customers.Put(tagUsageCustomerRow{ID: e.Customer, Tags: after.Tags})
	return nil
}

// without are the tags that are not among others.
func without(tags, others []uuid.UUID) []uuid.UUID {
	return slices.DeleteFunc(slices.Clone(tags), func(tag uuid.UUID) bool { return slices.Contains(others, tag) })
}

// count adds to the customers of each of these tags.
func (f *tagUsageFold) count(tags []uuid.UUID, by int64) {
	for _, tag := range tags {
		row, found := f.usage.Edit(tag)
		if !found {
			row = f.usage.Put(tagUsageRow{Tag: tag})
		}
		row.Customers += by
	}
}

func (f *tagUsageFold) Skip(*eventstore.Event) {}

func (f *tagUsageFold) Recall(id uuid.UUID, events []eventstore.Decoded) {
	f.customers.Touch(id)
	for i := range events {
		f.Touch(&events[i])
	}
}

func (f *tagUsageFold) Forget(id uuid.UUID, _ []eventstore.Decoded) error {
	if row, found := f.customers.Peek(id); found {
		f.count(row.Tags, -1)
		f.customers.Delete(id)
	}
	return nil
}

// TagUsage tells how many customers carry each tag. It is safe for concurrent use.
type TagUsage struct {
	pool   *pgxpool.Pool
	builds Builds
}

// NewTagUsage returns the counts of the build that builds says is live.
func NewTagUsage(store *eventstore.Store, builds Builds) *TagUsage {
	return &TagUsage{pool: store.Pool(), builds: builds}
}

// Of returns the number of customers by tag. A tag that nobody carries may be absent.
func (u *TagUsage) Of(ctx context.Context, tenant string) (map[uuid.UUID]int64, error) {
	build, err := u.builds.Live(ctx, TagUsageName)
	if err != nil {
		return nil, err
	}
	rows, err := u.pool.Query(ctx, in(build.Schema, `select tag, customers from $.tag_usage where tenant = $1`), tenant)
	if err != nil {
		return nil, fmt.Errorf("projections: tag usage: %w", err)
	}
	counts := map[uuid.UUID]int64{}
	var tag uuid.UUID
	var n int64
	if _, err := pgx.ForEachRow(rows, []any{&tag, &n}, func() error { counts[tag] = n; return nil }); err != nil {
		return nil, fmt.Errorf("projections: tag usage: %w", err)
	}
	return counts, nil
}
