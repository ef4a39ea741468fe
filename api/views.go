package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/view"
)

// View is a saved view of the customer list.
type View struct {
	ID          uuid.UUID       `json:"id" format:"uuid"`
	Name        string          `json:"name"`
	Filter      json.RawMessage `json:"filter,omitempty" doc:"For the list of customers; {} is everybody. Absent if it looks at personal data and the reader sees that masked."`
	Description string          `json:"description" doc:"The filter in words, in the language of Accept-Language."`
	Sort        string          `json:"sort"`
	Columns     []string        `json:"columns" nullable:"false" doc:"In the order in which they are shown."`
	Owner       ViewOwner       `json:"owner"`
	Mine        bool            `json:"mine" doc:"The caller is the owner."`
	Shared      bool            `json:"shared" doc:"Everybody who may list customers sees it; else its owner alone."`
	Version     int64           `json:"version" doc:"As in the ETag; each change of the view adds to it."`
}

// ViewOwner is who has made a view.
type ViewOwner struct {
	Kind string `json:"kind" doc:"admin or agent."`
	ID   string `json:"id"`
}

// ViewInput is what a view is made with.
type ViewInput struct {
	Name    string          `json:"name" doc:"1 to 50 characters; unique, without regard to case and width, among the shared ones, or among the owner's private ones."`
	Filter  json.RawMessage `json:"filter,omitempty" doc:"A filter, which may read groups. None is everybody."`
	Sort    *string         `json:"sort,omitempty" doc:"created_at, last_session_at, updated_at, nickname or, of the types text, number and date, custom.<key>; with - before it the other way round. None: -created_at."`
	Columns *[]string       `json:"columns,omitempty" nullable:"false" doc:"Up to 50 different ones: names of fields of the filter language, custom.<key> too."`
	Shared  *bool           `json:"shared,omitempty" doc:"An admin may show it to everybody."`
}

// ViewChange is what is to be changed of a view; what is absent stays.
type ViewChange struct {
	Name    *string         `json:"name,omitempty" doc:"As when it was made."`
	Filter  json.RawMessage `json:"filter,omitempty" doc:"A filter, which may read groups; {} is everybody."`
	Sort    *string         `json:"sort,omitempty" doc:"created_at, last_session_at, updated_at, nickname or, of the types text, number and date, custom.<key>; with - before it the other way round."`
	Columns *[]string       `json:"columns,omitempty" nullable:"false" doc:"All of them, up to 50 different ones."`
	Shared  *bool           `json:"shared,omitempty" doc:"An admin may show it to everybody, or stop that: then it is its owner's alone."`
}

type viewOutput struct {
	Written
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Body     View
}

const viewNotes = "Everybody sees the own views and the shared ones. Agents get there if the tenant allows them the customer center."

func (s *server) viewOperations() {
	const tag = "Views"
	register(s, operation{id: "list-views", method: http.MethodGet, path: "/v1/views", tag: tag,
		summary: "List the saved views, oldest first", notes: viewNotes}, s.listViews)
	register(s, operation{id: "save-view", method: http.MethodPost, path: "/v1/views", tag: tag, status: http.StatusCreated,
		summary: "Save a view", notes: "One may have up to 100, a tenant up to 500. " + viewNotes, errors: []int{http.StatusConflict}}, s.saveView)
	register(s, operation{id: "get-view", method: http.MethodGet, path: "/v1/views/{id}", tag: tag,
		summary: "Show a saved view", notes: viewNotes}, s.getView)
	register(s, operation{id: "change-view", method: http.MethodPatch, path: "/v1/views/{id}", tag: tag,
		summary: "Change a saved view, all or nothing", notes: "Its owner may, and admins if it is shared.",
		errors: []int{http.StatusConflict, http.StatusPreconditionFailed}}, s.changeView)
	register(s, operation{id: "delete-view", method: http.MethodDelete, path: "/v1/views/{id}", tag: tag,
		summary: "Delete a saved view", notes: "Its owner may, and admins: also somebody's private one, which may stand in the way of removing a field.",
		errors: []int{http.StatusPreconditionFailed}}, s.deleteView)
}

// owner is the caller as the owner of views.
func (r *request) owner() view.Owner { return view.Owner{Kind: r.who.Kind, ID: r.who.ID} }

func (s *server) listViews(ctx context.Context, r *request, _ *struct{ After }) (*struct{ Body List[View] }, error) {
	if _, err := s.customersOf(ctx, r); err != nil {
		return nil, err
	}
	state, _, err := s.Catalogues.Views(ctx, r.who.Tenant)
	if err != nil {
		return nil, err
	}
	words, err := s.vocabulary(ctx, r)
	if err != nil {
		return nil, err
	}
	var all []View
	for _, v := range state.Sorted() {
		if v.SeenBy(r.owner()) {
			all = append(all, words.view(v, r.owner()))
		}
	}
	return &struct{ Body List[View] }{whole(all)}, nil
}

// view shows a view in words.
func (v *vocabulary) view(of view.View, reader view.Owner) View {
	filter, description := v.tell(of.Filter)
	columns := of.Columns
	if columns == nil {
		columns = []string{}
	}
	return View{ID: of.ID, Name: of.Name, Filter: filter, Description: description, Sort: of.Sort, Columns: columns,
		Owner: ViewOwner(of.Owner), Mine: of.Owner == reader, Shared: of.Shared, Version: of.Version}
}

type oneViewInput struct {
	After
	ID uuid.UUID `path:"id" format:"uuid"`
}

type oneViewOutput struct {
	ETag string `header:"ETag"`
	Body View
}

func (s *server) getView(ctx context.Context, r *request, in *oneViewInput) (*oneViewOutput, error) {
	if _, err := s.customersOf(ctx, r); err != nil {
		return nil, err
	}
	v, err := s.view(ctx, r, in.ID)
	return &oneViewOutput{ETag: etag(v.Version), Body: v}, err
}

// view is a view as the caller sees it. Refused: NOT_FOUND.
func (s *server) view(ctx context.Context, r *request, id uuid.UUID) (View, error) {
	state, _, err := s.Catalogues.Views(ctx, r.who.Tenant)
	if err != nil {
		return View{}, err
	}
	v, found := state.All[id]
	if !found || !v.SeenBy(r.owner()) {
		return View{}, domain.Refuse(domain.CodeNotFound)
	}
	words, err := s.vocabulary(ctx, r)
	if err != nil {
		return View{}, err
	}
	return words.view(v, r.owner()), nil
}

type saveViewInput struct {
	Write
	Body ViewInput
}

func (s *server) saveView(ctx context.Context, r *request, in *saveViewInput) (*viewOutput, error) {
	if _, err := s.customersOf(ctx, r); err != nil {
		return nil, err
	}
	done, err := commands.SaveView{ViewDraft: commands.ViewDraft{Name: &in.Body.Name, Filter: in.Body.Filter, Sort: in.Body.Sort,
		Columns: in.Body.Columns, Shared: in.Body.Shared, Admin: r.who.Role == access.Admin}}.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	return s.writtenView(ctx, r, done), nil
}

// writtenView answers with a view as it stands. One that the caller sees no more has its id only: it was deleted since, when the request
// is repeated late, or an admin has made another's view private with it.
func (s *server) writtenView(ctx context.Context, r *request, done commands.Done) *viewOutput {
	v, err := s.view(ctx, r, done.View)
	var gone *domain.Refusal
	if err != nil && !errors.As(err, &gone) { // the write is safe in the log: nothing that goes wrong after it makes it fail
		s.unshown(ctx, r, done, err)
	}
	if err != nil {
		v = View{ID: done.View, Columns: []string{}}
	}
	return &viewOutput{Written: Written{done.Position}, Location: "/v1/views/" + done.View.String(), ETag: etag(v.Version), Body: v}
}

type changeViewInput struct {
	Write
	Match
	ID   uuid.UUID `path:"id" format:"uuid"`
	Body ViewChange
}

func (s *server) changeView(ctx context.Context, r *request, in *changeViewInput) (*viewOutput, error) {
	if _, err := s.customersOf(ctx, r); err != nil {
		return nil, err
	}
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	done, err := commands.ChangeView{View: in.ID, ViewDraft: commands.ViewDraft{Name: in.Body.Name, Filter: in.Body.Filter, Sort: in.Body.Sort,
		Columns: in.Body.Columns, Shared: in.Body.Shared, Admin: r.who.Role == access.Admin}, IfVersion: version}.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	return s.writtenView(ctx, r, done), nil
}

type deleteViewInput struct {
	Write
	Match
	ID uuid.UUID `path:"id" format:"uuid"`
}

func (s *server) deleteView(ctx context.Context, r *request, in *deleteViewInput) (*noContent, error) {
	if _, err := s.customersOf(ctx, r); err != nil {
		return nil, err
	}
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	done, err := commands.DeleteView{View: in.ID, Admin: r.who.Role == access.Admin, IfVersion: version}.
		Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	return &noContent{Written{done.Position}}, nil
}
