package session

import (
	"slices"

	"customercenter/domain"
	"customercenter/domain/text"
)

// Limits of a rating, lengths in characters.
const (
	MinScore   = 1
	MaxScore   = 5
	MaxReasons = 10
	MaxReason  = 50
	MaxComment = 1_000
)

// Rate records the customer's verdict, once, and after the close too. Reasons are trimmed; empty and repeated ones are dropped.
//
// Refused: NOT_FOUND; SESSION_NOT_ACCEPTED if no agent ever had the session; ALREADY_RATED; VALIDATION at score
// (MinScore to MaxScore), reasons or comment.
func (s *State) Rate(r Rated) ([]Event, error) {
	r, err := normalizeRating(r)
	if err != nil {
		return nil, err
	}
	switch {
	case s.Status == "":
		return nil, domain.Refuse(domain.CodeNotFound)
	case !s.WasAccepted():
		return nil, domain.Refuse(domain.CodeSessionNotAccepted)
	case s.Rated:
		return nil, domain.Refuse(domain.CodeAlreadyRated)
	}
	return []Event{r}, nil
}

func normalizeRating(r Rated) (Rated, error) {
	if r.Score < MinScore || r.Score > MaxScore {
		return r, domain.Invalid("score", domain.RuleRange).With("min", MinScore).With("max", MaxScore)
	}
	if len(r.Reasons) > MaxReasons {
		return r, domain.Invalid("reasons", domain.RuleTooMany).With("max", MaxReasons)
	}
	var reasons []string
	for _, reason := range r.Reasons {
		reason, err := line("reasons", reason, MaxReason)
		if err != nil {
			return r, err
		}
		if reason != "" && !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
	}
	r.Reasons = reasons
	comment, ok := text.Block(r.Comment)
	if !ok {
		return r, domain.Invalid("comment", domain.RuleCharacters)
	}
	if text.Length(comment) > MaxComment {
		return r, domain.TooLong("comment", MaxComment)
	}
	r.Comment = comment
	return r, nil
}
