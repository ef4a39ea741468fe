package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"customercenter/api/ingest"
	"customercenter/domain"
	"customercenter/domain/bulk"
	"customercenter/domain/exports"
	"customercenter/domain/imports"
	"customercenter/domain/job"
	"customercenter/eventstore"
	"customercenter/projections"
)

// What jobs, and events that could not be carried out, hold of one customer.

// NamingImport is an uploaded file in which a customer is.
type NamingImport struct {
	ID       uuid.UUID         `json:"id" format:"uuid"`
	FileName string            `json:"file_name"`
	At       time.Time         `json:"at" doc:"When it was uploaded."`
	By       projections.Actor `json:"by"`
	Rows     []NamingRow       `json:"rows" nullable:"false"`
}

// NamingRow is a row that names a customer.
type NamingRow struct {
	Row     int        `json:"row" doc:"As the spreadsheet program numbers it."`
	Outcome string     `json:"outcome,omitempty" enum:"created,rejected" doc:"Absent: it was not dealt with."`
	Code    string     `json:"code,omitempty" doc:"Why it was rejected."`
	Cells   []RowValue `json:"cells" nullable:"false" doc:"What was in it; empty when its time is over, after 30 days."`
}

// RowValue is a cell of a row.
type RowValue struct {
	Column string `json:"column" doc:"What it was taken for; empty if it was passed over."`
	Value  string `json:"value"`
}

// NamingBulk is a bulk action that was about a customer.
type NamingBulk struct {
	ID      uuid.UUID          `json:"id" format:"uuid"`
	Action  string             `json:"action"`
	Tag     *projections.Named `json:"tag,omitempty"`
	Reason  string             `json:"reason,omitempty"`
	At      time.Time          `json:"at"`
	By      projections.Actor  `json:"by"`
	Changed bool               `json:"changed" doc:"Something happened to the customer."`
	Code    string             `json:"code,omitempty" doc:"Why nothing did."`
}

// PossibleExport is a file in which a customer may be.
type PossibleExport struct {
	ID          uuid.UUID         `json:"id" format:"uuid"`
	At          time.Time         `json:"at" doc:"When it was asked for."`
	By          projections.Actor `json:"by"`
	Columns     []string          `json:"columns" nullable:"false"`
	Description string            `json:"description" doc:"The filter in words: who matched it is in the file."`
	Downloads   []ExportDownload  `json:"downloads" nullable:"false"`
	ExpiresAt   *time.Time        `json:"expires_at,omitempty" doc:"The file is there until then, unless it was deleted before."`
}

// NamingLetter is a channel event that could not be carried out and names a customer.
type NamingLetter struct {
	At     time.Time       `json:"at" doc:"When it arrived."`
	Code   string          `json:"code"`
	Reason string          `json:"reason"`
	Event  json.RawMessage `json:"event,omitempty" doc:"As it came, if it is JSON."`
	Text   string          `json:"text,omitempty" doc:"As it came, if it is not."`
}

// jobTypes are the events of jobs that say whom they were about, and what they were.
var jobTypes = []string{
	imports.Uploaded{}.EventType(), imports.RowsRecorded{}.EventType(), bulk.Started{}.EventType(), bulk.Applied{}.EventType(),
	exports.Requested{}.EventType(), exports.Completed{}.EventType(), exports.Downloaded{}.EventType(),
}

// jobsAPage is of how many jobs events are in memory at a time.
const jobsAPage = 20

// named gathers what jobs hold of the customer. There are few jobs, and they tell of many customers at a time: they are all gone through.
func (d *disclosure) named(ctx context.Context) error {
	words, err := d.vocabulary(ctx, d.r)
	if err != nil {
		return err
	}
	for after, more := "", true; more; {
		streams, err := d.Store.Streams(ctx, d.r.who.Tenant, "job-", after, jobsAPage)
		if err != nil {
			return err
		}
		if len(streams) > 0 {
			after = streams[len(streams)-1]
		}
		more = len(streams) == jobsAPage
		events, err := d.opened(ctx, streams, jobTypes)
		if err != nil {
			return err
		}
		for _, stream := range streams {
			id, is := job.Of(stream)
			if !is {
				continue
			}
			var own []eventstore.Decoded
			for i := range events {
				if events[i].Stream == stream {
					own = append(own, events[i])
				}
			}
			if err := d.job(ctx, words, id, own); err != nil {
				return err
			}
		}
	}
	slices.SortStableFunc(d.all.Imports, func(a, b NamingImport) int { return a.At.Compare(b.At) })
	slices.SortStableFunc(d.all.BulkActions, func(a, b NamingBulk) int { return a.At.Compare(b.At) })
	slices.SortStableFunc(d.all.Exports, func(a, b PossibleExport) int { return a.At.Compare(b.At) })
	return nil
}

// job adds what one job holds of the customer.
func (d *disclosure) job(ctx context.Context, words *vocabulary, id uuid.UUID, events []eventstore.Decoded) error {
	if len(events) == 0 {
		return nil
	}
	switch first := events[0].Payload.(type) {
	case imports.Uploaded:
		return d.imported(ctx, id, &events[0], first, events[1:])
	case bulk.Started:
		d.applied(id, &events[0], first, events[1:])
	case exports.Requested:
		d.exported(words, id, &events[0], first, events[1:])
	}
	return nil
}

func (d *disclosure) imported(ctx context.Context, id uuid.UUID, e *eventstore.Decoded, file imports.Uploaded, later []eventstore.Decoded) error {
	kept, err := d.Jobs.Naming(ctx, d.r.who.Tenant, id, d.all.CustomerID)
	if err != nil {
		return err
	}
	rows := map[int]NamingRow{}
	for _, row := range kept {
		cells := []RowValue{}
		for i, value := range row.Cells {
			cell := RowValue{Value: value}
			if i < len(file.Columns) {
				cell.Column = file.Columns[i]
			}
			if value != "" {
				cells = append(cells, cell)
			}
		}
		rows[row.Number] = NamingRow{Row: row.Number, Cells: cells}
	}
	for i := range later {
		recorded, is := later[i].Payload.(imports.RowsRecorded)
		if !is {
			continue
		}
		for _, c := range recorded.Created {
			row, named := rows[c.Row]
			if named || c.Customer == d.all.CustomerID {
				rows[c.Row] = NamingRow{Row: c.Row, Outcome: "created", Cells: asList(row.Cells)}
			}
		}
		for _, refused := range recorded.Rejected {
			if row, named := rows[refused.Row]; named {
				rows[refused.Row] = NamingRow{Row: refused.Row, Outcome: "rejected", Code: refused.Code, Cells: asList(row.Cells)}
			}
		}
	}
	if len(rows) == 0 {
		return nil
	}
	found := NamingImport{ID: id, FileName: file.FileName, At: e.RecordedAt.UTC(), By: actorOf(e)}
	for _, number := range keysOf(rows) {
		found.Rows = append(found.Rows, rows[number])
	}
	d.all.Imports = append(d.all.Imports, found)
	return nil
}

func (d *disclosure) applied(id uuid.UUID, e *eventstore.Decoded, started bulk.Started, later []eventstore.Decoded) {
	found := NamingBulk{ID: id, Action: string(started.Action), Reason: started.Reason, At: e.RecordedAt.UTC(), By: actorOf(e)}
	if started.Tag != uuid.Nil {
		found.Tag = &projections.Named{ID: started.Tag, Name: d.tell.tags[started.Tag]}
	}
	about := slices.Contains(started.Customers, d.all.CustomerID)
	for i := range later {
		applied, is := later[i].Payload.(bulk.Applied)
		if !is || !bytes.Contains(later[i].Data, []byte(d.all.CustomerID.String())) {
			continue
		}
		about = true
		found.Changed = found.Changed || slices.ContainsFunc(applied.Changed, func(c bulk.Change) bool { return c.Customer == d.all.CustomerID })
		for _, refused := range applied.Refused {
			if refused.Customer == d.all.CustomerID {
				found.Code = refused.Code
			}
		}
	}
	if about {
		d.all.BulkActions = append(d.all.BulkActions, found)
	}
}

func (d *disclosure) exported(words *vocabulary, id uuid.UUID, e *eventstore.Decoded, asked exports.Requested, later []eventstore.Decoded) {
	lived := func(l Life) bool { return l.from < e.Position && (l.to == 0 || e.Position < l.to) }
	if !slices.ContainsFunc(d.all.Lives, lived) {
		return
	}
	found := PossibleExport{ID: id, At: e.RecordedAt.UTC(), By: actorOf(e), Columns: asked.Columns, Downloads: []ExportDownload{}}
	_, found.Description = words.tell(asked.Filter)
	for i := range later {
		switch payload := later[i].Payload.(type) {
		case exports.Completed:
			found.ExpiresAt = &payload.ExpiresAt
		case exports.Downloaded:
			found.Downloads = append(found.Downloads, ExportDownload{At: later[i].RecordedAt.UTC(), By: actorOf(&later[i])})
		}
	}
	d.all.Exports = append(d.all.Exports, found)
}

// letters gathers the channel events that could not be carried out and name the customer.
func (d *disclosure) letters(ctx context.Context) error {
	if d.DeadLetters == nil {
		return nil
	}
	is := func(association int, externalID string, session uuid.UUID) (bool, error) {
		if session != uuid.Nil {
			return slices.ContainsFunc(d.sessions, func(s projections.Session) bool { return s.ID == session }), nil
		}
		id, err := d.Center.CustomerID(ctx, d.r.who.Tenant, association, externalID)
		if refusal := (*domain.Refusal)(nil); errors.As(err, &refusal) {
			return false, nil // nobody's
		}
		return id == d.all.CustomerID, err
	}
	err := d.DeadLetters.About(ctx, d.r.who.Tenant, is, func(letter ingest.DeadLetter) error {
		found := NamingLetter{At: letter.Arrived, Code: letter.Code, Reason: letter.Reason}
		if json.Valid(letter.Body) {
			found.Event = letter.Body
		} else {
			found.Text = string(letter.Body)
		}
		d.all.DeadLetters = append(d.all.DeadLetters, found)
		return nil
	})
	if err != nil {
		return d.silent(ctx, err)
	}
	return nil
}
