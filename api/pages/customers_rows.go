package pages

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/customer"
	"customercenter/projections"
)

// customerLine is a customer in the list.
type customerLine struct {
	ID      string
	Path    string
	Name    string
	Avatar  avatar
	Below   string
	Blocked bool
	Cells   []cell
	Call    *callCell // nil: the visitor calls nobody back
}

// cell is what stands in a column.
type cell struct {
	Kind  string // id, channel, tags, groups, moment, open, number or text
	Label string // of the column, for narrow pages, where the value does not tell
	Extra bool
	Text  string
	Icon  string
	When  *moment
	Open  *status // of the session that has not ended
	Tags  []tag
	More  int    // how many are not shown
	Rest  string // what they are called
}

// callCell leads to the dialog that calls back, or says why it cannot be.
type callCell struct {
	Path    string
	Refused string
	Note    string // until when the channel takes messages
}

// mostTags are the tags and groups that a row shows by name.
const mostTags = 2

type lineMaker struct {
	v       *visit
	columns []column
	terms   *terms
	mayCall bool
	removed map[int]bool
	names   map[int]string
	open    map[uuid.UUID]status // of the sessions that have not ended
}

// associations reads what the accounts are called through which customers came.
func (l *lineMaker) associations() error {
	all, err := l.v.allAssociations()
	l.removed, l.names = map[int]bool{}, map[int]string{}
	for _, a := range all {
		l.removed[a.ID], l.names[a.ID] = a.Removed, a.Name
	}
	return err
}

// sessions reads how the sessions stand that have not ended. Of another agent's no more is said than that there is one.
func (l *lineMaker) sessions(of []projections.Customer) error {
	l.open = map[uuid.UUID]status{}
	var ids []string
	for i := range of {
		if id := of[i].OpenSession; id != nil {
			l.open[*id] = status{Tone: "live", Text: l.v.t("customers.open")}
			ids = append(ids, id.String())
		}
	}
	if len(ids) == 0 || !l.v.then.IsZero() { // how they stood then is not told
		return nil
	}
	var seen projections.SessionPage
	if err := l.v.get("/v1/sessions?"+url.Values{"limit": {"200"}, "ids": {strings.Join(ids, ",")}}.Encode(), &seen); err != nil {
		return err
	}
	for _, s := range seen.Items {
		if s.EndedAt == nil {
			l.open[s.ID] = l.v.sessionState(&s)
		}
	}
	return nil
}

func (l *lineMaker) line(c *projections.Customer) customerLine {
	name := l.v.nameOf(c)
	line := customerLine{ID: c.ID.String(), Path: l.v.stays(customerPath(c.ID.String())), Name: name, Avatar: avatarOf(name), Blocked: c.Blacklisted}
	if c.Profile.Name != "" && c.Profile.Name != name && l.v.in.Personal {
		line.Below = c.Profile.Name
	}
	for _, column := range l.columns {
		line.Cells = append(line.Cells, l.cell(c, column.name))
	}
	if l.mayCall {
		line.Call = l.call(c, customersPath+"/"+line.ID)
	}
	return line
}

func (l *lineMaker) cell(c *projections.Customer, name string) cell {
	v := l.v
	out := cell{Kind: "text"}
	for _, known := range listColumns {
		out.Extra = out.Extra || known.name == name && known.extra
	}
	switch name {
	case "external_id", "channel", "tags":
	default:
		if !out.Extra { // what is extra is not there on narrow pages
			out.Label = v.columnLabel(name, l.terms)
		}
	}
	switch name {
	case "external_id":
		out.Kind, out.Text = "id", c.ExternalID
	case "channel":
		out.Kind, out.Text, out.Icon = "channel", l.names[c.AssociationID], iconOfChannel(c.Channel)
		if out.Text == "" {
			out.Text = v.speech.one("channel", c.Channel)
		}
	case "tags":
		out.Kind = "tags"
		named(c.Tags, func(n projections.Named) { out.Tags = append(out.Tags, tag{n.Name, hueOf(n.ID.String())}) }, &out)
	case "groups":
		out.Kind = "groups"
		var names []string
		named(c.Groups, func(n projections.Named) { names = append(names, n.Name) }, &out)
		out.Text = strings.Join(names, v.t("list.comma"))
	case "last_session_at":
		out.Kind, out.When = "moment", v.moment(c.LastSessionAt)
		if c.OpenSession != nil {
			open := l.open[*c.OpenSession]
			out.Kind, out.Open = "open", &open
		}
		if c.LastSessionAt == nil {
			out.Kind, out.Text = "none", v.t("customers.no_session")
		}
	case "first_session_at":
		out.Kind, out.When = "moment", v.moment(c.FirstSessionAt)
	case "last_message_at":
		out.Kind, out.When = "moment", v.moment(c.LastMessageAt)
	case "created_at":
		out.Kind, out.When = "moment", v.moment(&c.CreatedAt)
	case "updated_at":
		out.Kind, out.When = "moment", v.moment(&c.UpdatedAt)
	case "created_via":
		out.Text = v.speech.one("created_via", c.CreatedVia)
	default:
		l.value(c, name, &out)
	}
	return out
}

// value is a number or a text of the profile.
func (l *lineMaker) value(c *projections.Customer, name string, out *cell) {
	switch name {
	case "session_count":
		out.Kind, out.Text = "number", grouped(int64(c.SessionCount))
	case "message_count":
		out.Kind, out.Text = "number", grouped(int64(c.MessageCount))
	case "suppressed_count":
		out.Kind, out.Text = "number", grouped(int64(c.SuppressedCount))
	case "rating_avg":
		out.Kind = "number"
		if c.RatingAvg != nil {
			out.Text = strconv.FormatFloat(*c.RatingAvg, 'f', 1, 64)
		}
	case "phone":
		out.Text = c.Profile.Phone
	case "company":
		out.Text = c.Profile.Company
	case "email":
		out.Text = c.Profile.Email
	case "qq":
		out.Text = c.Profile.QQ
	case "wechat_id":
		out.Text = c.Profile.WechatID
	case "description":
		out.Text = c.Profile.Description
	default:
		if key, custom := strings.CutPrefix(name, "custom."); custom {
			out.Text = l.custom(c, key)
		}
	}
}

// custom is the value of a custom field, options by their labels.
func (l *lineMaker) custom(c *projections.Customer, key string) string {
	var values map[string]any
	d := json.NewDecoder(strings.NewReader(string(c.Profile.Custom)))
	d.UseNumber()
	if d.Decode(&values) != nil || values[key] == nil {
		return ""
	}
	all, several := values[key].([]any)
	if !several {
		all = []any{values[key]}
	}
	told := make([]string, len(all))
	for i, value := range all {
		told[i] = fmt.Sprint(value)
		if label, ok := l.terms.names.Options[key][told[i]]; ok {
			told[i] = label
		}
	}
	return strings.Join(told, l.v.t("list.comma"))
}

// named shows the first entries by name, and counts the others.
func named(entries []projections.Named, show func(projections.Named), out *cell) {
	var rest []string
	for i, n := range entries {
		if i < mostTags {
			show(n)
		} else {
			rest = append(rest, n.Name)
		}
	}
	if len(rest) > 0 {
		out.More, out.Rest = len(rest), strings.Join(rest, ", ")
	}
}

// call says whether a customer can be called back, and until when.
func (l *lineMaker) call(c *projections.Customer, path string) *callCell {
	if code := l.callbackRefused(c); code != "" {
		return &callCell{Refused: l.v.speech.one("customers.callback", code)}
	}
	out := &callCell{Path: path + "/callback"}
	if ends, limited := l.windowEnds(c); limited {
		out.Note = l.v.t("customers.callback_until", "left", l.v.relative(ends, l.v.p.Now()))
	}
	return out
}

// windowEnds is until when the customer's channel takes messages to the customer.
func (l *lineMaker) windowEnds(c *projections.Customer) (at time.Time, limited bool) {
	state := customer.State{Channel: c.Channel}
	if c.LastCustomerMessageAt != nil {
		state.LastCustomerMessageAt = *c.LastCustomerMessageAt
	}
	return state.WindowEnds()
}
