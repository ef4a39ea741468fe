package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"

	"github.com/google/uuid"

	"customercenter/domain/filter"
	"customercenter/internal/locale"
)

// vocabulary is what the filters of a tenant may speak of, and what people call it. It is that of one reader at one moment.
type vocabulary struct {
	language filter.Language
	// ever is the language with what it could speak of once, for filters that were stored: those of a history name fields that are gone.
	ever     filter.Language
	names    filter.Names
	reader   locale.Language
	words    string // the reader's language, as package filter names it
	personal bool   // the reader may see personal data
	log      *slog.Logger
}

// vocabulary reads the catalogues.
func (s *server) vocabulary(ctx context.Context, r *request) (*vocabulary, error) {
	has, err := s.entries(ctx, r.who.Tenant)
	if err != nil {
		return nil, err
	}
	groups, _, err := s.Catalogues.Groups(ctx, r.who.Tenant)
	if err != nil {
		return nil, err
	}
	v := &vocabulary{
		language: filter.Language{Custom: has.fields.Filterable(), Groups: true},
		ever:     filter.Language{Custom: has.fields.Ever(), Groups: true},
		names: filter.Names{
			Tags: has.tags.Names, Groups: map[uuid.UUID]string{}, Zone: has.zone,
			Fields: map[string]string{}, Options: map[string]map[string]string{}, Associations: map[string]string{},
		},
		reader: r.language, words: words(r.language), personal: r.who.Personal, log: r.log,
	}
	for id, g := range groups.All {
		if seesGroup(r, g) { // else it is told by its id
			v.names.Groups[id] = g.Name
		}
	}
	for _, f := range v.ever.Custom {
		v.names.Fields["custom."+f.Key] = f.Label
		v.names.Options[f.Key] = f.Options
	}
	for _, a := range has.associations.All {
		v.names.Associations[strconv.Itoa(a.ID)] = a.Name
	}
	return v, nil
}

// words is what package filter calls a language.
func words(l locale.Language) string {
	if l == locale.Chinese {
		return "zh"
	}
	return "en"
}

// tell returns a stored filter as a reader may see it, and what it says in words. What it looks for in personal data may be personal
// itself: who sees that masked gets no filter, and a mask for the words.
func (v *vocabulary) tell(stored json.RawMessage) (shown json.RawMessage, description string) {
	f, err := filter.Parse(stored, &v.ever, "filter")
	if err != nil { // it was understood when it was stored, so this is a mistake of ours: it is shown without words
		v.log.Error("api: a stored filter is not understood", "error", err)
		if !v.personal && filter.Mentions(stored).Personal() {
			return nil, mask
		}
		return stored, ""
	}
	if f.Personal() && !v.personal {
		return nil, mask
	}
	return stored, f.Describe(v.words, v.names)
}
