package api

import "customercenter/projections"

// Analysts work with personal data masked unless their token allows it. A mask tells whether a value is set and nothing else: a part
// of a name or a phone number is enough to know somebody by. Ids, times, counts, states, tags and scores stay.
// Whoever sees masks cannot ask for what is under them either: see filter.personal.
const mask = "***"

func masked(value string) string {
	if value == "" {
		return ""
	}
	return mask
}

func maskCustomer(c *projections.Customer) {
	c.ExternalID = masked(c.ExternalID)
	p := &c.Profile
	for _, field := range []*string{&p.Nickname, &p.Name, &p.Phone, &p.QQ, &p.WechatID, &p.Email, &p.Company, &p.Description} {
		*field = masked(*field)
	}
	p.Custom = []byte("{}")
	if c.Listing != nil {
		listing := *c.Listing
		listing.Reason = masked(listing.Reason)
		c.Listing = &listing
	}
}

func maskBlacklisted(b *projections.Blacklisted) {
	b.Reason, b.Customer.ExternalID, b.Customer.Nickname = masked(b.Reason), masked(b.Customer.ExternalID), masked(b.Customer.Nickname)
}

func maskSession(s *projections.Session) {
	if v := s.Customer; v != nil {
		s.Customer = &projections.Visitor{ExternalID: masked(v.ExternalID), Nickname: masked(v.Nickname), Name: masked(v.Name), Blacklisted: v.Blacklisted}
	}
	if s.Rating != nil {
		rating := *s.Rating
		rating.Comment = masked(rating.Comment)
		rating.Reasons = make([]string, len(s.Rating.Reasons)) // how many there are may be seen
		for i, reason := range s.Rating.Reasons {
			rating.Reasons[i] = masked(reason)
		}
		s.Rating = &rating
	}
	if s.Web != nil {
		s.Web = &projections.Web{IP: masked(s.Web.IP), Region: masked(s.Web.Region), UserAgent: masked(s.Web.UserAgent),
			Software: s.Web.Software, Referrer: masked(s.Web.Referrer)}
	}
}

func maskItem(i *projections.TranscriptItem) {
	if i.Message == nil {
		return
	}
	m := *i.Message
	m.Text, m.URL, m.Name = masked(m.Text), masked(m.URL), masked(m.Name)
	if m.Sender.Kind == "customer" {
		m.Sender.ID, m.Sender.Name = masked(m.Sender.ID), masked(m.Sender.Name)
	}
	i.Message = &m
}
