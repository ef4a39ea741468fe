package pages

import (
	"fmt"
	"net/url"
	"time"

	"github.com/google/uuid"

	"customercenter/internal/locale"
	"customercenter/projections"
)

// flow tells the items of a transcript. What sessions are besides what was said in them, it asks for once.
type flow struct {
	v            *visit
	customer     *projections.Customer
	associations map[int]string
	sessions     map[uuid.UUID]*projections.Session // nil: the visitor may not see it
	last         time.Time                          // when the last edge was
}

func (f *flow) items(items []projections.TranscriptItem) (all []talkItem, err error) {
	for i := range items {
		item := &items[i]
		s, known := f.sessions[item.SessionID]
		if !known {
			if s, err = f.v.sessionSeen(item.SessionID.String()); err != nil {
				return nil, err
			}
			f.sessions[item.SessionID] = s
		}
		told := talkItem{ID: fmt.Sprintf("i-%s-%d", item.SessionID, item.Version)}
		switch item.Kind {
		case projections.ItemSessionStarted:
			told.Edge, told.Web = f.begins(item, s), f.web(s)
			f.last = item.At
		case projections.ItemSessionEnded:
			told.Edge, told.Rating = f.ends(item, s), f.rating(s)
			f.last = item.At
		case projections.ItemMessage:
			told.Said = f.bubble(item)
			f.last = item.At
		}
		all = append(all, told)
	}
	return all, nil
}

func (f *flow) begins(item *projections.TranscriptItem, s *projections.Session) *talkEdge {
	v := f.v
	e := &talkEdge{Title: v.t("customer.begins"), When: v.clock(item.At, time.Time{})}
	if s == nil {
		return e
	}
	e.Text = " · " + v.accountName(f.associations, s) + " · "
	if s.Callback {
		e.Text += v.t("customer.begun_callback")
	} else {
		e.Text += v.t("customer.begun_by", "who", locale.Word(v.language, "party", s.Initiator))
	}
	return e
}

func (f *flow) ends(item *projections.TranscriptItem, s *projections.Session) *talkEdge {
	v := f.v
	e := &talkEdge{Title: v.t("customer.ends"), When: v.clock(item.At, f.last)}
	if s == nil {
		return e
	}
	if s.State == "aborted" {
		e.Title = v.t("customer.aborts")
	}
	if s.EndedBy != "" {
		e.Text = " · " + v.t("customer.ended_by", "who", locale.Word(v.language, "party", s.EndedBy))
	}
	if s.EndCause != "" { // a code of the channel's own, if it has no word
		e.Text += " · " + locale.Word(v.language, "end", s.EndCause)
	}
	if s.EndedAt != nil {
		if minutes := int(s.EndedAt.Sub(s.StartedAt).Round(time.Minute).Minutes()); minutes >= 60 {
			e.Text += " · " + v.t("customer.took_hours", "hours", minutes/60, "minutes", minutes%60)
		} else {
			e.Text += " · " + v.t("customer.took", "n", max(minutes, 1))
		}
	}
	return e
}

// web is what the visitor's browser told at the beginning of a session.
func (f *flow) web(s *projections.Session) []fact {
	if s == nil || s.Web == nil {
		return nil
	}
	v, w := f.v, s.Web
	software := w.Software
	if software == "" {
		software = w.UserAgent
	}
	facts := []fact{{Name: "IP", Value: w.IP}, {Name: v.t("customer.web_region"), Value: w.Region}, {Name: v.t("customer.web_software"), Value: software},
		{Name: v.t("customer.web_from"), Value: w.Referrer}}
	for i := range facts {
		facts[i].Unset = facts[i].Value == ""
	}
	return facts
}

func (f *flow) rating(s *projections.Session) *ratingView {
	if s == nil || s.Rating == nil {
		return nil
	}
	return &ratingView{Score: s.Rating.Score, Reasons: s.Rating.Reasons, Comment: s.Rating.Comment, When: f.v.clock(s.Rating.At, f.last)}
}

func (f *flow) bubble(item *projections.TranscriptItem) *bubble {
	v, m := f.v, item.Message
	b := &bubble{Name: m.Sender.Name, When: v.clock(item.At, f.last), Agent: m.Sender.Kind != "customer", Late: m.Late, Text: m.Text, Erased: m.Erased}
	switch m.Sender.Kind {
	case "customer":
		b.Name = v.nameOf(f.customer)
	case "system":
		b.Name = v.t("actor.system")
	}
	b.Avatar = avatarOf(b.Name)
	if m.Kind != "text" {
		b.Kind, b.File = locale.Word(v.language, "message", m.Kind), m.Name
		if u, err := url.Parse(m.URL); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
			b.URL = m.URL
		}
	}
	return b
}
