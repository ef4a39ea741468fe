package commands

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/association"
	"customercenter/domain/customer"
	"customercenter/domain/imports"
	"customercenter/domain/job"
)

// ImportRows deals with the next rows of an import in one append: the customers they make, the tags they bring, and what became of each row. So
// every row has one outcome, whoever runs it, however often they crash. It may deal with fewer rows than it is given; if they are not
// the next ones, or the import is not going on, it changes nothing. In a dry run it changes nothing but the import.
//
// It refuses nothing: what is wrong with a row is its outcome.
type ImportRows struct {
	Import uuid.UUID
	From   int           // of the first row, counted from 0
	Rows   []imports.Row // up to job.Chunk
	// Seen has the numbers of the rows before From by the customers they ask for. It is not changed.
	Seen map[uuid.UUID]int
}

// mostNewTags is how many tags one append of rows creates: if rows ask for more, the next append begins with them.
const mostNewTags = 500

// Run carries it out.
func (cmd ImportRows) Run(ctx context.Context, c *Center, by By) (Done, error) {
	if len(cmd.Rows) > job.Chunk {
		return Done{}, fmt.Errorf("commands: %d rows are more than an append takes", len(cmd.Rows))
	}
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		r := importing{attempt: a, cmd: cmd, work: importOf(cmd.Import), known: newImportCatalogues(), seen: map[uuid.UUID]int{}}
		return r.run(ctx)
	})
}

// RowCustomer is whom a row of an import asks for, if that can be told, whether or not there is such a customer.
func (c *Center) RowCustomer(ctx context.Context, tenant string, work *imports.State, row imports.Row) (uuid.UUID, bool, error) {
	a := &attempt{center: c, by: By{Tenant: tenant}}
	named, _ := work.Identity(row)
	if known, ok := c.cache.get(tenant, association.Stream); ok {
		all := known.state.(*association.State)
		if _, found := all.Find(named); found { // what is cached may be old, but a number never changes its channel
			return a.rowCustomer(ctx, work, row, all)
		}
	}
	all := associations()
	if err := a.load(ctx, all); err != nil {
		return uuid.Nil, false, err
	}
	return a.rowCustomer(ctx, work, row, all.state)
}

func (a *attempt) rowCustomer(ctx context.Context, work *imports.State, row imports.Row, all *association.State) (uuid.UUID, bool, error) {
	association, externalID := work.Identity(row)
	found, ok := all.Find(association)
	if !ok {
		return uuid.Nil, false, nil
	}
	normal, err := customer.NormalizeExternalID(found.Channel, externalID)
	if err != nil {
		return uuid.Nil, false, nil
	}
	secret, err := a.center.store.Secret(ctx, a.by.Tenant)
	if err != nil {
		return uuid.Nil, false, fmt.Errorf("commands: %w", err)
	}
	return customer.ID(secret, association, found.Channel, normal), true, nil
}

// importing is one try to deal with rows.
type importing struct {
	*attempt
	cmd   ImportRows
	work  *importEntity
	known importCatalogues
	seen  map[uuid.UUID]int // of these rows

	recorded imports.RowsRecorded
	newTags  int
}

// importCatalogues is what rows are read against.
type importCatalogues struct {
	associations *associationsEntity
	tags         *tagsEntity
	fields       *fieldsEntity
}

func newImportCatalogues() importCatalogues {
	return importCatalogues{associations(), tags(), fields()}
}

func (k importCatalogues) states() imports.Catalogues {
	return imports.Catalogues{Associations: k.associations.state, Tags: k.tags.state, Fields: k.fields.state}
}

func (r *importing) run(ctx context.Context) error {
	if err := r.load(ctx, r.work, r.known.associations, r.known.tags, r.known.fields); err != nil {
		return err
	}
	r.done.Job = r.cmd.Import
	if !r.work.state.Going() || r.work.state.Done != r.cmd.From {
		return nil
	}
	ids, whos := make([]uuid.UUID, len(r.cmd.Rows)), map[uuid.UUID]*customerEntity{}
	var streams []stream
	for i, row := range r.cmd.Rows {
		id, told, err := r.rowCustomer(ctx, r.work.state, row, r.known.associations.state)
		if err != nil {
			return err
		}
		if told && whos[id] == nil {
			ids[i], whos[id] = id, passingCustomer(id)
			streams = append(streams, whos[id])
		} else if told {
			ids[i] = id
		}
	}
	if err := r.load(ctx, streams...); err != nil {
		return err
	}
	r.recorded = imports.RowsRecorded{From: r.cmd.From, To: r.cmd.From}
	for i, row := range r.cmd.Rows {
		if r.newTags >= mostNewTags {
			break
		}
		if err := r.one(row, ids[i], whos[ids[i]]); err != nil {
			return err
		}
		r.recorded.To++
	}
	add(r.attempt, r.work, nobody, r.work.state.Record(r.recorded))
	if r.newTags == 0 {
		r.guard(r.known.tags) // one that is deleted at the same time must not be put on
	}
	r.guard(r.known.associations)
	r.guard(r.known.fields)
	return nil
}

// one deals with one row. who is nil if it cannot be told whom the row asks for.
func (r *importing) one(row imports.Row, id uuid.UUID, who *customerEntity) error {
	earlier, twice := r.seen[id]
	if !twice {
		earlier, twice = r.cmd.Seen[id]
	}
	if who != nil && twice {
		r.recorded.Rejected = append(r.recorded.Rejected, imports.Twice(row, earlier))
		return nil
	}
	if who != nil {
		r.seen[id] = row.Number
	}
	err := r.create(row, id, who)
	var refusal *domain.Refusal
	if errors.As(err, &refusal) {
		r.recorded.Rejected = append(r.recorded.Rejected, imports.Refuse(row, refusal))
		return nil
	}
	return err
}

func (r *importing) create(row imports.Row, id uuid.UUID, who *customerEntity) error {
	if who != nil && who.at().erased > r.work.at().began { // what the file says of them was to be forgotten
		return imports.ErasedSince()
	}
	wanted, err := r.work.state.Read(row, r.known.states())
	if err != nil {
		return err
	}
	if who == nil {
		who = customerOf(id) // of an id that no customer can have: refused below
	}
	normal := r.known.fields.state.Normalize
	if _, err := who.state.Create(wanted.Customer, r.known.tags.state.Known, normal); err != nil {
		return err
	}
	if r.work.state.DryRun {
		r.recorded.Created = append(r.recorded.Created, imports.Created{Row: row.Number})
		return nil
	}
	for _, name := range wanted.NewTags {
		tag, found := r.known.tags.state.ByName(name) // an earlier row may have brought it
		if !found {
			tag = r.center.newID()
			events, err := r.known.tags.state.Create(tag, name)
			if err != nil {
				return err
			}
			add(r.attempt, r.known.tags, nobody, events)
			r.newTags++
		}
		wanted.Customer.Tags = append(wanted.Customer.Tags, tag)
	}
	if err := r.attempt.create(who, id, wanted.Customer, r.known.tags.state.Known, normal); err != nil {
		return err
	}
	r.done.Customer, r.done.Version = uuid.Nil, 0 // there are many
	r.recorded.Created = append(r.recorded.Created, imports.Created{Row: row.Number, Customer: id})
	return nil
}
