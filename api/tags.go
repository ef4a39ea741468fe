package api

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
)

// Tag is an entry of the catalogue of tags.
type Tag struct {
	ID   uuid.UUID `json:"id" format:"uuid"`
	Name string    `json:"name"`
}

// TagInput is what a tag is made or renamed with.
type TagInput struct {
	Name string `json:"name" doc:"1 to 50 characters without ASCII commas; unique without regard to case and width."`
}

type tagOutput struct {
	Written
	Location string `header:"Location"`
	Body     Tag
}

type noContent struct{ Written }

func (s *server) tagOperations() {
	const tag = "Tags"
	register(s, operation{id: "list-tags", method: http.MethodGet, path: "/v1/tags", tag: tag,
		summary: "List the tags, oldest first"}, s.listTags)
	register(s, operation{id: "create-tag", method: http.MethodPost, path: "/v1/tags", tag: tag, status: http.StatusCreated,
		summary: "Add a tag", errors: []int{http.StatusConflict}}, s.createTag)
	register(s, operation{id: "get-tag", method: http.MethodGet, path: "/v1/tags/{id}", tag: tag,
		summary: "Show a tag"}, s.getTag)
	register(s, operation{id: "rename-tag", method: http.MethodPatch, path: "/v1/tags/{id}", tag: tag,
		summary: "Rename a tag", errors: []int{http.StatusConflict}}, s.renameTag)
	register(s, operation{id: "delete-tag", method: http.MethodDelete, path: "/v1/tags/{id}", tag: tag,
		summary: "Delete a tag", notes: "It leaves every customer's view. Its id never comes back."}, s.deleteTag)
}

type listTagsInput struct{ After }

func (s *server) listTags(ctx context.Context, r *request, _ *listTagsInput) (*struct{ Body List[Tag] }, error) {
	state, _, err := s.Catalogues.Tags(ctx, r.who.Tenant)
	if err != nil {
		return nil, err
	}
	tags := make([]Tag, 0, len(state.Names))
	for id, name := range state.Names {
		tags = append(tags, Tag{ID: id, Name: name})
	}
	slices.SortFunc(tags, func(a, b Tag) int { return bytes.Compare(a.ID[:], b.ID[:]) }) // ids are made in the order of time
	return &struct{ Body List[Tag] }{whole(tags)}, nil
}

type oneTagInput struct {
	After
	ID uuid.UUID `path:"id" format:"uuid"`
}

func (s *server) getTag(ctx context.Context, r *request, in *oneTagInput) (*struct{ Body Tag }, error) {
	tag, err := s.tag(ctx, r, in.ID)
	return &struct{ Body Tag }{tag}, err
}

func (s *server) tag(ctx context.Context, r *request, id uuid.UUID) (Tag, error) {
	state, _, err := s.Catalogues.Tags(ctx, r.who.Tenant)
	if err != nil {
		return Tag{}, err
	}
	name, known := state.Names[id]
	if !known {
		return Tag{}, domain.Refuse(domain.CodeNotFound)
	}
	return Tag{ID: id, Name: name}, nil
}

type createTagInput struct {
	Write
	Body TagInput
}

func (s *server) createTag(ctx context.Context, r *request, in *createTagInput) (*tagOutput, error) {
	done, err := commands.CreateTag{Name: in.Body.Name}.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	return s.writtenTag(ctx, r, done)
}

// writtenTag answers with a tag as it stands. One that was deleted since, when the request is repeated late, has its id only.
func (s *server) writtenTag(ctx context.Context, r *request, done commands.Done) (*tagOutput, error) {
	tag, err := s.tag(ctx, r, done.Tag)
	var gone *domain.Refusal
	if errors.As(err, &gone) {
		tag, err = Tag{ID: done.Tag}, nil
	}
	return &tagOutput{Written: Written{done.Position}, Location: "/v1/tags/" + done.Tag.String(), Body: tag}, err
}

type renameTagInput struct {
	Write
	ID   uuid.UUID `path:"id" format:"uuid"`
	Body TagInput
}

func (s *server) renameTag(ctx context.Context, r *request, in *renameTagInput) (*tagOutput, error) {
	done, err := commands.RenameTag{Tag: in.ID, Name: in.Body.Name}.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, missingTag(err)
	}
	return s.writtenTag(ctx, r, done)
}

type deleteTagInput struct {
	Write
	ID uuid.UUID `path:"id" format:"uuid"`
}

func (s *server) deleteTag(ctx context.Context, r *request, in *deleteTagInput) (*noContent, error) {
	done, err := commands.DeleteTag{Tag: in.ID}.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, missingTag(err)
	}
	return &noContent{Written{done.Position}}, nil
}

// missingTag says "not found" where the tag is what the address names.
func missingTag(err error) error {
	var refusal *domain.Refusal
	if errors.As(err, &refusal) && refusal.Code == domain.CodeTagUnknown {
		return domain.Refuse(domain.CodeNotFound)
	}
	return err
}
