package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/filter"
	"customercenter/domain/settings"
	"customercenter/projections"
)

// SearchInput is a query of the customer list.
type SearchInput struct {
	Filter json.RawMessage `json:"filter,omitempty" doc:"The filter. None: created this week, in the tenant's zone. {}: everybody."`
	Sort   string          `json:"sort,omitempty" maxLength:"64" default:"-created_at" doc:"created_at, last_session_at, updated_at, nickname, or custom.<key> for a custom field of the type text, number or date; with - before it the other way round."`
	Limit  int             `json:"limit,omitempty" minimum:"1" maximum:"200" default:"50"`
	Cursor string          `json:"cursor,omitempty" maxLength:"1000" doc:"next or prev of another page of the same query."`
	AsOf   string          `json:"as_of,omitempty" maxLength:"64" doc:"The answer as it was then: a time, or a position of the log. Not for agents."`
	Facets []string        `json:"facets,omitempty" nullable:"false" maxItems:"8" enum:"tags,groups,channel,association,created_via,blacklisted,session_open,ever_served" doc:"What to count the answer by."`
}

type customerPage struct {
	ServedPast
	Body projections.Page
}

const listNotes = "The filter is a tree of conditions, see the documentation of filters. What is known of every customer as a set (tags, groups, channel, " +
	"association, the way and time of creation, the blacklist, unfinished sessions, agents, options, which fields are set, single characters of names) is " +
	"answered and counted exactly, and by `facets`: how many of all pages have each value. Texts, numbers and other times may have to be looked at customer by customer: such a count " +
	"stops at a bound, and a search that runs out of its budget is `partial` and leads on. Times relative to now are judged as of the first page on all pages, and so is the count. " +
	"By nickname, and by a custom text, is the order of pinyin; those without a value of a custom field come last in both directions. Whoever sees personal data masked cannot filter or sort by it. " + agentNotes + pastNotes

func (s *server) customerListOperations() {
	const tag = "Customers"
	register(s, operation{id: "list-customers", method: http.MethodGet, path: "/v1/customers", tag: tag,
		summary: "List customers", notes: listNotes, prepares: true}, s.listCustomers)
	register(s, operation{id: "search-customers", method: http.MethodPost, path: "/v1/customers/search", tag: tag, status: http.StatusOK,
		summary: "List customers, with the query in the body", notes: listNotes, prepares: true}, s.searchCustomers)
}

type listCustomersInput struct {
	After
	Past
	Filter string   `query:"filter" maxLength:"8000" doc:"The filter as JSON. None: created this week, in the tenant's zone. {}: everybody."`
	Sort   string   `query:"sort" maxLength:"64" default:"-created_at" doc:"created_at, last_session_at, updated_at, nickname, or custom.<key> for a custom field of the type text, number or date; with - before it the other way round."`
	Limit  int      `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor string   `query:"cursor" maxLength:"1000" doc:"next or prev of another page of the same query."`
	Facets []string `query:"facets" nullable:"false" maxItems:"8" enum:"tags,groups,channel,association,created_via,blacklisted,session_open,ever_served" doc:"What to count the answer by, separated by commas."`
}

func (s *server) listCustomers(ctx context.Context, r *request, in *listCustomersInput) (*customerPage, error) {
	return s.customers(ctx, r, "query.", in.After, SearchInput{
		Filter: json.RawMessage(in.Filter), Sort: in.Sort, Limit: in.Limit, Cursor: in.Cursor, Facets: in.Facets, AsOf: in.AsOf,
	})
}

type searchCustomersInput struct {
	After
	Body SearchInput
}

func (s *server) searchCustomers(ctx context.Context, r *request, in *searchCustomersInput) (*customerPage, error) {
	return s.customers(ctx, r, "", in.After, in.Body)
}

// customers answers a query. at is what the locations of its parts begin with, but for the filter's.
func (s *server) customers(ctx context.Context, r *request, at string, after After, in SearchInput) (*customerPage, error) {
	s, err := s.asOf(ctx, r, at, in.AsOf, in.Cursor)
	if err != nil {
		return nil, err
	}
	agent, err := s.customersOf(ctx, r)
	if err != nil {
		return nil, err
	}
	query := projections.ListQuery{ServedBy: agent, Sort: in.Sort, Limit: in.Limit, Cursor: in.Cursor, Facets: in.Facets, At: s.Now()}
	if query.Filter, query.Calendar, err = s.filter(ctx, r, in.Filter); err != nil {
		return nil, err
	}
	// What is masked could be guessed letter by letter, or by who comes before whom.
	if !r.who.Personal && query.Filter.Personal() {
		return nil, domain.Refuse(codeForbidden).At("filter")
	}
	if !r.who.Personal && projections.SortsByPersonal(in.Sort) {
		return nil, domain.Refuse(codeForbidden).At(at + "sort")
	}
	served, err := s.serveList(ctx, r.who.Tenant, &query, after)
	if err != nil {
		return nil, err
	}
	page, err := s.Customers.List(ctx, r.who.Tenant, query)
	if errors.Is(err, projections.ErrCursor) {
		return nil, invalid(at+"cursor", ruleCursor)
	}
	if errors.Is(err, projections.ErrSort) {
		return nil, invalid(at+"sort", domain.RuleOneOf)
	}
	if err != nil {
		return nil, err
	}
	if err := s.showGroups(ctx, r, page.Items, page.Facets); err != nil {
		return nil, err
	}
	if !r.who.Personal {
		for i := range page.Items {
			maskCustomer(&page.Items[i])
		}
	}
	return &customerPage{s.at(served), page}, nil
}

// thisWeek is the filter of a list that is asked for without one.
var thisWeek = json.RawMessage(`{"field":"created_at","op":"in","value":{"period":"this_week"}}`)

// filter reads a filter in the language of the tenant.
//
// Refused: VALIDATION, TAG_UNKNOWN and GROUP_UNKNOWN, with the path of what is wrong, such as filter.all[2].op.
func (s *server) filter(ctx context.Context, r *request, raw json.RawMessage) (*filter.Filter, filter.Calendar, error) {
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		raw = thisWeek
	}
	cal, err := s.calendarOf(ctx, r.who.Tenant)
	if err != nil {
		return nil, cal, err
	}
	language := &filter.Language{Groups: true}
	if bytes.Contains(raw, []byte("custom.")) || bytes.IndexByte(raw, '\\') >= 0 { // most filters need no fields, and no look for them
		fields, _, err := s.Catalogues.Fields(ctx, r.who.Tenant)
		if err != nil {
			return nil, cal, err
		}
		language.Custom = fields.Filterable()
	}
	f, err := filter.Parse(raw, language, "filter")
	if err != nil {
		return nil, cal, err
	}
	named, groups, _ := f.References()
	known, visible := noneKnown, noneKnown
	if len(named) > 0 {
		tags, _, err := s.Catalogues.Tags(ctx, r.who.Tenant)
		if err != nil {
			return nil, cal, err
		}
		known = tags.Known
	}
	if len(groups) > 0 {
		state, _, err := s.Catalogues.Groups(ctx, r.who.Tenant)
		if err != nil {
			return nil, cal, err
		}
		visible = func(id uuid.UUID) bool { return state.Known(id) && seesGroup(r, state.All[id]) }
	}
	return f, cal, f.CheckNamed(known, visible)
}

func noneKnown(uuid.UUID) bool { return false }

// calendarOf is that of a tenant, asked for.
func (s *server) calendarOf(ctx context.Context, tenant string) (filter.Calendar, error) {
	own, _, err := s.Catalogues.Settings(ctx, tenant)
	if err != nil {
		return filter.Calendar{}, err
	}
	return calendar(&own)
}

// calendar is that of a tenant.
func calendar(own *settings.State) (filter.Calendar, error) {
	zone, err := time.LoadLocation(own.TimeZone())
	if err != nil {
		return filter.Calendar{}, fmt.Errorf("api: the tenant's zone: %w", err)
	}
	return filter.Calendar{Zone: zone, WeekStart: own.FirstWeekday()}, nil
}
