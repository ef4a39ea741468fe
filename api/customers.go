package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/projections"
)

// CustomerInput is what a customer is made with.
type CustomerInput struct {
	AssociationID int           `json:"association_id" minimum:"1"`
	ExternalID    string        `json:"external_id" doc:"As the association's channel hands it out."`
	Nickname      string        `json:"nickname,omitempty" doc:"Short for profile.nickname. Empty: the external id."`
	Profile       *ProfileInput `json:"profile,omitempty"`
	Tags          []uuid.UUID   `json:"tags,omitempty" maxItems:"200" nullable:"false" doc:"Ids of tags."`
}

// ProfileInput are the fields of a profile; what is absent or empty is not set.
type ProfileInput struct {
	Nickname    string      `json:"nickname,omitempty" doc:"Up to 256 characters."`
	Name        string      `json:"name,omitempty" doc:"Up to 45 characters."`
	Phone       string      `json:"phone,omitempty" doc:"Up to 45 characters."`
	QQ          string      `json:"qq,omitempty" doc:"Up to 45 characters."`
	WechatID    string      `json:"wechat_id,omitempty" doc:"Up to 45 characters."`
	Email       string      `json:"email,omitempty" doc:"Up to 255 characters."`
	Company     string      `json:"company,omitempty" doc:"Up to 45 characters."`
	Description string      `json:"description,omitempty" doc:"Up to 200 characters, on several lines."`
	Custom      CustomInput `json:"custom,omitempty"`
}

// EditInput is what is to be changed of a customer.
type EditInput struct {
	Profile ProfileEdit `json:"profile"`
}

type customerOutput struct {
	ServedPast
	ETag string `header:"ETag"`
	Body projections.Customer
}

type writtenCustomer struct {
	Written
	Stale    string `header:"X-Stale" enum:"true" doc:"Set if the customer below does not show the write yet."`
	ETag     string `header:"ETag"`
	Location string `header:"Location"`
	Body     projections.Customer
}

const agentNotes = "Agents get there if the tenant allows them the customer center, and then have the customers whose session they own or owned."

func (s *server) customerOperations() {
	s.customerListOperations()
	s.customerGroupsOperation()
	s.erasureOperations()
	s.everythingOperation()
	const tag = "Customers"
	register(s, operation{id: "create-customer", method: http.MethodPost, path: "/v1/customers", tag: tag, status: http.StatusCreated,
		summary: "Add a customer", notes: "A repeated request gets the same id and status; the customer is shown as it is now.",
		errors: []int{http.StatusConflict}}, s.createCustomer)
	register(s, operation{id: "get-customer", method: http.MethodGet, path: "/v1/customers/{id}", tag: tag,
		summary: "Show a customer", notes: agentNotes}, s.getCustomer)
	register(s, operation{id: "edit-customer", method: http.MethodPatch, path: "/v1/customers/{id}", tag: tag,
		summary: "Edit a customer's profile", errors: []int{http.StatusPreconditionFailed}}, s.editCustomer)
	register(s, operation{id: "set-customer-tags", method: http.MethodPut, path: "/v1/customers/{id}/tags", tag: tag,
		summary: "Make these the customer's tags", errors: []int{http.StatusPreconditionFailed}}, s.setCustomerTags)
	register(s, operation{id: "tag-customer", method: http.MethodPut, path: "/v1/customers/{id}/tags/{tag_id}", tag: tag,
		summary: "Put a tag on a customer", errors: []int{http.StatusPreconditionFailed}}, s.tagCustomer)
	register(s, operation{id: "untag-customer", method: http.MethodDelete, path: "/v1/customers/{id}/tags/{tag_id}", tag: tag,
		summary: "Take a tag off a customer", errors: []int{http.StatusPreconditionFailed}}, s.untagCustomer)
	register(s, operation{id: "list-customer-sessions", method: http.MethodGet, path: "/v1/customers/{id}/sessions", tag: tag,
		summary: "List a customer's sessions, the latest first", notes: "An agent sees the own ones."}, s.listCustomerSessions)
}

type oneCustomerInput struct {
	After
	Past
	ID uuid.UUID `path:"id" format:"uuid"`
}

func (s *server) getCustomer(ctx context.Context, r *request, in *oneCustomerInput) (out *customerOutput, err error) {
	err = s.ofCustomer(ctx, r, in.AsOf, in.ID, func(then *server) error {
		out, err = then.customer(ctx, r, in)
		return err
	})
	return out, err
}

func (s *server) customer(ctx context.Context, r *request, in *oneCustomerInput) (*customerOutput, error) {
	agent, err := s.customersOf(ctx, r)
	if err != nil {
		return nil, err
	}
	served, err := s.serve(ctx, projections.CustomersName, r.who.Tenant, in.After)
	if err != nil {
		return nil, err
	}
	found, err := s.shown(ctx, r, agent, in.ID)
	if err != nil {
		return nil, err
	}
	if !r.who.Personal {
		maskCustomer(&found)
	}
	return &customerOutput{ServedPast: s.at(served), ETag: etag(found.Version), Body: found}, nil
}

type createCustomerInput struct {
	Write
	Body CustomerInput
}

func (s *server) createCustomer(ctx context.Context, r *request, in *createCustomerInput) (*writtenCustomer, error) {
	profile := in.Body.Profile.profile()
	if in.Body.Nickname != "" {
		profile.Nickname = in.Body.Nickname
	}
	done, err := commands.CreateCustomer{Association: in.Body.AssociationID, ExternalID: in.Body.ExternalID, Profile: profile, Tags: in.Body.Tags}.
		Run(ctx, s.Center, r.by(in.IdempotencyKey))
	var refusal *domain.Refusal
	if errors.As(err, &refusal) && refusal.Code == domain.CodeNotFound && refusal.Location == "association_id" {
		return nil, domain.Refuse(codeAssociation).At("association_id") // the address is right, the body is not
	}
	if err != nil {
		return nil, err
	}
	out := s.written(ctx, r, done)
	out.Location = "/v1/customers/" + done.Customer.String()
	return out, nil
}

// written answers a write with the customer, once the list has it. If that takes too long it says so, and shows what it has. The write
// is safe in the log, so nothing that goes wrong after it makes it fail: then the caller gets the id to ask for it again.
func (s *server) written(ctx context.Context, r *request, done commands.Done) *writtenCustomer {
	out := &writtenCustomer{Written: Written{done.Position}}
	served, err := s.serve(ctx, projections.CustomersName, r.who.Tenant, After{AfterHeader: done.Position})
	if err == nil {
		out.Stale = served.Stale
		out.Body, err = s.shown(ctx, r, "", done.Customer)
	}
	if err != nil {
		s.unshown(ctx, r, done, err)
		out.Body = projections.Customer{ID: done.Customer, Version: done.Version, Tags: []projections.Named{}, Groups: []projections.Named{}}
		out.Body.Profile.Custom = json.RawMessage("{}")
		out.Stale = "true"
	}
	out.ETag = etag(max(out.Body.Version, done.Version))
	return out
}

type editCustomerInput struct {
	Write
	Match
	ID   uuid.UUID `path:"id" format:"uuid"`
	Body EditInput
}

func (s *server) editCustomer(ctx context.Context, r *request, in *editCustomerInput) (*writtenCustomer, error) {
	if err := s.reaches(ctx, r, in.ID); err != nil {
		return nil, err
	}
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	edit, err := in.Body.Profile.command()
	if err != nil {
		return nil, err
	}
	edit.Customer, edit.IfVersion = in.ID, version
	done, err := edit.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	return s.written(ctx, r, done), nil
}

// TagsInput is the whole set of a customer's tags.
type TagsInput struct {
	Tags []uuid.UUID `json:"tags" maxItems:"200" nullable:"false" doc:"Ids of tags."`
}

type customerTagsInput struct {
	Write
	Match
	ID   uuid.UUID `path:"id" format:"uuid"`
	Body TagsInput
}

func (s *server) setCustomerTags(ctx context.Context, r *request, in *customerTagsInput) (*writtenCustomer, error) {
	if err := s.reaches(ctx, r, in.ID); err != nil {
		return nil, err
	}
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	done, err := commands.SetCustomerTags{Customer: in.ID, Tags: in.Body.Tags, IfVersion: version}.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	return s.written(ctx, r, done), nil
}

type customerTagInput struct {
	Write
	Match
	ID    uuid.UUID `path:"id" format:"uuid"`
	TagID uuid.UUID `path:"tag_id" format:"uuid"`
}

type customerTagOutput struct {
	Written
	ETag string `header:"ETag"`
}

func (s *server) tagCustomer(ctx context.Context, r *request, in *customerTagInput) (*customerTagOutput, error) {
	if err := s.reaches(ctx, r, in.ID); err != nil {
		return nil, err
	}
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	done, err := commands.TagCustomer{Customer: in.ID, Tag: in.TagID, IfVersion: version}.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	return &customerTagOutput{Written: Written{done.Position}, ETag: etag(done.Version)}, err
}

func (s *server) untagCustomer(ctx context.Context, r *request, in *customerTagInput) (*customerTagOutput, error) {
	if err := s.reaches(ctx, r, in.ID); err != nil {
		return nil, err
	}
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	done, err := commands.UntagCustomer{Customer: in.ID, Tag: in.TagID, IfVersion: version}.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	return &customerTagOutput{Written: Written{done.Position}, ETag: etag(done.Version)}, err
}
