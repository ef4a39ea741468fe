package traffic_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"customercenter/internal/traffic"
)

// The model says what the product makes of the traffic, by the rules of the domain, from bodies and subjects alone. It knows
// nothing of how the traffic is generated; what the generator says about itself is compared with it.
type model struct {
	channels map[int]string
	seen     map[string][]byte // source and id → body
	people   map[traffic.Identity]*modelCustomer
	summary  traffic.Summary
	texts    int // messages of kind text
}

type modelCustomer struct {
	sessions []*modelSession
	last     time.Time // of what came in order
	totals   traffic.CustomerTotals
}

type modelSession struct {
	opened, closed  time.Time
	agent           string
	ended, accepted bool
	rated           bool
}

type cloudEvent struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"`
	Source          string    `json:"source"`
	Type            string    `json:"type"`
	Time            time.Time `json:"time"`
	DataContentType string    `json:"datacontenttype"`
	Data            eventData `json:"data"`
}

type eventData struct {
	ExternalID string            `json:"external_id"`
	Nickname   string            `json:"nickname"`
	Profile    map[string]string `json:"profile"`
	Agent      string            `json:"agent"`
	From       string            `json:"from"`
	To         string            `json:"to"`
	By         string            `json:"by"`
	Cause      string            `json:"cause"`
	Score      int               `json:"score"`
	Reasons    []string          `json:"reasons"`
	Comment    string            `json:"comment"`
	Message    *struct {
		ID   string `json:"id"`
		Kind string `json:"kind"`
		Text string `json:"text"`
		URL  string `json:"url"`
		Name string `json:"name"`
	} `json:"message"`
	Web *struct {
		IP        string `json:"ip"`
		Region    string `json:"region"`
		UserAgent string `json:"user_agent"`
		Referrer  string `json:"referrer"`
	} `json:"web"`
}

func newModel(associations []traffic.Association) *model {
	m := &model{channels: map[int]string{}, seen: map[string][]byte{}, people: map[traffic.Identity]*modelCustomer{}}
	for _, a := range associations {
		m.channels[a.ID] = a.Channel
	}
	m.summary = traffic.Summary{
		MalformedByKind: map[string]int{}, ByType: map[string]int{}, CustomersByAssoc: map[int]int{}, SessionsByChannel: map[string]int{}, RatingsByScore: map[int]int{},
	}
	return m
}

var externalIDs = map[string]*regexp.Regexp{
	"app":    regexp.MustCompile(`^[a-z0-9._-]{1,64}$`),
	"web":    regexp.MustCompile(`^webim-visitor-[a-z0-9]{19}$`),
	"wechat": regexp.MustCompile(`^o[A-Za-z0-9_-]{27}$`),
	"weibo":  regexp.MustCompile(`^[0-9]{10}$`),
	"phone":  regexp.MustCompile(`^1[0-9]{10}$`),
	"api":    regexp.MustCompile(`^crm-[0-9]+$`),
}

// read parses a body as the product's door does; an error means that the product refuses it.
func (m *model) read(association int, body []byte) (cloudEvent, error) {
	var e cloudEvent
	if len(body) > 1<<20 {
		return e, errors.New("too large")
	}
	if !utf8.Valid(body) || bytes.Contains(body, []byte(`\u0000`)) {
		return e, errors.New("broken UTF-8 or NUL")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&e); err != nil {
		return e, err
	}
	channel, ok := m.channels[association]
	switch {
	case !ok:
		return e, errors.New("unknown association")
	case e.SpecVersion != "1.0" || e.ID == "" || e.Source == "" || e.Time.IsZero() || e.DataContentType != "application/json":
		return e, errors.New("not a CloudEvent")
	case e.Time.Year() > 2090:
		return e, errors.New("future")
	case !externalIDs[channel].MatchString(e.Data.ExternalID):
		return e, fmt.Errorf("external id of %s", channel)
	}
	return e, checkData(&e)
}

// checkData holds each type to the shape that the API describes.
func checkData(e *cloudEvent) error {
	d := &e.Data
	switch e.Type {
	case traffic.MessageReceived, traffic.MessageSent:
		switch {
		case d.Message == nil || d.Message.ID == "":
			return errors.New("no message")
		case (e.Type == traffic.MessageSent) != (d.Agent != ""):
			return errors.New("an agent where none belongs, or none where one does")
		case d.Message.Kind == "text" && (strings.TrimSpace(d.Message.Text) == "" || strings.ContainsAny(d.Message.Text, "{}")):
			return errors.New("no text, or one with open places")
		case d.Message.Kind != "text" && !strings.HasPrefix(d.Message.URL, "https://"):
			return errors.New("no url")
		case !slices.Contains([]string{"text", "image", "voice", "video", "file", "location"}, d.Message.Kind):
			return errors.New("kind of message")
		}
	case traffic.SessionAccepted:
		if d.Agent == "" {
			return errors.New("no agent")
		}
	case traffic.SessionTransferred:
		if d.From == "" || d.To == "" {
			return errors.New("no agents")
		}
	case traffic.SessionClosed:
		if !slices.Contains([]string{"customer", "agent", "system"}, d.By) || d.Cause == "" {
			return errors.New("by whom, or why")
		}
	case traffic.SessionRated:
		if d.Score < 1 || d.Score > 5 {
			return errors.New("score")
		}
	case traffic.WebAttributes:
		if d.Web == nil || d.Web.IP == "" || d.Web.Region == "" || d.Web.UserAgent == "" {
			return errors.New("web attributes")
		}
	default:
		return errors.New("unknown type")
	}
	return nil
}

// apply handles the next event of the queue. An error means that the traffic breaks a promise of the generator, or a rule of the domain.
func (m *model) apply(e traffic.Event) error {
	m.summary.Events++
	ce, err := m.read(e.Association, e.Body)
	if e.Malformed != (err != nil) {
		return fmt.Errorf("malformed is %v, but: %w", e.Malformed, err)
	}
	if err != nil {
		m.summary.Malformed++
		m.summary.MalformedByKind[e.Kind]++
		return nil
	}
	if e.Kind != ce.Type || e.ExternalID != ce.Data.ExternalID || !e.Time.Equal(ce.Time) {
		return errors.New("the event says something else than its body")
	}
	key := ce.Source + "\n" + ce.ID
	first, repeated := m.seen[key]
	if e.Duplicate != repeated {
		return fmt.Errorf("duplicate is %v, seen before is %v", e.Duplicate, repeated)
	}
	if repeated {
		m.summary.Duplicates++
		if !bytes.Equal(first, e.Body) {
			return errors.New("a duplicate with another body")
		}
		return nil
	}
	m.seen[key] = e.Body
	m.summary.ByType[ce.Type]++
	return m.handle(e, &ce)
}

func (m *model) handle(e traffic.Event, ce *cloudEvent) error {
	who := traffic.Identity{Association: e.Association, ExternalID: ce.Data.ExternalID}
	c := m.people[who]
	if c == nil {
		if ce.Type != traffic.MessageReceived {
			return errors.New("an event before the customer's first message")
		}
		c = &modelCustomer{totals: traffic.CustomerTotals{Channel: m.channels[e.Association]}}
		m.people[who] = c
		m.summary.Customers++
		m.summary.CustomersByAssoc[e.Association]++
	}
	if e.Late {
		return m.late(c, ce)
	}
	if !ce.Time.After(c.last) {
		return errors.New("time does not increase")
	}
	c.last = ce.Time
	var s *modelSession
	if n := len(c.sessions); n > 0 {
		s = c.sessions[n-1]
	}
	if ce.Type == traffic.MessageReceived && (s == nil || s.ended) {
		s = &modelSession{opened: ce.Time}
		c.sessions = append(c.sessions, s)
		c.totals.Sessions++
		m.summary.Sessions++
		m.summary.SessionsByChannel[c.totals.Channel]++
	}
	return m.happens(c, s, ce)
}

// late puts a late message into the session it belongs to by its time.
func (m *model) late(c *modelCustomer, ce *cloudEvent) error {
	for _, s := range c.sessions {
		if s.ended && ce.Time.After(s.opened) && ce.Time.Before(s.closed) {
			m.summary.Late++
			c.totals.Late++
			return m.message(c, ce)
		}
	}
	return errors.New("a late message that belongs to no ended session")
}

func (m *model) message(c *modelCustomer, ce *cloudEvent) error {
	m.summary.Messages++
	if ce.Data.Message.Kind == "text" {
		m.texts++
	}
	switch ce.Type {
	case traffic.MessageReceived:
		m.summary.Received++
		c.totals.Received++
	case traffic.MessageSent:
		m.summary.Sent++
		c.totals.Sent++
	default:
		return errors.New("late, but not a message")
	}
	return nil
}

// happens applies an event that is neither late nor repeated to the customer's last session.
func (m *model) happens(c *modelCustomer, s *modelSession, ce *cloudEvent) error {
	if s.ended && ce.Type != traffic.SessionRated {
		return fmt.Errorf("%s after the close", ce.Type)
	}
	switch ce.Type {
	case traffic.MessageReceived:
		return m.message(c, ce)
	case traffic.MessageSent:
		if !s.accepted || ce.Data.Agent != s.agent {
			return errors.New("an answer by somebody who does not have the session")
		}
		return m.message(c, ce)
	case traffic.SessionAccepted:
		if s.accepted {
			return errors.New("accepted twice")
		}
		s.accepted, s.agent = true, ce.Data.Agent
	case traffic.SessionTransferred:
		if !s.accepted || ce.Data.From != s.agent || ce.Data.To == s.agent {
			return errors.New("transferred by somebody who does not have the session, or to whom has it")
		}
		s.agent = ce.Data.To
		m.summary.Transfers++
	case traffic.SessionRated:
		if !s.accepted || s.rated {
			return errors.New("rated twice, or without an agent")
		}
		s.rated = true
		m.summary.Ratings++
		m.summary.RatingsByScore[ce.Data.Score]++
		c.totals.Ratings++
		c.totals.Scores += ce.Data.Score
	case traffic.SessionClosed:
		s.ended, s.closed = true, ce.Time
		if s.accepted {
			m.summary.Closed++
			c.totals.Closed++
			return nil
		}
		m.summary.Aborted++
		c.totals.Aborted++
		if ce.Data.By != "customer" {
			return errors.New("not closed by the customer, who was waiting")
		}
	case traffic.WebAttributes:
		if c.totals.Channel != "web" {
			return errors.New("web attributes of another channel")
		}
	}
	return nil
}

// finish returns what the model counted.
func (m *model) finish() traffic.Summary {
	s := m.summary
	s.PerCustomer = map[traffic.Identity]traffic.CustomerTotals{}
	for who, c := range m.people {
		if last := c.sessions[len(c.sessions)-1]; !last.ended {
			c.totals.Open = true
			if last.accepted {
				s.Processing++
			} else {
				s.Waiting++
			}
		}
		s.PerCustomer[who] = c.totals
	}
	return s
}
