package filter

import (
	"strings"
	"time"
	"unicode/utf8"

	"customercenter/domain/text"
)

// Folded are the texts of a customer as they are compared.
type Folded struct {
	ExternalID, Nickname, Name, Phone, QQ, WechatID, Email, Company, Description string

	Custom map[string]string // by key; those that are texts
}

// Fold sets Folded from the texts as they are now, which makes many matches against one customer cheaper. It is to be called again when a
// text changes, and not while another goroutine matches.
func (s *Subject) Fold() {
	s.Folded = nil
	f := &Folded{
		ExternalID: fold(s.ExternalID), Nickname: fold(s.Nickname), Name: fold(s.Name), Phone: fold(s.Phone), QQ: fold(s.QQ),
		WechatID: fold(s.WechatID), Email: fold(s.Email), Company: fold(s.Company), Description: fold(s.Description),
	}
	for key, v := range s.Custom {
		if v.Text == "" {
			continue
		}
		if f.Custom == nil {
			f.Custom = make(map[string]string, len(s.Custom))
		}
		f.Custom[key] = fold(v.Text)
	}
	s.Folded = f
}

// fold is text.Fold, without its cost where nothing is to be done: for plain ASCII in lower case.
func fold(s string) string {
	for i := 0; i < len(s); i++ {
		if b := s[i]; b >= utf8.RuneSelf || b >= 'A' && b <= 'Z' {
			return text.Fold(s)
		}
	}
	return strings.TrimSpace(s)
}

// text is what a field of texts holds, folded; empty is not set. AnyText has none of its own.
func (s *Subject) text(field string) string {
	if s.Folded == nil {
		return fold(s.shown(field))
	}
	f := s.Folded
	switch field {
	case "external_id":
		return f.ExternalID
	case "nickname":
		return f.Nickname
	case "name":
		return f.Name
	case "phone":
		return f.Phone
	case "qq":
		return f.QQ
	case "wechat_id":
		return f.WechatID
	case "email":
		return f.Email
	case "company":
		return f.Company
	case "description":
		return f.Description
	}
	return f.Custom[strings.TrimPrefix(field, customPrefix)]
}

// shown is what a field of texts holds, as people see it.
func (s *Subject) shown(field string) string {
	switch field {
	case "external_id":
		return s.ExternalID
	case "nickname":
		return s.Nickname
	case "name":
		return s.Name
	case "phone":
		return s.Phone
	case "qq":
		return s.QQ
	case "wechat_id":
		return s.WechatID
	case "email":
		return s.Email
	case "company":
		return s.Company
	case "description":
		return s.Description
	}
	return s.Custom[strings.TrimPrefix(field, customPrefix)].Text
}

// number is what a field of numbers holds; false if it is not set.
func (s *Subject) number(field string) (fraction, bool) {
	switch field {
	case "session_count":
		return whole(s.SessionCount), true
	case "message_count":
		return whole(s.MessageCount), true
	case "suppressed_count":
		return whole(s.SuppressedCount), true
	case "rating_last":
		return whole(s.RatingLast), s.RatingLast != 0
	case "rating_avg":
		if s.RatingCount <= 0 {
			return fraction{over: 1}, false
		}
		f := whole(s.RatingSum)
		f.over = uint64(s.RatingCount)
		return f, true
	}
	return s.Custom[strings.TrimPrefix(field, customPrefix)].Number.parts()
}

// time is what a field of times holds at an instant; zero is not set.
func (s *Subject) time(field string, at time.Time, cal Calendar) time.Time {
	switch field {
	case "created_at":
		return s.CreatedAt
	case "updated_at":
		return s.UpdatedAt
	case "first_session_at":
		return s.FirstSessionAt
	case "last_session_at":
		return s.LastSessionAt
	case "last_message_at":
		return s.LastMessageAt
	case "blacklisted_at":
		if !s.Blacklisted(at) {
			return time.Time{}
		}
		return s.ListedAt
	}
	date := s.Custom[strings.TrimPrefix(field, customPrefix)].Date
	if date == "" {
		return time.Time{}
	}
	t, _ := cal.DateStart(date)
	return t
}

// yes is what a field of yes or no holds at an instant.
func (s *Subject) yes(field string, at time.Time) bool {
	switch field {
	case "blacklisted":
		return s.Blacklisted(at)
	case "session_open":
		return s.SessionOpen
	case "imported":
		return s.CreatedVia == viaImport
	case "ever_served":
		return s.EverServed
	}
	return false
}
