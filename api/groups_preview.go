package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/filter"
	"customercenter/domain/group"
	"customercenter/projections"
)

// PreviewInput is a rule that somebody thinks of.
type PreviewInput struct {
	Rule    json.RawMessage `json:"rule" doc:"A filter with at least one condition. It may not read groups."`
	GroupID *uuid.UUID      `json:"group_id,omitempty" format:"uuid" doc:"The group that is to get it."`
}

// Preview is who would belong to a group.
type Preview struct {
	Description string                 `json:"description" doc:"The rule in words, in the language of Accept-Language."`
	Count       projections.Count      `json:"count" doc:"How many customers match."`
	Sample      []projections.Customer `json:"sample" nullable:"false" doc:"Up to 10 of them, the newest first."`
	Enter       projections.Count      `json:"enter" doc:"How many of them would enter: are not in the group now."`
	Leave       projections.Count      `json:"leave" doc:"How many would leave: are in the group now, and do not match."`
	Entering    []projections.Customer `json:"entering" nullable:"false" doc:"Up to 10 of those who would enter, the newest first; none without a group."`
	Leaving     []projections.Customer `json:"leaving" nullable:"false" doc:"Up to 10 of those who would leave, the newest first."`
}

type previewInput struct {
	After
	Body PreviewInput
}

type previewOutput struct {
	Served
	Body Preview
}

// Bounds of a preview.
const (
	sampleSize  = 10
	previewTime = 400 * time.Millisecond // of counting what sets do not decide, for each of the counts
)

func (s *server) groupPreviewOperation() {
	register(s, operation{id: "preview-group", method: http.MethodPost, path: "/v1/groups/preview", tag: "Groups", status: http.StatusOK,
		summary: "Show who would be in a group", notes: "Nothing is changed. A count that is not exact is at least that many: it was given up after a while. " +
			"While a group is still being filled by its last revision, those of the rule before it are in it."}, s.previewGroup)
}

func (s *server) previewGroup(ctx context.Context, r *request, in *previewInput) (*previewOutput, error) {
	words, err := s.vocabulary(ctx, r)
	if err != nil {
		return nil, err
	}
	rule, err := words.rule(in.Body.Rule)
	if err != nil {
		return nil, err
	}
	if id := in.Body.GroupID; id != nil && words.names.Groups[*id] == "" {
		return nil, domain.Refuse(domain.CodeGroupUnknown).At("group_id")
	}
	own, _, err := s.Catalogues.Settings(ctx, r.who.Tenant)
	if err != nil {
		return nil, err
	}
	query := projections.ListQuery{Filter: rule, Limit: sampleSize, At: s.Now()}
	if query.Calendar, err = calendar(&own); err != nil {
		return nil, err
	}
	served, err := s.servePreview(ctx, r.who.Tenant, in)
	if err != nil {
		return nil, err
	}
	out := &previewOutput{Served: served, Body: Preview{Description: rule.Describe(words.words, words.names), Entering: []projections.Customer{}, Leaving: []projections.Customer{}}}
	if out.Body.Sample, out.Body.Count, err = s.sample(ctx, r, query); err != nil {
		return nil, err
	}
	return out, s.moves(ctx, r, query, in.Body.GroupID, &out.Body)
}

// servePreview is serve for a preview, which looks at who is in a group only if there is one.
func (s *server) servePreview(ctx context.Context, tenant string, in *previewInput) (Served, error) {
	if in.Body.GroupID != nil {
		return s.serveGroups(ctx, tenant, in.After)
	}
	return s.serve(ctx, projections.CustomersName, tenant, in.After)
}

// moves tells who would enter and leave the group; of one that is not there yet, everybody enters.
func (s *server) moves(ctx context.Context, r *request, query projections.ListQuery, id *uuid.UUID, out *Preview) error {
	if id == nil {
		out.Enter, out.Leave = out.Count, projections.Count{Exact: true}
		return nil
	}
	var err error
	query.Entering = *id
	if out.Entering, out.Enter, err = s.sample(ctx, r, query); err != nil {
		return err
	}
	query.Entering, query.Leaving = uuid.Nil, *id
	out.Leaving, out.Leave, err = s.sample(ctx, r, query)
	return err
}

// sample is how many match a query, and the first of them.
func (s *server) sample(ctx context.Context, r *request, query projections.ListQuery) ([]projections.Customer, projections.Count, error) {
	page, err := s.Customers.List(ctx, r.who.Tenant, query)
	if err != nil || page.Count.Exact {
		return page.Items, page.Count, err
	}
	count, err := s.Customers.CountOf(ctx, r.who.Tenant, query, previewTime)
	return page.Items, count, err
}

// rule reads a rule of a group. Refused as the rule of a group that is defined.
func (v *vocabulary) rule(raw json.RawMessage) (*filter.Filter, error) {
	f, err := filter.Parse(raw, &filter.Language{Custom: v.language.Custom}, "rule")
	if err != nil {
		return nil, err
	}
	known := func(id uuid.UUID) bool { _, known := v.names.Tags[id]; return known }
	return f, group.Rule{Filter: f, Tags: known}.Check()
}
