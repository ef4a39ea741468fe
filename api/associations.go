package api

import (
	"context"
	"fmt"
	"net/http"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/association"
)

// Association is a connected account of a channel.
type Association struct {
	ID      int    `json:"id" doc:"A short number; people type it into spreadsheets."`
	Channel string `json:"channel" enum:"app,web,wechat,weibo,phone,api"`
	Account string `json:"account"`
	Name    string `json:"name"`
	Removed bool   `json:"removed" doc:"The account is not connected any more; its customers stay."`
	Version int64  `json:"version" doc:"As in the ETag."`
}

// AssociationInput is what an association is made with.
type AssociationInput struct {
	Channel string `json:"channel" enum:"app,web,wechat,weibo,phone,api"`
	Account string `json:"account" doc:"org#app for an app; else 1 to 128 characters."`
	Name    string `json:"name" doc:"1 to 50 characters."`
}

// NameInput is what is renamed with.
type NameInput struct {
	Name string `json:"name" doc:"1 to 50 characters."`
}

type associationOutput struct {
	Written
	ETag     string `header:"ETag"`
	Location string `header:"Location"`
	Body     Association
}

func (s *server) associationOperations() {
	const tag = "Associations"
	register(s, operation{id: "list-associations", method: http.MethodGet, path: "/v1/associations", tag: tag,
		summary: "List the associations"}, s.listAssociations)
	register(s, operation{id: "register-association", method: http.MethodPost, path: "/v1/associations", tag: tag, status: http.StatusCreated,
		summary: "Connect an account", notes: "An account that was removed gets its number back.", errors: []int{http.StatusConflict}}, s.registerAssociation)
	register(s, operation{id: "get-association", method: http.MethodGet, path: "/v1/associations/{id}", tag: tag,
		summary: "Show an association"}, s.getAssociation)
	register(s, operation{id: "rename-association", method: http.MethodPatch, path: "/v1/associations/{id}", tag: tag,
		summary: "Rename an association", errors: []int{http.StatusConflict, http.StatusPreconditionFailed}}, s.renameAssociation)
	register(s, operation{id: "remove-association", method: http.MethodDelete, path: "/v1/associations/{id}", tag: tag,
		summary: "Disconnect an account", errors: []int{http.StatusPreconditionFailed}}, s.removeAssociation)
}

type listAssociationsInput struct {
	After
	Removed bool `query:"removed" doc:"Also those that were removed."`
}

func (s *server) listAssociations(ctx context.Context, r *request, in *listAssociationsInput) (*struct{ Body List[Association] }, error) {
	state, _, err := s.Catalogues.Associations(ctx, r.who.Tenant)
	if err != nil {
		return nil, err
	}
	var all []Association
	for _, a := range state.All {
		if in.Removed || !a.Removed {
			all = append(all, Association(a))
		}
	}
	return &struct{ Body List[Association] }{whole(all)}, nil
}

type oneAssociationInput struct {
	After
	ID int `path:"id" minimum:"1"`
}

type oneAssociationOutput struct {
	ETag string `header:"ETag"`
	Body Association
}

func (s *server) getAssociation(ctx context.Context, r *request, in *oneAssociationInput) (*oneAssociationOutput, error) {
	a, err := s.association(ctx, r, in.ID)
	if err != nil {
		return nil, err
	}
	return &oneAssociationOutput{ETag: etag(a.Version), Body: Association(a)}, nil
}

func (s *server) association(ctx context.Context, r *request, id int) (association.Association, error) {
	state, _, err := s.Catalogues.Associations(ctx, r.who.Tenant)
	if err != nil {
		return association.Association{}, err
	}
	a, found := state.Find(id)
	if !found {
		return association.Association{}, domain.Refuse(domain.CodeNotFound)
	}
	return a, nil
}

type registerAssociationInput struct {
	Write
	Body AssociationInput
}

func (s *server) registerAssociation(ctx context.Context, r *request, in *registerAssociationInput) (*associationOutput, error) {
	done, err := commands.RegisterAssociation{Channel: in.Body.Channel, Account: in.Body.Account, Name: in.Body.Name}.
		Run(ctx, s.Center, r.by(in.IdempotencyKey))
	return s.writtenAssociation(ctx, r, done, err)
}

func (s *server) writtenAssociation(ctx context.Context, r *request, done commands.Done, err error) (*associationOutput, error) {
	if err != nil {
		return nil, err
	}
	a, err := s.association(ctx, r, done.Association)
	if err != nil {
		return nil, err
	}
	return &associationOutput{Written: Written{done.Position}, Location: fmt.Sprintf("/v1/associations/%d", a.ID), ETag: etag(a.Version), Body: Association(a)}, nil
}

type renameAssociationInput struct {
	Write
	Match
	ID   int `path:"id" minimum:"1"`
	Body NameInput
}

func (s *server) renameAssociation(ctx context.Context, r *request, in *renameAssociationInput) (*associationOutput, error) {
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	done, err := commands.RenameAssociation{Association: in.ID, Name: in.Body.Name, IfVersion: version}.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	return s.writtenAssociation(ctx, r, done, err)
}

type removeAssociationInput struct {
	Write
	Match
	ID int `path:"id" minimum:"1"`
}

func (s *server) removeAssociation(ctx context.Context, r *request, in *removeAssociationInput) (*noContent, error) {
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	done, err := commands.RemoveAssociation{Association: in.ID, IfVersion: version}.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	return &noContent{Written{done.Position}}, nil
}
