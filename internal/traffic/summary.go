package traffic

import "maps"

// Identity is how a channel knows a customer.
type Identity struct {
	Association int    `json:"association"`
	ExternalID  string `json:"external_id"`
}

// CustomerTotals is what the product must know about one customer.
type CustomerTotals struct {
	Channel  string
	Sessions int
	Received int // messages the customer wrote, late ones included
	Sent     int // messages agents wrote, late ones included
	Late     int // of both
	Closed   int // sessions that ended after an agent had accepted them
	Aborted  int // sessions that the customer closed while waiting
	Ratings  int
	Scores   int  // the sum of the ratings
	Open     bool // has a session that is not closed
}

// Summary says what a Generator has handed out, and so what the product must show once it has handled that, if it knew
// none of these customers before. A duplicate counts once, as the event it repeats; a malformed event counts as malformed and nowhere else.
type Summary struct {
	Events          int            `json:"events"`     // everything handed out: ByType + Duplicates + Malformed
	Duplicates      int            `json:"duplicates"` // events sent again
	Malformed       int            `json:"malformed"`
	MalformedByKind map[string]int `json:"malformed_by_kind"` // see Defects
	ByType          map[string]int `json:"by_type"`           // CloudEvents type; without duplicates and malformed events

	Customers         int            `json:"customers"` // identities that wrote
	CustomersByAssoc  map[int]int    `json:"customers_by_association"`
	Sessions          int            `json:"sessions"` // begun: Waiting + Processing + Closed + Aborted
	SessionsByChannel map[string]int `json:"sessions_by_channel"`
	Waiting           int            `json:"waiting"`    // open at the end, not accepted
	Processing        int            `json:"processing"` // open at the end, accepted
	Closed            int            `json:"closed"`
	Aborted           int            `json:"aborted"`
	Transfers         int            `json:"transfers"`
	Messages          int            `json:"messages"` // Received + Sent
	Received          int            `json:"received"`
	Sent              int            `json:"sent"`
	Late              int            `json:"late"` // messages, of both kinds, that arrived after the close of their session
	Ratings           int            `json:"ratings"`
	RatingsByScore    map[int]int    `json:"ratings_by_score"`

	// PerCustomer has everyone who wrote.
	PerCustomer map[Identity]CustomerTotals `json:"-"`
}

// Open is how many sessions are not closed at the end.
func (s *Summary) Open() int { return s.Waiting + s.Processing }

func newSummary() Summary {
	return Summary{
		MalformedByKind: map[string]int{}, ByType: map[string]int{}, CustomersByAssoc: map[int]int{}, SessionsByChannel: map[string]int{}, RatingsByScore: map[int]int{},
	}
}

// Summary returns what was handed out so far; later events do not change it. It takes time in proportion to the number of customers who wrote.
func (g *Generator) Summary() Summary {
	s := g.summary
	s.MalformedByKind, s.ByType, s.RatingsByScore = maps.Clone(s.MalformedByKind), maps.Clone(s.ByType), maps.Clone(s.RatingsByScore)
	s.CustomersByAssoc, s.SessionsByChannel = maps.Clone(s.CustomersByAssoc), maps.Clone(s.SessionsByChannel)
	s.PerCustomer = make(map[Identity]CustomerTotals, s.Customers)
	for _, c := range g.customers {
		if c.totals.Sessions > 0 {
			s.PerCustomer[c.identity] = c.totals
		}
	}
	return s
}

// count enters an event that is handed out for the first time.
func (s *Summary) count(a *arrival) {
	e, c := &a.event, a.customer
	s.ByType[e.Kind]++
	if e.Late {
		s.Late++
		c.totals.Late++
	}
	switch e.Kind {
	case MessageReceived:
		s.Messages++
		s.Received++
		c.totals.Received++
	case MessageSent:
		s.Messages++
		s.Sent++
		c.totals.Sent++
	case SessionAccepted:
		s.Waiting--
		s.Processing++
	case SessionTransferred:
		s.Transfers++
	case SessionRated:
		s.Ratings++
		s.RatingsByScore[a.score]++
		c.totals.Ratings++
		c.totals.Scores += a.score
	case SessionClosed:
		s.countEnd(c, a.kind)
	}
	if a.kind == stepOpens {
		s.countStart(c)
	}
}

// countStart enters that a session has begun, and the customer with their first.
func (s *Summary) countStart(c *customer) {
	if c.totals.Sessions == 0 {
		s.Customers++
		s.CustomersByAssoc[c.identity.Association]++
	}
	s.Sessions++
	s.SessionsByChannel[c.totals.Channel]++
	s.Waiting++
	c.totals.Sessions++
	c.totals.Open = true
}

// countEnd enters that a session has ended; one that nobody had accepted is aborted.
func (s *Summary) countEnd(c *customer, kind stepKind) {
	c.totals.Open = false
	if kind == stepLeaves {
		s.Waiting--
		s.Aborted++
		c.totals.Aborted++
		return
	}
	s.Processing--
	s.Closed++
	c.totals.Closed++
}
