package ingest

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/session"
)

// command is one of the commands.
type command interface {
	Run(context.Context, *commands.Center, commands.By) (commands.Done, error)
}

// payload is the data of an event.
type payload struct {
	// command is what the event asks for, of an association; nil if nothing is recorded of such events.
	command func(association int) command
	// Whom it is about: one of these is set, unless command is nil.
	externalID string
	session    uuid.UUID
	recipient  uuid.UUID // of an auto message
	// places says where in the event a value came from that commands know by another name.
	places map[string]string
}

// payloads reads the data of each type of event. subject is the session that the envelope names, zero if none.
var payloads = map[string]func(data json.RawMessage, subject uuid.UUID) (payload, error){
	"message.received":    readReceived,
	"message.sent":        readSent,
	"session.accepted":    readAccepted,
	"session.transferred": readTransferred,
	"session.closed":      readClosed,
	"session.rated":       readRated,
	"web.attributes":      readWeb,
	"message.delivered":   readReport(false),
	"message.read":        readReport(true),
}

type messageData struct {
	ID   string `json:"id"`
	Kind string `json:"kind"`
	Text string `json:"text"`
	URL  string `json:"url"`
	Name string `json:"name"`
}

func (m *messageData) message() commands.Message {
	return commands.Message{ID: m.ID, Kind: m.Kind, Text: m.Text, URL: m.URL, Name: m.Name}
}

type profileData struct {
	Nickname    string `json:"nickname"`
	Name        string `json:"name"`
	Phone       string `json:"phone"`
	QQ          string `json:"qq"`
	WechatID    string `json:"wechat_id"`
	Email       string `json:"email"`
	Company     string `json:"company"`
	Description string `json:"description"`
	// Custom are values of custom fields, by key. A message is not refused for a key that the tenant does not have.
	Custom map[string]json.RawMessage `json:"custom"`
}

// custom are the values of custom fields as commands take them.
func (p *profileData) custom() map[string]any {
	if len(p.Custom) == 0 {
		return nil
	}
	values := make(map[string]any, len(p.Custom))
	for key, raw := range p.Custom {
		values[key] = raw
	}
	return values
}

type webData struct {
	IP        string `json:"ip"`
	Region    string `json:"region"`
	UserAgent string `json:"user_agent"`
	Referrer  string `json:"referrer"`
}

func (w *webData) attributes() *session.WebAttributesRecorded {
	if w == nil {
		return nil
	}
	return &session.WebAttributesRecorded{IP: w.IP, Region: w.Region, UserAgent: w.UserAgent, Referrer: w.Referrer}
}

func readReceived(data json.RawMessage, _ uuid.UUID) (payload, error) {
	var d struct {
		ExternalID string       `json:"external_id"`
		Nickname   string       `json:"nickname"`
		Profile    profileData  `json:"profile"`
		Message    *messageData `json:"message"`
		Web        *webData     `json:"web"`
	}
	if err := decode(data, &d, "data"); err != nil {
		return payload{}, err
	}
	if d.ExternalID == "" {
		return payload{}, domain.Invalid("data.external_id", domain.RuleRequired)
	}
	if d.Message == nil {
		return payload{}, domain.Invalid("data.message", domain.RuleRequired)
	}
	profile := customer.Profile{
		Nickname: d.Profile.Nickname, Name: d.Profile.Name, Phone: d.Profile.Phone, QQ: d.Profile.QQ,
		WechatID: d.Profile.WechatID, Email: d.Profile.Email, Company: d.Profile.Company, Description: d.Profile.Description,
		Custom: d.Profile.custom(),
	}
	p := payload{externalID: d.ExternalID}
	if d.Nickname != "" {
		profile.Nickname = d.Nickname
		p.places = map[string]string{"profile.nickname": "data.nickname"}
	}
	p.command = func(association int) command {
		return commands.ReceiveMessage{
			Association: association, ExternalID: d.ExternalID, Profile: profile, Message: d.Message.message(), Web: d.Web.attributes(),
		}
	}
	return p, nil
}

// target is how an event names its session.
type target struct {
	SessionID  *string `json:"session_id"`
	ExternalID string  `json:"external_id"`
}

// payload begins a payload about the session that is named: by the data, else by the subject of the event.
func (t target) payload(subject uuid.UUID, places map[string]string) (payload, error) {
	p := payload{externalID: t.ExternalID, session: subject, places: places}
	if t.SessionID != nil {
		id, err := uuid.Parse(*t.SessionID)
		if err != nil || len(*t.SessionID) != 36 {
			return payload{}, domain.Invalid("data.session_id", ruleUUID)
		}
		p.session = id
	}
	if p.session == uuid.Nil && p.externalID == "" {
		return payload{}, domain.Invalid("data.external_id", domain.RuleRequired)
	}
	return p, nil
}

// ref names the session for a command.
func (p payload) ref(association int) commands.SessionRef {
	return commands.SessionRef{ID: p.session, Association: association, ExternalID: p.externalID}
}

func readSent(data json.RawMessage, subject uuid.UUID) (payload, error) {
	var d struct {
		target
		Agent   string       `json:"agent"`
		Message *messageData `json:"message"`
	}
	if err := decode(data, &d, "data"); err != nil {
		return payload{}, err
	}
	if d.Message == nil {
		return payload{}, domain.Invalid("data.message", domain.RuleRequired)
	}
	p, err := d.payload(subject, map[string]string{"message.sender": "data.agent"})
	p.command = func(association int) command {
		return commands.RecordMessage{
			Session: p.ref(association), Sender: session.Sender{Kind: domain.PartyAgent, ID: d.Agent}, Message: d.Message.message(),
		}
	}
	return p, err
}

func readAccepted(data json.RawMessage, subject uuid.UUID) (payload, error) {
	var d struct {
		target
		Agent string `json:"agent"`
	}
	if err := decode(data, &d, "data"); err != nil {
		return payload{}, err
	}
	p, err := d.payload(subject, nil)
	p.command = func(association int) command {
		return commands.AcceptSession{Session: p.ref(association), Agent: d.Agent}
	}
	return p, err
}

func readTransferred(data json.RawMessage, subject uuid.UUID) (payload, error) {
	var d struct {
		target
		To string `json:"to"`
	}
	if err := decode(data, &d, "data"); err != nil {
		return payload{}, err
	}
	p, err := d.payload(subject, nil)
	p.command = func(association int) command {
		return commands.TransferSession{Session: p.ref(association), To: d.To}
	}
	return p, err
}

func readClosed(data json.RawMessage, subject uuid.UUID) (payload, error) {
	var d struct {
		target
		By    string `json:"by"`
		Cause string `json:"cause"`
	}
	if err := decode(data, &d, "data"); err != nil {
		return payload{}, err
	}
	p, err := d.payload(subject, nil)
	p.command = func(association int) command {
		return commands.CloseSession{Session: p.ref(association), By: d.By, Cause: d.Cause}
	}
	return p, err
}

func readRated(data json.RawMessage, subject uuid.UUID) (payload, error) {
	var d struct {
		target
		Score   *int     `json:"score"`
		Reasons []string `json:"reasons"`
		Comment string   `json:"comment"`
	}
	if err := decode(data, &d, "data"); err != nil {
		return payload{}, err
	}
	if d.Score == nil {
		return payload{}, domain.Invalid("data.score", domain.RuleRequired)
	}
	p, err := d.payload(subject, nil)
	p.command = func(association int) command {
		return commands.RateSession{Session: p.ref(association), Score: *d.Score, Reasons: d.Reasons, Comment: d.Comment}
	}
	return p, err
}

func readWeb(data json.RawMessage, subject uuid.UUID) (payload, error) {
	var d struct {
		target
		Web *webData `json:"web"`
	}
	if err := decode(data, &d, "data"); err != nil {
		return payload{}, err
	}
	if d.Web == nil {
		return payload{}, domain.Invalid("data.web", domain.RuleRequired)
	}
	p, err := d.payload(subject, nil)
	p.command = func(association int) command {
		return commands.RecordWebAttributes{Session: p.ref(association), Web: *d.Web.attributes()}
	}
	return p, err
}

// readReport reads what became of a message on its way to the customer. It is recorded for auto messages, whose ids are ours; a channel may
// tell of any message, and that is no mistake.
func readReport(read bool) func(data json.RawMessage, _ uuid.UUID) (payload, error) {
	return func(data json.RawMessage, _ uuid.UUID) (payload, error) {
		var d struct {
			Message struct {
				ID any `json:"id"`
			} `json:"message"`
		}
		if err := decode(data, &d, "data"); err != nil {
			return payload{}, err
		}
		text, _ := d.Message.ID.(string)
		id, err := uuid.Parse(text)
		if err != nil || len(text) != 36 || id.Version() != 5 { // no id that an auto message has
			return payload{}, nil
		}
		return payload{recipient: id, command: func(association int) command {
			return commands.RecordAutoMessageReport{Association: association, Message: id, Read: read}
		}}, nil
	}
}
