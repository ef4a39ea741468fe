package imports

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"customercenter/domain"
	"customercenter/domain/association"
	"customercenter/domain/customer"
	"customercenter/domain/field"
	"customercenter/domain/tag"
	"customercenter/domain/text"
)

// Row is a row of a file.
type Row struct {
	Number int      `json:"n"` // as the spreadsheet program counts
	Cells  []string `json:"c"`
	// Erased says that the row was emptied, because whom it named was erased after the upload.
	Erased bool `json:"e,omitempty"`
}

// Catalogues is what rows are read against.
type Catalogues struct {
	Associations *association.State
	Tags         *tag.State
	Fields       *field.State
}

// Wanted is what a row asks for.
type Wanted struct {
	Customer customer.New
	// NewTags are names that no tag has, each once; only if the import may create tags.
	NewTags []string
}

// Read tells what a row asks for, as far as can be said without asking who is a customer.
//
// Refused, at the column: ID_REQUIRED, ASSOCIATION_REQUIRED, ASSOCIATION_UNKNOWN (never given, or removed), ASSOCIATION_NOT_APP, TAG_UNKNOWN,
// VALUE_INVALID for a tag that cannot be one, and without a column for a value right of the last one; ErasedSince. What is wrong with an id, a profile or a custom value comes to light when the customer is created.
func (s *State) Read(row Row, known Catalogues) (w Wanted, err error) {
	if row.Erased {
		return w, ErasedSince()
	}
	w.Customer = customer.New{Via: customer.ViaImport, Import: s.File.Import}
	associated := false
	for i, column := range s.File.Columns {
		cell := ""
		if i < len(row.Cells) {
			cell = row.Cells[i]
		}
		blank := strings.TrimSpace(cell) == ""
		custom, isCustom := strings.CutPrefix(column, customer.CustomPrefix)
		switch {
		case column == "" || blank:
		case column == ColumnID:
			w.Customer.ExternalID = cell
		case column == ColumnAssociation:
			associated = true
			if err := w.associate(cell, known.Associations); err != nil {
				return w, err
			}
		case column == ColumnTags:
			if err := w.tag(cell, known.Tags, s.File.CreateTags); err != nil {
				return w, err
			}
		case isCustom:
			if w.Customer.Profile.Custom == nil {
				w.Customer.Profile.Custom = map[string]any{}
			}
			w.Customer.Profile.Custom[custom] = known.Fields.Typed(custom, cell)
		default:
			w.Customer.Profile.Set(column, cell)
		}
	}
	for i := len(s.File.Columns); i < len(row.Cells); i++ {
		if strings.TrimSpace(row.Cells[i]) != "" { // a value that would be lost
			return w, domain.Invalid("", domain.RuleTooMany).With("max", len(s.File.Columns))
		}
	}
	switch {
	case w.Customer.ExternalID == "":
		return w, domain.Refuse(domain.CodeIDRequired).At(ColumnID)
	case !associated:
		return w, domain.Refuse(domain.CodeAssociationRequired).At(ColumnAssociation)
	}
	return w, nil
}

func (w *Wanted) associate(cell string, all *association.State) error {
	id, err := strconv.Atoi(strings.TrimSpace(cell))
	if err != nil {
		return domain.Refuse(domain.CodeAssociationUnknown).At(ColumnAssociation)
	}
	connected, err := all.Active(id)
	switch {
	case err != nil:
		return domain.Refuse(domain.CodeAssociationUnknown).At(ColumnAssociation)
	case connected.Channel != domain.ChannelApp:
		return domain.Refuse(domain.CodeAssociationNotApp).At(ColumnAssociation)
	}
	w.Customer.Association, w.Customer.Channel = id, connected.Channel
	return nil
}

// MaxTags is how many tags a row may name.
const MaxTags = 100

// tag reads names that ASCII commas part.
func (w *Wanted) tag(cell string, all *tag.State, create bool) error {
	named := 0
	for name := range strings.SplitSeq(cell, ",") {
		if strings.TrimSpace(name) == "" {
			continue
		}
		if named++; named > MaxTags {
			return domain.Invalid(ColumnTags, domain.RuleTooMany).With("max", MaxTags)
		}
		id, found := all.ByName(name)
		switch {
		case found && !slices.Contains(w.Customer.Tags, id):
			w.Customer.Tags = append(w.Customer.Tags, id)
		case found:
		case !create:
			return domain.Refuse(domain.CodeTagUnknown).At(ColumnTags)
		default:
			name, err := domain.NormalizeName(name, tag.MaxName)
			var refusal *domain.Refusal
			if errors.As(err, &refusal) {
				return refusal.At(ColumnTags)
			}
			same := func(other string) bool { return text.Fold(other) == text.Fold(name) }
			if !slices.ContainsFunc(w.NewTags, same) {
				w.NewTags = append(w.NewTags, name)
			}
		}
	}
	return nil
}

// Identity is the association and the external id that a row names; 0 and empty where it names none. It need not be that of a customer.
func (s *State) Identity(row Row) (association int, externalID string) {
	for i, column := range s.File.Columns {
		switch {
		case i >= len(row.Cells):
			return association, externalID
		case column == ColumnID:
			externalID = row.Cells[i]
		case column == ColumnAssociation:
			association, _ = strconv.Atoi(strings.TrimSpace(row.Cells[i]))
		}
	}
	return association, externalID
}

// Refuse is what is recorded of a row that was refused.
func Refuse(row Row, r *domain.Refusal) Refused {
	refused := Refused{Row: row.Number, Column: strings.TrimPrefix(r.Location, "profile."), Code: r.Code, Args: r.Args}
	if r.Code == domain.CodeValidation {
		refused.Code = domain.CodeValueInvalid
	}
	return refused
}

// ErasedSince refuses a row that names somebody who was erased after the file was uploaded, whoever they are by now: CUSTOMER_ERASED. What the file says
// of them is not to be known any more. A file that is uploaded afterwards may name them again.
func ErasedSince() *domain.Refusal { return domain.Refuse(domain.CodeCustomerErased).At(ColumnID) }

// Twice says that an earlier row has the same id and association.
func Twice(row Row, earlier int) Refused {
	return Refused{Row: row.Number, Column: ColumnID, Code: domain.CodeIDTwice, Args: map[string]any{"row": earlier}}
}
