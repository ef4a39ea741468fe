package automessage

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/filter"
	"customercenter/domain/text"
)

// Wanted is an audience that is asked for: by a filter, by groups, or, with neither, by a list.
type Wanted struct {
	// Filter was parsed against the tenant's fields at "audience.filter"; nil if there is none. One without conditions is everybody.
	Filter *filter.Filter
	Groups []uuid.UUID
	// Tags and GroupKnown report which tags and groups exist.
	Tags, GroupKnown func(uuid.UUID) bool
}

// Check refuses an audience as Define does.
func (w Wanted) Check() error {
	_, err := w.check()
	return err
}

// check returns the audience as it is stored. Refused: TAG_UNKNOWN or GROUP_UNKNOWN with the path of what does not exist,
// VALIDATION at audience for both, and at audience.groups for more than MaxGroups.
func (w Wanted) check() (Audience, error) {
	switch {
	case w.Filter != nil && len(w.Groups) > 0:
		return Audience{}, domain.Invalid("audience", domain.RuleTooMany).With("max", 1)
	case w.Filter != nil:
		if err := w.Filter.CheckNamed(w.Tags, w.GroupKnown); err != nil {
			return Audience{}, err
		}
		return Audience{Filter: w.Filter.JSON()}, nil
	case len(w.Groups) > MaxGroups:
		return Audience{}, domain.Invalid("audience.groups", domain.RuleTooMany).With("max", MaxGroups)
	}
	var groups []uuid.UUID
	for i, id := range w.Groups {
		if !w.GroupKnown(id) {
			return Audience{}, domain.Refuse(domain.CodeGroupUnknown).At(fmt.Sprintf("audience.groups[%d]", i))
		}
		if !slices.Contains(groups, id) {
			groups = append(groups, id)
		}
	}
	return Audience{Groups: groups}, nil
}

// equal reports whether two audiences say the same.
func (a Audience) equal(b Audience) bool {
	return bytes.Equal(a.Filter, b.Filter) && slices.Equal(a.Groups, b.Groups)
}

// Draft is an auto message that is asked for.
type Draft struct {
	Name     string
	Text     string
	Audience Wanted
	Rate     int // messages per minute; 0 is DefaultRate
}

// Define adds an auto message under a new id. It is not sent before it is started.
//
// Refused: VALIDATION unless the name is 1 to MaxName characters of one line, the text 1 to MaxText of one or several lines, and the rate
// 1 to MaxRate; AUTO_MESSAGE_EXISTS if another one has that name, compared without case and width; for the audience TAG_UNKNOWN,
// GROUP_UNKNOWN and VALIDATION with their paths; LIMIT_REACHED if there are MaxMessages; CONFLICT if the id is taken.
func (s *State) Define(id uuid.UUID, d Draft) ([]Event, error) {
	name, err := s.freeName(id, d.Name)
	if err != nil {
		return nil, err
	}
	words, err := normalizeText(d.Text)
	if err != nil {
		return nil, err
	}
	if d.Rate == 0 {
		d.Rate = DefaultRate
	}
	if err := checkRate(d.Rate); err != nil {
		return nil, err
	}
	audience, err := d.Audience.check()
	if err != nil {
		return nil, err
	}
	if _, taken := s.all[id]; taken {
		return nil, domain.Refuse(domain.CodeConflict)
	}
	if len(s.byName) >= MaxMessages {
		return nil, domain.Refuse(domain.CodeLimitReached).With("max", MaxMessages)
	}
	return []Event{Defined{AutoMessage: id, Name: name, Text: words, Audience: audience, Rate: d.Rate}}, nil
}

// Revision is what of an auto message is to be changed; nil stays.
type Revision struct {
	Name     *string
	Text     *string
	Audience *Wanted
	Rate     *int
}

// Change changes an auto message: all of it before it is started for the first time, afterwards its name and rate.
//
// Refused: NOT_FOUND; AUTO_MESSAGE_STARTED at text or audience; and as in Define.
func (s *State) Change(id uuid.UUID, r Revision) ([]Event, error) {
	m, found := s.Find(id)
	if !found {
		return nil, domain.Refuse(domain.CodeNotFound)
	}
	next := Changed{AutoMessage: id, Name: m.Name, Text: m.Text, Audience: m.Audience, Rate: m.Rate}
	var err error
	if r.Name != nil {
		if next.Name, err = s.freeName(id, *r.Name); err != nil {
			return nil, err
		}
	}
	if r.Text != nil {
		if next.Text, err = normalizeText(*r.Text); err != nil {
			return nil, err
		}
	}
	if r.Audience != nil {
		if next.Audience, err = r.Audience.check(); err != nil {
			return nil, err
		}
	}
	if r.Rate != nil {
		next.Rate = *r.Rate
		if err := checkRate(next.Rate); err != nil {
			return nil, err
		}
	}
	sameText, sameAudience := next.Text == m.Text, next.Audience.equal(m.Audience)
	switch {
	case m.Status != StatusDraft && !sameText:
		return nil, domain.Refuse(domain.CodeAutoMessageStarted).At("text")
	case m.Status != StatusDraft && !sameAudience:
		return nil, domain.Refuse(domain.CodeAutoMessageStarted).At("audience")
	case sameText && sameAudience && next.Name == m.Name && next.Rate == m.Rate:
		return nil, nil
	}
	return []Event{next}, nil
}

// Start begins to send. audience is that of the auto message, read anew: without a tag or a group that was deleted since, others would be found than
// those for whom it was written, even those whom it was to spare. Refused: NOT_FOUND; TAG_UNKNOWN or GROUP_UNKNOWN with the path in the audience.
func (s *State) Start(id uuid.UUID, audience Wanted) ([]Event, error) {
	m, found := s.Find(id)
	if !found {
		return nil, domain.Refuse(domain.CodeNotFound)
	}
	if m.Status == StatusRunning {
		return nil, nil
	}
	if _, err := audience.check(); err != nil {
		return nil, err
	}
	return []Event{Started{AutoMessage: id}}, nil
}

// Stop ends that. What is not running stays as it is. Refused: NOT_FOUND.
func (s *State) Stop(id uuid.UUID) ([]Event, error) {
	m, found := s.Find(id)
	if !found {
		return nil, domain.Refuse(domain.CodeNotFound)
	}
	if m.Status != StatusRunning {
		return nil, nil
	}
	return []Event{Stopped{AutoMessage: id}}, nil
}

// Delete takes an auto message out of the catalogue. Refused: NOT_FOUND; AUTO_MESSAGE_RUNNING until it is stopped.
func (s *State) Delete(id uuid.UUID) ([]Event, error) {
	m, found := s.Find(id)
	switch {
	case !found:
		return nil, domain.Refuse(domain.CodeNotFound)
	case m.Status == StatusRunning:
		return nil, domain.Refuse(domain.CodeAutoMessageRunning)
	}
	return []Event{Deleted{AutoMessage: id}}, nil
}

// freeName returns a name as it is stored, if no other auto message has it.
func (s *State) freeName(id uuid.UUID, name string) (string, error) {
	name, err := domain.NormalizeName(name, MaxName)
	if err != nil {
		return "", err
	}
	if owner, taken := s.byName[text.Fold(name)]; taken && owner != id {
		return "", domain.Refuse(domain.CodeAutoMessageExists).At("name")
	}
	return name, nil
}

func normalizeText(words string) (string, error) {
	words, ok := text.Block(words)
	switch {
	case !ok:
		return "", domain.Invalid("text", domain.RuleCharacters)
	case words == "":
		return "", domain.Invalid("text", domain.RuleRequired)
	case text.Length(words) > MaxText:
		return "", domain.TooLong("text", MaxText)
	}
	return words, nil
}

func checkRate(rate int) error {
	if rate < 1 || rate > MaxRate {
		return domain.Invalid("rate", domain.RuleRange).With("min", 1).With("max", MaxRate)
	}
	return nil
}
