package eventstore

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// Page is a piece of a log, in memory that the next piece uses again: for whoever reads much of it and keeps nothing. The zero value is ready.
type Page struct {
	Events []Event // with their Data and Meta they are good until the next piece is read
	reused bool
	text   []byte // of which Data and Meta are parts
}

// ReadPage is ReadLog into a page, whose events it replaces.
func (s *Store) ReadPage(ctx context.Context, p *Page, tenant string, after int64, limit int) error {
	p.Events, p.text, p.reused = p.Events[:0], p.text[:0], true
	rows, err := s.db.QueryByIndex(ctx, logSQL, tenant, after, limit)
	if err == nil {
		err = p.scan(s.codec, rows)
	}
	if err != nil {
		return fmt.Errorf("eventstore: read page: %w", unavailable(err))
	}
	return nil
}

// scan appends rows of eventColumns.
func (p *Page) scan(c *Codec, rows pgx.Rows) error {
	defer rows.Close()
	var tenant, stream, name, data, meta pgtype.DriverBytes // of the driver, until the next row
	var customer pgtype.UUID                                // a uuid.UUID would be made of a text
	var before Event
	for rows.Next() {
		p.Events = append(p.Events, Event{})
		e := &p.Events[len(p.Events)-1]
		if err := rows.Scan(&tenant, &e.Position, &stream, &e.Version, &name, &e.TypeVersion, &customer, &data, &meta, &e.RecordedAt); err != nil {
			return err
		}
		e.Customer, e.RecordedAt = customer.Bytes, e.RecordedAt.UTC() // no bytes: no customer
		e.Tenant, e.Stream = same(before.Tenant, tenant), same(before.Stream, stream)
		if t := c.types[string(name)]; t != nil {
			e.Type = t.name
		} else {
			e.Type = string(name)
		}
		if !p.reused { // each is kept by itself
			p.text = make([]byte, 0, len(data)+len(meta))
		}
		e.Data, e.Meta = p.keep(data), p.keep(meta)
		before = *e
	}
	return rows.Err()
}

// same is text, in the memory of what came before if it is that.
func same(before string, text []byte) string {
	if before == string(text) {
		return before
	}
	return string(text)
}

func (p *Page) keep(text []byte) []byte {
	p.text = append(p.text, text...)
	return p.text[len(p.text)-len(text) : len(p.text) : len(p.text)]
}
