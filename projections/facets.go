package projections

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"iter"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/google/uuid"

	"customercenter/domain/customer"
	"customercenter/projections/projector"
)

// This file says of which sets a customer is a member. A set is a facet (who carries a tag, who came by a channel, whose phone is
// known) or a gram (whose nickname has a character). Both are kept as bitmaps over the ordinals, see projector.Bits.

// bucketSize is how many ordinals a bitmap has: the bucket of an ordinal is ordinal / bucketSize.
const bucketSize = projector.BitsPerRow

// facetKind is what a set of customers has in common. The kinds are stored, in the hash of every facet: they never change.
type facetKind string

const (
	facetLive            facetKind = "live"        // everybody on the list; no value
	facetTag             facetKind = "tag"         // the tag's id. A tag that has left the catalogue keeps its set
	facetChannel         facetKind = "channel"     // the channel's name
	facetAssociation     facetKind = "association" // the association's number, in decimal
	facetCreatedVia      facetKind = "created_via" // the way's name
	facetBlacklisted     facetKind = "blacklisted" // a listing is there, expired or not; no value
	facetOpen            facetKind = "open"        // has an unfinished session; no value
	facetServed          facetKind = "served"      // some agent owns or owned a session; no value
	facetAgent           facetKind = "agent"       // the agent who owns or owned a session
	facetLastAgent       facetKind = "last_agent"  // the agent who accepted a session, or got one, last
	facetRatingLast      facetKind = "rating_last" // the score of the latest rating, in decimal
	facetRated           facetKind = "rated"       // a score that was ever given, in decimal
	facetSessions        facetKind = "sessions"    // one of sessionSteps, in decimal: has had as many sessions, or more
	facetLastSession     facetKind = "last_week"   // the period in which the latest session began, see sessionPeriod, in decimal
	facetLastSessionLong facetKind = "last_weeks"  // the long period in which it did
	facetSet             facetKind = "set"         // the field that is set: nickname, name … or custom.<key>
	facetOption          facetKind = "option"      // <key> of a custom field, NUL and the id of the option that is chosen
)

// facet is the number of a set in customer_bits: the first 63 bits of a cryptographic hash, because which customers an agent may see
// hangs on it and agents' names are not ours. value is "" for a kind without values.
func facet(kind facetKind, value string) int64 {
	sum := sha256.Sum256([]byte(string(kind) + "\x00" + value))
	return int64(binary.BigEndian.Uint64(sum[:8]) >> 1)
}

// facetCustomOption is the set of those who have chosen the option in the custom field, alone or among others.
func facetCustomOption(key, option string) int64 { return facet(facetOption, key+"\x00"+option) }

// optionPattern is how ids of options look, see domain/field. Texts that happen to look so have sets too; all others have none, because
// there may be as many of them as customers.
var optionPattern = regexp.MustCompile(`^o[0-9]{1,9}$`)

// gramKind is a text whose single characters have sets. The numbers are stored and never change.
type gramKind int64

const (
	gramNickname   gramKind = 1
	gramName       gramKind = 2
	gramExternalID gramKind = 3 // only characters that are neither letters nor digits: the others are in nearly every one
	gramCompany    gramKind = 4
)

// gram is the number, in customer_gram_bits, of the set of those in whose folded text of that kind the character is.
func gram(kind gramKind, r rune) int64 { return int64(kind)<<32 | int64(r) }

// hasGram reports whether the character has a set. White space has none.
func hasGram(kind gramKind, r rune) bool {
	if unicode.IsSpace(r) {
		return false
	}
	return kind != gramExternalID || !unicode.IsLetter(r) && !unicode.IsDigit(r)
}

// gramsOf are the sets of the characters of a folded text that have one; a character that is there twice comes twice. Who has the
// text as a part of theirs is in all of them; the converse holds for a single character only.
func gramsOf(kind gramKind, folded string) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		for _, r := range folded {
			if hasGram(kind, r) && !yield(gram(kind, r)) {
				return
			}
		}
	}
}

// identityFacets are the sets in which a customer is from the first to the last day.
func identityFacets(r *customerRow) []int64 {
	return []int64{
		facet(facetLive, ""), facet(facetChannel, r.Channel), facet(facetAssociation, strconv.Itoa(r.Association)), facet(facetCreatedVia, r.Via),
	}
}

// tagFacets are the sets of the tags, in their order.
func tagFacets(tags []uuid.UUID) []int64 {
	facets := make([]int64, len(tags))
	for i, tag := range tags {
		facets[i] = facet(facetTag, tag.String())
	}
	return facets
}

// fieldFacets are the sets that follow from the values of a customer's fields: which are set, and which options are chosen. The catalogue
// of custom fields is not asked, the values show what they are.
func fieldFacets(r *customerRow) ([]int64, error) {
	var facets []int64
	for _, f := range customer.Fields() {
		if r.Profile.Value(f.Key) != "" {
			facets = append(facets, facet(facetSet, f.Key))
		}
	}
	custom, err := customOf(r)
	if err != nil {
		return nil, err
	}
	for key, value := range custom {
		facets = append(facets, facet(facetSet, "custom."+key))
		values, several := value.([]any)
		if !several {
			values = []any{value}
		}
		for _, v := range values {
			if option, ok := v.(string); ok && optionPattern.MatchString(option) {
				facets = append(facets, facetCustomOption(key, option))
			}
		}
	}
	return facets, nil
}

// customOf are the values of a customer's custom fields, of their own memory. Numbers are json.Number, so that none loses a digit.
func customOf(r *customerRow) (map[string]any, error) {
	if r.Custom == noCustom {
		return nil, nil
	}
	var custom map[string]any
	d := json.NewDecoder(strings.NewReader(r.Custom))
	d.UseNumber()
	if err := d.Decode(&custom); err != nil {
		return nil, errors.New("the custom fields of a customer cannot be read")
	}
	return custom, nil
}

const noCustom = "{}"

// customJSON is how the values of custom fields are kept.
func customJSON(custom map[string]any) (string, error) {
	if len(custom) == 0 {
		return noCustom, nil
	}
	b, err := json.Marshal(custom)
	if err != nil {
		return "", errors.New("the custom fields cannot be written as JSON")
	}
	return string(b), nil
}

// activityFacets are the sets that follow from a customer's sessions.
func activityFacets(r *customerActivityRow) ([]int64, error) {
	var facets []int64
	if r.OpenSession != nil {
		facets = append(facets, facet(facetOpen, ""))
	}
	agents, err := agentsOf(r)
	if err != nil {
		return nil, err
	}
	if len(agents) > 0 {
		facets = append(facets, facet(facetServed, ""))
	}
	for _, agent := range agents {
		facets = append(facets, facet(facetAgent, agent))
	}
	if r.LastAgent != "" {
		facets = append(facets, facet(facetLastAgent, r.LastAgent))
	}
	if r.RatingLast != 0 {
		facets = append(facets, facet(facetRatingLast, strconv.Itoa(r.RatingLast)))
	}
	for score := worst; score <= best; score++ {
		if r.RatingScores&(1<<score) != 0 {
			facets = append(facets, facet(facetRated, strconv.Itoa(score)))
		}
	}
	if !r.LastSessionAt.IsZero() {
		facets = append(facets, lastSessionFacets(periodOf(r.LastSessionAt))...)
	}
	for _, step := range sessionSteps {
		if int64(r.Sessions) >= step {
			facets = append(facets, facet(facetSessions, strconv.FormatInt(step, 10)))
		}
	}
	return facets, nil
}

// textGrams are the sets of the characters of a customer's texts.
func textGrams(r *customerTextRow) []int64 {
	grams := slices.Collect(gramsOf(gramNickname, r.Nickname))
	grams = slices.AppendSeq(grams, gramsOf(gramName, r.Name))
	grams = slices.AppendSeq(grams, gramsOf(gramExternalID, r.ExternalID))
	grams = slices.AppendSeq(grams, gramsOf(gramCompany, r.Company))
	slices.Sort(grams)
	return slices.Compact(grams)
}

// move brings a customer out of the sets that are only in before, into those that are only in after.
func move(bits *projector.Bits, ordinal int64, before, after []int64) {
	for _, key := range before {
		if !slices.Contains(after, key) {
			bits.Clear(key, ordinal)
		}
	}
	for _, key := range after {
		if !slices.Contains(before, key) {
			bits.Set(key, ordinal)
		}
	}
}
