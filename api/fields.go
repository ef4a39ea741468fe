package api

import (
	"context"
	"net/http"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/field"
	"customercenter/internal/locale"
)

// Field is a field of a customer's profile.
type Field struct {
	Key     string        `json:"key" doc:"As in profile; of a custom field as in profile.custom."`
	Type    string        `json:"type" enum:"text,multiline,number,date,select,multi_select,cascade"`
	Label   string        `json:"label" doc:"What people call it; of a system field in the language of Accept-Language."`
	Hint    string        `json:"hint" doc:"Empty: none."`
	System  bool          `json:"system" doc:"One of the nine that every tenant has."`
	Shown   bool          `json:"shown" doc:"On the pages. A field that is disabled is not shown whatever this says."`
	Enabled bool          `json:"enabled" doc:"It takes values and can be filtered by."`
	Options []FieldOption `json:"options" nullable:"false" doc:"What can be chosen, in order; empty for types without a choice."`
	Version int64         `json:"version" doc:"As in the ETag: 1 when it was added; each change of the field adds 1. Its place is not part of it."`
}

// FieldOption is one of the values that can be chosen.
type FieldOption struct {
	ID      string        `json:"id" doc:"Unique in the field, and never given again. It is what profiles and filters hold."`
	Label   string        `json:"label"`
	Options []FieldOption `json:"options" nullable:"false" doc:"Those below it, of a cascade."`
}

// NewFieldInput is what a field is added with.
type NewFieldInput struct {
	Key     string        `json:"key,omitempty" doc:"A small letter, then up to 31 small letters, digits and _. None: made of the label. A key is never used again."`
	Type    string        `json:"type" enum:"text,multiline,number,date,select,multi_select,cascade" doc:"It never changes."`
	Label   string        `json:"label" doc:"1 to 50 characters; unique without regard to case and width, system fields in both languages included."`
	Hint    string        `json:"hint,omitempty" doc:"Up to 200 characters."`
	Options []OptionInput `json:"options,omitempty" nullable:"false" doc:"Of select, multi_select and cascade: 1 to 200, on up to 3 levels together."`
}

// OptionInput is an option as it is to be.
type OptionInput struct {
	ID      string        `json:"id,omitempty" doc:"That of an option which stays; none for a new one."`
	Label   string        `json:"label" doc:"1 to 50 characters; unique among those beside it."`
	Options []OptionInput `json:"options,omitempty" nullable:"false" doc:"Those below it, of a cascade."`
}

// FieldInput is what is to be changed of a field; what is absent stays.
type FieldInput struct {
	Label   *string        `json:"label,omitempty" doc:"As when it is added."`
	Hint    *string        `json:"hint,omitempty" doc:"Empty removes it."`
	Options *[]OptionInput `json:"options,omitempty" doc:"All that there are to be. Those with an id stay where they are in the tree; those left out go for good."`
	Shown   *bool          `json:"shown,omitempty" doc:"external_id and nickname are always shown."`
	Enabled *bool          `json:"enabled,omitempty" doc:"Of a custom field. Disabled, it keeps its values."`
}

// FieldOrder is the order of the fields.
type FieldOrder struct {
	Order   []string `json:"order" nullable:"false" doc:"The keys of all fields that exist."`
	Version int64    `json:"version" doc:"As in the ETag: 1 to begin with; each field that comes or goes and each new order adds 1."`
}

// OrderInput is the order that the fields are to have.
type OrderInput struct {
	Order []string `json:"order" maxItems:"200" nullable:"false" doc:"The keys of all fields that exist, each once."`
}

func (s *server) fieldOperations() {
	const tag = "Fields"
	const inUse = " Refused with FIELD_IN_USE while a group, a view or an auto message speaks of it; used_by lists them."
	register(s, operation{id: "list-fields", method: http.MethodGet, path: "/v1/fields", tag: tag,
		summary: "List the fields, in their order", notes: "System fields, and custom ones that were not removed."}, s.listFields)
	register(s, operation{id: "add-field", method: http.MethodPost, path: "/v1/fields", tag: tag, status: http.StatusCreated,
		summary: "Add a custom field, hidden and as the last one", notes: "Up to 100.", errors: []int{http.StatusConflict}}, s.addField)
	register(s, operation{id: "get-field-order", method: http.MethodGet, path: "/v1/fields/order", tag: tag,
		summary: "Show the order of the fields"}, s.getFieldOrder)
	register(s, operation{id: "reorder-fields", method: http.MethodPut, path: "/v1/fields/order", tag: tag,
		summary: "Put the fields in another order", errors: []int{http.StatusPreconditionFailed}}, s.reorderFields)
	register(s, operation{id: "get-field", method: http.MethodGet, path: "/v1/fields/{key}", tag: tag,
		summary: "Show a field"}, s.getField)
	register(s, operation{id: "change-field", method: http.MethodPatch, path: "/v1/fields/{key}", tag: tag,
		summary: "Change a field, all that is given or nothing", notes: "Disabling it, or leaving out an option:" + inUse,
		errors: []int{http.StatusConflict, http.StatusPreconditionFailed}}, s.changeField)
	register(s, operation{id: "remove-field", method: http.MethodDelete, path: "/v1/fields/{key}", tag: tag,
		summary: "Remove a custom field for good", notes: "Its values are shown no more; histories keep them." + inUse,
		errors: []int{http.StatusConflict, http.StatusPreconditionFailed}}, s.removeField)
	s.fieldHistoryOperation()
}

// fieldOf is a field as a reader of that language sees it.
func fieldOf(l locale.Language, f *field.Field) Field {
	shown := Field{Key: f.Key, Type: f.Type, Label: f.Label, Hint: f.Hint, System: f.System, Shown: f.Shown, Enabled: !f.Disabled, Version: f.Version,
		Options: optionsBelow(f.Options, "")}
	if f.System {
		shown.Label = locale.Field(l, f.Key)
	}
	return shown
}

// optionsBelow is the tree of those options that lie below a parent.
func optionsBelow(all []field.Option, parent string) []FieldOption {
	below := []FieldOption{}
	for _, o := range all {
		if o.Parent == parent {
			below = append(below, FieldOption{ID: o.ID, Label: o.Label, Options: optionsBelow(all, o.ID)})
		}
	}
	return below
}

func choices(in []OptionInput) []field.Choice {
	all := make([]field.Choice, 0, len(in))
	for _, o := range in {
		all = append(all, field.Choice{ID: o.ID, Label: o.Label, Options: choices(o.Options)})
	}
	return all
}

type fieldsOutput struct {
	AsOfHeaders
	Body List[Field]
}

type fieldsInput struct {
	After
	Past
}

func (s *server) listFields(ctx context.Context, r *request, in *fieldsInput) (*fieldsOutput, error) {
	m, past, err := s.moment(ctx, r, "query.as_of", in.AsOf)
	if err != nil {
		return nil, err
	}
	catalogues, out := s.Catalogues, &fieldsOutput{}
	if past {
		catalogues, out.AsOfHeaders = catalogues.Until(m.Position), headersOf(m)
	}
	state, _, err := catalogues.Fields(ctx, r.who.Tenant)
	if err != nil {
		return nil, err
	}
	var all []Field
	for _, f := range state.All() {
		all = append(all, fieldOf(r.language, &f))
	}
	out.Body = whole(all)
	return out, nil
}

type oneFieldInput struct {
	After
	Key string `path:"key" maxLength:"32"`
}

type oneFieldOutput struct {
	ETag string `header:"ETag"`
	Body Field
}

func (s *server) getField(ctx context.Context, r *request, in *oneFieldInput) (*oneFieldOutput, error) {
	f, err := s.field(ctx, r, in.Key)
	return &oneFieldOutput{ETag: etag(f.Version), Body: f}, err
}

func (s *server) field(ctx context.Context, r *request, key string) (Field, error) {
	state, _, err := s.Catalogues.Fields(ctx, r.who.Tenant)
	if err != nil {
		return Field{}, err
	}
	f, found := state.Find(key)
	if !found {
		return Field{}, domain.Refuse(domain.CodeNotFound)
	}
	return fieldOf(r.language, &f), nil
}

type fieldOutput struct {
	Written
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Body     Field
}

type addFieldInput struct {
	Write
	Body NewFieldInput
}

func (s *server) addField(ctx context.Context, r *request, in *addFieldInput) (*fieldOutput, error) {
	done, err := commands.AddField{Key: in.Body.Key, Type: in.Body.Type, Label: in.Body.Label, Hint: in.Body.Hint, Options: choices(in.Body.Options)}.
		Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	return s.writtenField(ctx, r, done)
}

// writtenField answers with a field as it stands. One that was removed since, when the request is repeated late, is shown as it was last.
func (s *server) writtenField(ctx context.Context, r *request, done commands.Done) (*fieldOutput, error) {
	out := &fieldOutput{Written: Written{done.Position}, Location: "/v1/fields/" + done.Field, Body: Field{Key: done.Field, Options: []FieldOption{}}}
	state, _, err := s.Catalogues.Fields(ctx, r.who.Tenant)
	if err != nil { // the write is safe in the log: nothing that goes wrong after it makes it fail
		s.unshown(ctx, r, done, err)
		return out, nil
	}
	f, found := state.Find(done.Field)
	if !found {
		f, _ = state.Custom(done.Field)
	}
	out.Body, out.ETag = fieldOf(r.language, &f), etag(f.Version)
	return out, nil
}

type changeFieldInput struct {
	Write
	Match
	Key  string `path:"key" maxLength:"32"`
	Body FieldInput
}

func (s *server) changeField(ctx context.Context, r *request, in *changeFieldInput) (*fieldOutput, error) {
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	change := commands.ChangeField{Field: in.Key, Label: in.Body.Label, Hint: in.Body.Hint, Shown: in.Body.Shown, Enabled: in.Body.Enabled, IfVersion: version}
	if in.Body.Options != nil {
		options := choices(*in.Body.Options)
		change.Options = &options
	}
	done, err := change.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	return s.writtenField(ctx, r, done)
}

type removeFieldInput struct {
	Write
	Match
	Key string `path:"key" maxLength:"32"`
}

func (s *server) removeField(ctx context.Context, r *request, in *removeFieldInput) (*noContent, error) {
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	done, err := commands.RemoveField{Field: in.Key, IfVersion: version}.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	return &noContent{Written{done.Position}}, nil
}

type fieldOrderOutput struct {
	ETag string `header:"ETag"`
	Body FieldOrder
}

func (s *server) getFieldOrder(ctx context.Context, r *request, _ *struct{ After }) (*fieldOrderOutput, error) {
	order, err := s.fieldOrder(ctx, r)
	return &fieldOrderOutput{ETag: etag(order.Version), Body: order}, err
}

func (s *server) fieldOrder(ctx context.Context, r *request) (FieldOrder, error) {
	state, _, err := s.Catalogues.Fields(ctx, r.who.Tenant)
	if err != nil {
		return FieldOrder{}, err
	}
	return FieldOrder{Order: state.Order(), Version: state.OrderVersion()}, nil
}

type reorderFieldsInput struct {
	Write
	Match
	Body OrderInput
}

type reorderedOutput struct {
	Written
	ETag string `header:"ETag"`
	Body FieldOrder
}

func (s *server) reorderFields(ctx context.Context, r *request, in *reorderFieldsInput) (*reorderedOutput, error) {
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	done, err := commands.ReorderFields{Order: in.Body.Order, IfVersion: version}.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	order, err := s.fieldOrder(ctx, r)
	if err != nil { // as in writtenField
		s.unshown(ctx, r, done, err)
		order = FieldOrder{Order: in.Body.Order}
	}
	return &reorderedOutput{Written: Written{done.Position}, ETag: etag(order.Version), Body: order}, nil
}
