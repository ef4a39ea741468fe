package customer

import (
	"reflect"
	"slices"

	"github.com/google/uuid"

	"customercenter/domain"
)

// Known answers whether a tag is in the tenant's catalogue. It is tag.State's method of that name.
type Known func(tag uuid.UUID) bool

// New is who is to become a customer.
type New struct {
	Association int
	Channel     string // of the association
	ExternalID  string
	Profile     Profile
	Tags        []uuid.UUID
	Via         string // ViaInbound, ViaImport or ViaAPI
	// Import is the import that creates the customer, with ViaImport; zero otherwise.
	Import uuid.UUID
}

// Edit is what is to be changed of a profile.
type Edit struct {
	// Fields are by their key; nil, or a value that is empty after trimming, means "not set".
	Fields map[string]*string
	// Custom are values of custom fields by key, as encoding/json decodes them; nil means "not set".
	Custom map[string]any
}

// Create begins a customer. An empty nickname becomes the external id.
//
// Refused: CUSTOMER_EXISTS; ID_INVALID; <FIELD>_TOO_LONG; TAG_UNKNOWN; VALIDATION for an unknown channel or via, for an import that is not
// named or is named by who comes another way, and as in NormalizeProfile.
func (s *State) Create(n New, known Known, normal Normal) ([]Event, error) {
	if s.Exists {
		return nil, domain.Refuse(domain.CodeCustomerExists).At("external_id")
	}
	if n.Via != ViaInbound && n.Via != ViaImport && n.Via != ViaAPI {
		return nil, domain.Invalid("via", domain.RuleOneOf)
	}
	switch named := n.Import != uuid.Nil; {
	case n.Via == ViaImport && !named:
		return nil, domain.Invalid("import", domain.RuleRequired)
	case n.Via != ViaImport && named:
		return nil, domain.Invalid("import", domain.RuleUnknown)
	}
	externalID, err := NormalizeExternalID(n.Channel, n.ExternalID)
	if err != nil {
		return nil, err
	}
	profile, err := NormalizeProfile(n.Profile, normal)
	if err != nil {
		return nil, err
	}
	if profile.Nickname == "" {
		profile.Nickname = externalID
	}
	tags, err := distinct(n.Tags, known)
	if err != nil {
		return nil, err
	}
	return []Event{Created{
		Association: n.Association, Channel: n.Channel, ExternalID: externalID,
		Profile: profile, Tags: tags, Via: n.Via, Import: n.Import, Generation: s.Generation + 1,
	}}, nil
}

// ChangeProfile sets the fields of those keys. Fields that keep their value are not in the event, and if all do there is none.
//
// Refused, for the first field that is wrong: <FIELD>_TOO_LONG; VALIDATION for an unknown field, for the external id,
// and for characters as in NormalizeProfile; what normal refuses of custom fields, which may be nil if there are none. NOT_FOUND if there is no customer.
func (s *State) ChangeProfile(edit Edit, normal Normal) ([]Event, error) {
	if err := s.mustExist(); err != nil {
		return nil, err
	}
	unknown := len(edit.Fields)
	fields := map[string]Change{}
	for _, f := range Fields() {
		value, given := edit.Fields[f.Key]
		if !given {
			continue
		}
		unknown--
		after := ""
		if value != nil {
			normal, err := f.normalize(*value)
			if err != nil {
				return nil, err
			}
			after = normal
		}
		if before := s.Profile.Value(f.Key); after != before {
			fields[f.Key] = Change{Old: orNotSet(before), New: orNotSet(after)}
		}
	}
	if _, given := edit.Fields["external_id"]; given {
		return nil, domain.Invalid("profile.external_id", domain.RuleReadOnly)
	}
	if unknown > 0 {
		return nil, domain.Invalid("profile", domain.RuleOneOf)
	}
	custom, err := normalizeCustom(edit.Custom, normal)
	if err != nil {
		return nil, err
	}
	for key, after := range custom {
		if before := s.Profile.Custom[key]; !reflect.DeepEqual(after, before) {
			fields[CustomPrefix+key] = Change{Old: before, New: after}
		}
	}
	if len(fields) == 0 {
		return nil, nil
	}
	return []Event{ProfileChanged{Fields: fields}}, nil
}

// Tag puts a tag on the customer. Refused: NOT_FOUND if there is no customer, TAG_UNKNOWN.
func (s *State) Tag(tag uuid.UUID, known Known) ([]Event, error) {
	if err := s.mustExist(); err != nil {
		return nil, err
	}
	if !known(tag) {
		return nil, tagUnknown(tag)
	}
	if s.HasTag(tag) {
		return nil, nil
	}
	return []Event{Tagged{Tag: tag}}, nil
}

// Untag takes a tag off the customer. One that is not there, or not in the catalogue, is no reason to refuse: the
// customer is without it either way. Refused: NOT_FOUND if there is no customer.
func (s *State) Untag(tag uuid.UUID) ([]Event, error) {
	if err := s.mustExist(); err != nil {
		return nil, err
	}
	if !s.HasTag(tag) {
		return nil, nil
	}
	return []Event{Untagged{Tag: tag}}, nil
}

// ReplaceTags makes these the customer's tags. Tags that the customer carries and that have left the catalogue are
// off every view already; they stay untouched, so that setting what one sees changes nothing.
//
// Refused: NOT_FOUND if there is no customer, TAG_UNKNOWN.
func (s *State) ReplaceTags(tags []uuid.UUID, known Known) ([]Event, error) {
	if err := s.mustExist(); err != nil {
		return nil, err
	}
	tags, err := distinct(tags, known)
	if err != nil {
		return nil, err
	}
	var events []Event
	for _, tag := range s.Tags {
		if known(tag) && !slices.Contains(tags, tag) {
			events = append(events, Untagged{Tag: tag})
		}
	}
	for _, tag := range tags {
		if !s.HasTag(tag) {
			events = append(events, Tagged{Tag: tag})
		}
	}
	return events, nil
}

func (s *State) mustExist() error {
	if !s.Exists {
		return domain.Refuse(domain.CodeNotFound)
	}
	return nil
}

// distinct returns the tags without repetitions, in their order; nil for none.
func distinct(tags []uuid.UUID, known Known) ([]uuid.UUID, error) {
	var once []uuid.UUID
	for _, tag := range tags {
		if !known(tag) {
			return nil, tagUnknown(tag)
		}
		if !slices.Contains(once, tag) {
			once = append(once, tag)
		}
	}
	return once, nil
}

func tagUnknown(tag uuid.UUID) *domain.Refusal {
	return domain.Refuse(domain.CodeTagUnknown).At("tags").With("tag", tag)
}

// orNotSet is a value of a field as an event tells it: nil for "not set".
func orNotSet(value string) any {
	if value == "" {
		return nil
	}
	return value
}
