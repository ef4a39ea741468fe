package api

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/projections"
)

// Tag is an entry of the catalogue of tags.
type Tag struct {
	ID   uuid.UUID `json:"id" format:"uuid"`
	Name string    `json:"name"`
	// Customers lags behind the log as the customer list does.
	Customers int64 `json:"customers" doc:"How many customers carry it: exact, as of X-Log-Position where a read is answered."`
	Version   int64 `json:"version" doc:"As in the ETag: 1 when it was created; each change of the tag adds 1."`
}

// TagInput is what a tag is made or renamed with.
type TagInput struct {
	Name string `json:"name" doc:"1 to 50 characters without ASCII commas; unique without regard to case and width."`
}

type tagOutput struct {
	Written
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
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
		summary: "Rename a tag", notes: "Customers who carry it show the new name at once.", errors: []int{http.StatusConflict, http.StatusPreconditionFailed}}, s.renameTag)
	register(s, operation{id: "delete-tag", method: http.MethodDelete, path: "/v1/tags/{id}", tag: tag,
		summary: "Delete a tag", notes: "It leaves every customer's view; its id never comes back. Refused with TAG_IN_USE while an auto message is running whose audience depends on it, by itself or by the rule of a group; used_by lists them. " +
			"Rules of groups that name it stay as they are, and no customer has it any more: \"has none of\" is then true of everybody. Views and auto messages that name it stay, too: a list by such a view, and the start of such an auto message, is refused with TAG_UNKNOWN and the path until that is taken out.",
		errors: []int{http.StatusConflict, http.StatusPreconditionFailed}}, s.deleteTag)
}

type listTagsInput struct{ After }

type tagsOutput struct {
	Served
	Body List[Tag]
}

func (s *server) listTags(ctx context.Context, r *request, in *listTagsInput) (*tagsOutput, error) {
	served, err := s.serve(ctx, projections.CustomersName, r.who.Tenant, in.After)
	if err != nil {
		return nil, err
	}
	all, err := s.tags(ctx, r)
	return &tagsOutput{Served: served, Body: whole(all)}, err
}

// tags are the tags with what the read model counts of them, oldest first.
func (s *server) tags(ctx context.Context, r *request) ([]Tag, error) {
	state, _, err := s.Catalogues.Tags(ctx, r.who.Tenant)
	if err != nil {
		return nil, err
	}
	usage, err := s.Customers.TagUsage(ctx, r.who.Tenant, slices.Collect(maps.Keys(state.Names)))
	if err != nil {
		return nil, err
	}
	tags := make([]Tag, 0, len(state.Names))
	for id, name := range state.Names {
		tags = append(tags, Tag{ID: id, Name: name, Customers: usage[id], Version: state.Versions[id]})
	}
	slices.SortFunc(tags, func(a, b Tag) int { return bytes.Compare(a.ID[:], b.ID[:]) }) // ids are made in the order of time
	return tags, nil
}

type oneTagInput struct {
	After
	ID uuid.UUID `path:"id" format:"uuid"`
}

type oneTagOutput struct {
	Served
	ETag string `header:"ETag"`
	Body Tag
}

func (s *server) getTag(ctx context.Context, r *request, in *oneTagInput) (*oneTagOutput, error) {
	served, err := s.serve(ctx, projections.CustomersName, r.who.Tenant, in.After)
	if err != nil {
		return nil, err
	}
	tag, err := s.tag(ctx, r, in.ID)
	return &oneTagOutput{Served: served, ETag: etag(tag.Version), Body: tag}, err
}

func (s *server) tag(ctx context.Context, r *request, id uuid.UUID) (Tag, error) {
	all, err := s.tags(ctx, r)
	if err != nil {
		return Tag{}, err
	}
	i := slices.IndexFunc(all, func(t Tag) bool { return t.ID == id })
	if i < 0 {
		return Tag{}, domain.Refuse(domain.CodeNotFound)
	}
	return all[i], nil
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
	if err != nil && !errors.As(err, &gone) { // the write is safe in the log: nothing that goes wrong after it makes it fail
		s.unshown(ctx, r, done, err)
	}
	if err != nil {
		tag = Tag{ID: done.Tag}
	}
	return &tagOutput{Written: Written{done.Position}, Location: "/v1/tags/" + done.Tag.String(), ETag: etag(tag.Version), Body: tag}, nil
}

type renameTagInput struct {
	Write
	Match
	ID   uuid.UUID `path:"id" format:"uuid"`
	Body TagInput
}

func (s *server) renameTag(ctx context.Context, r *request, in *renameTagInput) (*tagOutput, error) {
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	done, err := commands.RenameTag{Tag: in.ID, Name: in.Body.Name, IfVersion: version}.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, missingTag(err)
	}
	return s.writtenTag(ctx, r, done)
}

type deleteTagInput struct {
	Write
	Match
	ID uuid.UUID `path:"id" format:"uuid"`
}

func (s *server) deleteTag(ctx context.Context, r *request, in *deleteTagInput) (*noContent, error) {
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	done, err := commands.DeleteTag{Tag: in.ID, IfVersion: version}.Run(ctx, s.Center, r.by(in.IdempotencyKey))
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
