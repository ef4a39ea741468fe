package api

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"customercenter/domain/customer"
	"customercenter/domain/group"
	"customercenter/domain/tag"
	"customercenter/eventstore"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// DiffLine is one line of what is different: of a customer, or of all, which is the last one.
type DiffLine struct {
	Kind       string               `json:"kind" enum:"appeared,changed,active,withdrawn,progress,summary" doc:"active: had sessions, and nothing else is different. progress: how far it is, now and then. summary: the last line, of all."`
	CustomerID *uuid.UUID           `json:"customer_id,omitempty" format:"uuid"`
	ExternalID string               `json:"external_id,omitempty"`
	Fields     map[string]FieldDiff `json:"fields,omitempty" doc:"Of the profile, custom ones as custom.KEY: what it was and what it is."`
	Tags       *NamedDiff           `json:"tags,omitempty"`
	// Blacklisted is nil if that is not different.
	Blacklisted *bool        `json:"blacklisted,omitempty" doc:"What it is now; absent if it is as it was."`
	Sessions    int          `json:"sessions,omitempty" doc:"How many were opened in between."`
	Groups      *NamedDiff   `json:"groups,omitempty" doc:"Those that the customer is in and was not, and the other way round."`
	Doing       string       `json:"doing,omitempty" enum:"looking,comparing" doc:"Of progress. looking: for customers to whom something happened; done and total are events. comparing: them; done and total are customers."`
	Done        int64        `json:"done,omitempty"`
	Total       int64        `json:"total,omitempty" doc:"Absent if it is not known."`
	Summary     *DiffSummary `json:"summary,omitempty"`
}

// FieldDiff is a value before and after; null is "not set".
type FieldDiff struct {
	Old any `json:"old"`
	New any `json:"new"`
}

// NamedDiff is what came and what went.
type NamedDiff struct {
	Added   []projections.Named `json:"added,omitempty"`
	Removed []projections.Named `json:"removed,omitempty"`
}

// DiffSummary is what is different of all customers together.
type DiffSummary struct {
	From      projector.Moment `json:"from" doc:"The moment that was asked for: the last position of the log up to it, and the instant."`
	To        projector.Moment `json:"to"`
	Appeared  int64            `json:"appeared"`
	Changed   int64            `json:"changed"`
	Active    int64            `json:"active"`
	Withdrawn int64            `json:"withdrawn"`
	Sessions  int64            `json:"sessions" doc:"How many were opened in between."`
	Unread    int64            `json:"unread" doc:"Customers who could not be compared, because an event of theirs cannot be read. They are in no other figure."`
	Fields    map[string]int64 `json:"fields" doc:"Of those who changed, how many did in what: a field of the profile, tags, blacklisted."`
	Groups    []GroupTraffic   `json:"groups" nullable:"false"`
	Flows     []GroupFlow      `json:"flows" nullable:"false" doc:"The most first."`
}

// GroupTraffic is what happened at a group.
type GroupTraffic struct {
	ID      uuid.UUID `json:"id" format:"uuid"`
	Name    string    `json:"name" doc:"Of one that was deleted, the last."`
	Gained  int64     `json:"gained" doc:"Customers who are in it and were not."`
	Lost    int64     `json:"lost" doc:"Customers who were in it and are not."`
	Entered int64     `json:"entered" doc:"How often somebody entered, back and forth too."`
	Left    int64     `json:"left"`
}

// GroupFlow is how many customers went from one group to another.
type GroupFlow struct {
	From      *projections.Named `json:"from" doc:"They were in it and are not; null: they left no group."`
	To        *projections.Named `json:"to" doc:"They are in it and were not; null: they entered no group."`
	Customers int64              `json:"customers"`
}

func (s *server) diffOperation() {
	register(s, operation{id: "diff", method: http.MethodGet, path: "/v1/diff", tag: "Events",
		summary: "Compare the customers at two times: who appeared, who changed what, who went from which group to which",
		notes: "One JSON object a line: the customers of whom something is different, in the order of their ids, and at the end a summary. The net effect is told: what was changed and changed back is no difference. " +
			"`from` and `to` are moments as those of `as_of`, up to and including: what happened at `from` itself is no difference, what happened at `to` is one. Groups are told as far as they have been judged; X-Stale says that this is not up to `to` yet. " +
			"An answer without the line of the summary is incomplete.",
		stream: true, produces: "application/x-ndjson", schema: DiffLine{}}, s.diff)
}

type diffInput struct {
	After
	From string `query:"from" maxLength:"64" doc:"The earlier moment: a time such as 2026-11-03T09:30:00Z, or a position of the log, either with all that was recorded at it. Default: before anything happened."`
	To   string `query:"to" maxLength:"64" doc:"The later moment, said the same way. Default: now."`
}

func (s *server) diff(ctx context.Context, r *request, in *diffInput) (*huma.StreamResponse, error) {
	from, _, err := s.moment(ctx, r, "query.from", cmp.Or(in.From, "0"))
	if err != nil {
		return nil, err
	}
	to, past, err := s.moment(ctx, r, "query.to", in.To)
	if err == nil && !past {
		to.Position, to.At, err = s.Store.Watermark(ctx, r.who.Tenant)
	}
	if err != nil {
		return nil, err
	}
	if from.Position > to.Position || from.At.After(to.At) {
		return nil, invalid("query.from", ruleOrder)
	}
	served, err := s.serve(ctx, projections.GroupsName, r.who.Tenant, After{AfterHeader: max(in.position(), to.Position)})
	if err != nil {
		return nil, err
	}
	compared, err := s.Groups.Diff(ctx, r.who.Tenant, from, to)
	if err != nil {
		return nil, err
	}
	t := &diffTeller{diff: compared, from: from, to: to, personal: r.who.Personal, told: time.Now()}
	if t.tags, t.groups, err = s.everNamed(ctx, r); err != nil {
		return nil, err
	}
	page, more, err := t.next(ctx)
	if err != nil {
		return nil, err
	}
	header := map[string]string{"X-Log-Position": strconv.FormatInt(to.Position, 10)}
	judged, err := compared.Judged(ctx)
	if err != nil {
		return nil, err
	}
	if served.Stale != "" || !judged {
		header["X-Stale"] = "true"
	}
	return lines(ctx, header, page, more, t.next), nil
}

// everNamed are the last names of all tags and groups that there ever were.
func (s *server) everNamed(ctx context.Context, r *request) (tags, groups map[uuid.UUID]string, err error) {
	tags, groups = map[uuid.UUID]string{}, map[uuid.UUID]string{}
	for _, stream := range []string{tag.Stream, group.Stream} {
		if err := s.catalogue(ctx, r, stream, func(e *eventstore.Decoded) {
			switch payload := e.Payload.(type) {
			case tag.Created:
				tags[payload.Tag] = payload.Name
			case tag.Renamed:
				tags[payload.Tag] = payload.Name
			case group.Defined:
				groups[payload.Group] = payload.Name
			case group.Renamed:
				groups[payload.Group] = payload.Name
			}
		}); err != nil {
			return nil, nil, err
		}
	}
	return tags, groups, nil
}

// diffTeller makes lines of differences, as one reader may see them.
type diffTeller struct {
	diff         *projections.Diff
	from, to     projector.Moment
	personal     bool
	tags, groups map[uuid.UUID]string
	told         time.Time // when a line was made last
}

// silentMost is how long nothing is told of how far it is.
const silentMost = time.Second

func (t *diffTeller) next(ctx context.Context) (page []DiffLine, more bool, err error) {
	differences, more, err := t.diff.Next(ctx)
	if err != nil {
		return nil, false, err
	}
	for i := range differences {
		page = append(page, t.line(&differences[i]))
	}
	if more && time.Since(t.told) > silentMost {
		line := DiffLine{Kind: "progress", Doing: "comparing"}
		line.Done, line.Total = t.diff.Compared()
		if done, total, looks := t.diff.Looking(); looks {
			line.Doing, line.Done, line.Total = "looking", done, total
		}
		page = append(page, line)
		t.told = time.Now()
	}
	if !more {
		page = append(page, DiffLine{Kind: "summary", Summary: t.summary()})
	}
	return page, more, nil
}

func (t *diffTeller) line(d *projections.Difference) DiffLine {
	line := DiffLine{Kind: d.Kind, CustomerID: &d.Customer, ExternalID: d.ExternalID, Sessions: d.Sessions, Fields: map[string]FieldDiff{}}
	for name, change := range d.Fields {
		if !t.personal {
			change = customer.Change{Old: maskedValue(change.Old), New: maskedValue(change.New)}
		}
		line.Fields[name] = FieldDiff(change)
	}
	if !t.personal {
		line.ExternalID = masked(line.ExternalID)
	}
	line.Tags, line.Groups = differ(d.Tagged, d.Untagged, t.tags), differ(d.Entered, d.Left, t.groups)
	if d.Listed || d.Unlisted {
		line.Blacklisted = &d.Listed
	}
	return line
}

// maskedValue is a mask, or nil if there is nothing to mask.
func maskedValue(value any) any {
	if value == nil {
		return nil
	}
	return mask
}

// differ is nil if nothing came and nothing went.
func differ(added, removed []uuid.UUID, names map[uuid.UUID]string) *NamedDiff {
	if len(added)+len(removed) == 0 {
		return nil
	}
	return &NamedDiff{Added: allNamed(added, names), Removed: allNamed(removed, names)}
}

func allNamed(ids []uuid.UUID, names map[uuid.UUID]string) (all []projections.Named) {
	for _, id := range ids {
		all = append(all, projections.Named{ID: id, Name: names[id]})
	}
	return all
}

func (t *diffTeller) summary() *DiffSummary {
	totals := t.diff.Totals()
	summary := &DiffSummary{
		From: t.from, To: t.to, Appeared: totals.Appeared, Changed: totals.Changed, Active: totals.Active, Withdrawn: totals.Withdrawn, Sessions: totals.Sessions,
		Unread: totals.Unread, Fields: totals.Fields, Groups: []GroupTraffic{}, Flows: []GroupFlow{},
	}
	for _, g := range t.diff.Traffic() {
		summary.Groups = append(summary.Groups, GroupTraffic{ID: g.Group, Name: t.groups[g.Group], Gained: g.Gained, Lost: g.Lost, Entered: g.Entries, Left: g.Left})
	}
	one := func(id uuid.UUID) *projections.Named {
		if id == uuid.Nil {
			return nil
		}
		return &projections.Named{ID: id, Name: t.groups[id]}
	}
	for _, f := range t.diff.Flows() {
		summary.Flows = append(summary.Flows, GroupFlow{From: one(f.From), To: one(f.To), Customers: f.Customers})
	}
	return summary
}
