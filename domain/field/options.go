package field

import (
	"fmt"
	"slices"

	"customercenter/domain"
	"customercenter/domain/text"
)

// optionPrefix begins the id of every option: "o1", "o2" and so on, in the order in which they were added to the field.
const optionPrefix = "o"

// chooses reports whether values of the field are chosen from its options.
func (f *Field) chooses() bool {
	return f.Type == TypeSelect || f.Type == TypeMultiSelect || f.Type == TypeCascade
}

// choose makes the options that a field is to offer, in the order in which they are given. Those with an id are kept, the others get one.
// It does not change the field.
//
// Refused, all VALIDATION: none where there must be some, or some where there can be none; over MaxOptions, or more than MaxLevels levels;
// a label as for a field, or one that an option beside it has; an id that no option at this place of the tree has.
func (f *Field) choose(choices []Choice) ([]Option, error) {
	if !f.chooses() {
		if len(choices) > 0 {
			return nil, domain.Invalid("options", domain.RuleTooMany).With("max", 0)
		}
		return nil, nil
	}
	if len(choices) == 0 {
		return nil, domain.Invalid("options", domain.RuleRequired)
	}
	levels := 1
	if f.Type == TypeCascade {
		levels = MaxLevels
	}
	c := chooser{field: f, issued: f.issued}
	if err := c.add(choices, "", "options", levels); err != nil {
		return nil, err
	}
	return c.options, nil
}

// chooser makes options.
type chooser struct {
	field   *Field
	issued  int
	options []Option
}

// add adds the options of one level below a parent, and all below them. levels is how many levels there may be from here on.
func (c *chooser) add(choices []Choice, parent, at string, levels int) error {
	if len(choices) > 0 && levels == 0 {
		return domain.Invalid(at, domain.RuleTooMany).With("max", 0)
	}
	var taken []string
	for i, choice := range choices {
		here := fmt.Sprintf("%s[%d]", at, i)
		if len(c.options) == MaxOptions {
			return domain.Invalid("options", domain.RuleTooMany).With("max", MaxOptions)
		}
		label, err := line(choice.Label, here+".label", MaxLabel)
		if err != nil {
			return err
		}
		folded := text.Fold(label)
		switch {
		case label == "":
			return domain.Invalid(here+".label", domain.RuleRequired)
		case slices.Contains(taken, folded):
			return domain.Refuse(domain.CodeFieldExists).At(here + ".label")
		}
		taken = append(taken, folded)
		id, err := c.id(choice.ID, parent, here)
		if err != nil {
			return err
		}
		c.options = append(c.options, Option{ID: id, Label: label, Parent: parent})
		if err := c.add(choice.Options, id, here+".options", levels-1); err != nil {
			return err
		}
	}
	return nil
}

// id is that of an option that stays, or a new one.
func (c *chooser) id(kept, parent, at string) (string, error) {
	if kept == "" {
		c.issued++
		return fmt.Sprint(optionPrefix, c.issued), nil
	}
	before, found := c.field.option(kept)
	twice := slices.ContainsFunc(c.options, func(o Option) bool { return o.ID == kept })
	if !found || before.Parent != parent || twice {
		return "", domain.Invalid(at+".id", domain.RuleOneOf)
	}
	return kept, nil
}

// mayGo refuses to let options go that something speaks of: FIELD_IN_USE at options.
func (f *Field) mayGo(kept []Option, used InUse) error {
	var uses []domain.Use
	for _, o := range f.Options {
		if slices.ContainsFunc(kept, func(k Option) bool { return k.ID == o.ID }) {
			continue
		}
		for _, use := range used(Prefix+f.Key, o.ID) {
			if !slices.Contains(uses, use) {
				uses = append(uses, use)
			}
		}
	}
	if len(uses) > 0 {
		return inUse(uses).At("options")
	}
	return nil
}
