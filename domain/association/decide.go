package association

import (
	"strings"

	"customercenter/domain"
	"customercenter/domain/text"
)

// Longest values, in characters.
const (
	MaxName    = 50
	MaxAccount = 128
)

// Register connects an account of a channel. Its one event carries the id: the next number of the tenant, or, if the
// account was connected before and removed, the number it had.
//
// Refused: VALIDATION for an unknown channel, an account that is not what the channel uses (app: org#app) or a name that
// is not 1 to MaxName characters; ASSOCIATION_EXISTS if the account is connected.
func (s *State) Register(channel, account, name string) ([]Event, error) {
	if !domain.IsChannel(channel) {
		return nil, domain.Invalid("channel", domain.RuleOneOf)
	}
	account, err := normalizeAccount(channel, account)
	if err != nil {
		return nil, err
	}
	name, err = domain.NormalizeName(name, MaxName)
	if err != nil {
		return nil, err
	}
	id := 1
	if n := len(s.All); n > 0 {
		id = s.All[n-1].ID + 1
	}
	if old, found := s.ByAccount(channel, account); found {
		if !old.Removed {
			return nil, domain.Refuse(domain.CodeAssociationExists).At("account").With("association_id", old.ID)
		}
		id = old.ID
	}
	return []Event{Registered{Association: id, Channel: channel, Account: account, Name: name}}, nil
}

// Rename changes what people call the association.
// Refused: NOT_FOUND, ASSOCIATION_GONE, or VALIDATION if the name is not 1 to MaxName characters.
func (s *State) Rename(id int, name string) ([]Event, error) {
	a, err := s.Active(id)
	if err != nil {
		return nil, err
	}
	name, err = domain.NormalizeName(name, MaxName)
	if err != nil {
		return nil, err
	}
	if name == a.Name {
		return nil, nil
	}
	return []Event{Renamed{Association: id, Name: name}}, nil
}

// Remove disconnects the account. Its customers stay. Removing it again changes nothing. Refused: NOT_FOUND.
func (s *State) Remove(id int) ([]Event, error) {
	a, found := s.Find(id)
	if !found {
		return nil, domain.Refuse(domain.CodeNotFound).At("association_id")
	}
	if a.Removed {
		return nil, nil
	}
	return []Event{Removed{Association: id}}, nil
}

func normalizeAccount(channel, account string) (string, error) {
	account, ok := text.Line(account)
	switch {
	case !ok:
		return "", domain.Invalid("account", domain.RuleCharacters)
	case account == "":
		return "", domain.Invalid("account", domain.RuleRequired)
	case text.Length(account) > MaxAccount:
		return "", domain.TooLong("account", MaxAccount)
	}
	if channel == domain.ChannelApp {
		org, app, found := strings.Cut(account, "#")
		if !found || !keyPart(org) || !keyPart(app) {
			return "", domain.Invalid("account", domain.RuleFormat)
		}
	}
	return account, nil
}

// keyPart reports whether s can be the organisation or the application of an AppKey.
func keyPart(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return s != ""
}
