package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/domain"
	"customercenter/domain/session"
	"customercenter/domain/text"
	"customercenter/projections"
)

type sessionPage struct {
	ServedPast
	Body projections.SessionPage
}

type sessionOutput struct {
	ServedPast
	Body projections.Session
}

func (s *server) sessionOperations() {
	const tag = "Sessions"
	register(s, operation{id: "list-sessions", method: http.MethodGet, path: "/v1/sessions", tag: tag,
		summary: "List sessions, the latest first", notes: ownSessions + " All conditions must hold. Whoever sees personal data masked cannot ask for names (q)." + pastNotes, prepares: true}, s.listSessions)
	register(s, operation{id: "get-session", method: http.MethodGet, path: "/v1/sessions/{id}", tag: tag,
		summary: "Show a session", notes: ownSessions}, s.getSession)
	register(s, operation{id: "list-agents", method: http.MethodGet, path: "/v1/agents", tag: tag,
		summary: "List who has or ever had a session", notes: "By id, the first 1,000. An agent sees nobody else."}, s.listAgents)
	s.messageOperations(tag)
	s.sessionWrites(tag)
}

// ownSessions says what an agent sees.
const ownSessions = "An agent sees the sessions that are or were the agent's own: those that were transferred away, too."

// SessionFilter is what to list of the sessions.
type SessionFilter struct {
	After
	Past
	IDs         []string  `query:"ids" maxItems:"200" doc:"One of these."`
	Channel     string    `query:"channel" enum:"app,web,wechat,weibo,phone,api"`
	Association int       `query:"association" minimum:"0" doc:"By this connected account; 0 for any."`
	Agent       string    `query:"agent" maxLength:"128" doc:"Who has it or ever had it; me is oneself."`
	State       string    `query:"state" enum:"waiting,processing,closed,aborted"`
	Origin      string    `query:"origin" enum:"customer,callback" doc:"Whether the customer wrote first or was called back."`
	Rated       string    `query:"rated" enum:"true,false" doc:"Whether there is a rating."`
	Score       []int     `query:"score" maxItems:"5" doc:"Rated with one of these scores, 1 to 5."`
	Period      string    `query:"period" enum:"today,yesterday,this_week,last_week,this_month,last_month,last_7_days,last_30_days" doc:"Begun then, in the tenant's zone."`
	From        time.Time `query:"from" doc:"Begun at this time or later."`
	To          time.Time `query:"to" doc:"Begun before this time."`
	Q           string    `query:"q" maxLength:"256" doc:"Part of the customer's id, nickname or name as it is now, without regard to case and width; of the id two characters or more."`
	Limit       int       `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor      string    `query:"cursor" maxLength:"1000" doc:"next or prev of another page of the same query."`
}

func (s *server) listSessions(ctx context.Context, r *request, in *SessionFilter) (*sessionPage, error) {
	s, err := s.asOf(ctx, r, "query.", in.AsOf, in.Cursor)
	if err != nil {
		return nil, err
	}
	return s.sessions(ctx, r, uuid.Nil, in)
}

type customerSessionsInput struct {
	SessionFilter
	ID uuid.UUID `path:"id" format:"uuid"`
}

func (s *server) listCustomerSessions(ctx context.Context, r *request, in *customerSessionsInput) (out *sessionPage, err error) {
	err = s.ofCustomer(ctx, r, in.AsOf, in.ID, func(then *server) error {
		if err := then.interaction(ctx, r, in.After, in.ID); err != nil {
			return err
		}
		out, err = then.sessions(ctx, r, in.ID, &in.SessionFilter)
		return err
	})
	return out, err
}

// interaction sees to it that the caller may read what happened with a customer. An agent may, always, if one of the customer's
// sessions is or was the agent's own. Refused: NOT_FOUND, also to an agent who has nothing to do with the customer: what is
// another's and what is not there look the same.
func (s *server) interaction(ctx context.Context, r *request, after After, customer uuid.UUID) error {
	if r.scope == access.Own {
		if _, err := s.serve(ctx, projections.SessionsName, r.who.Tenant, after); err != nil {
			return err
		}
		served, err := s.Sessions.Served(ctx, r.who.Tenant, customer, r.who.ID)
		if err == nil && !served {
			err = domain.Refuse(domain.CodeNotFound)
		}
		return err
	}
	if _, err := s.serve(ctx, projections.CustomersName, r.who.Tenant, after); err != nil {
		return err
	}
	_, err := s.Customers.One(ctx, r.who.Tenant, customer)
	return err
}

// agentOf is whose sessions are asked for: to an agent, always the own ones. Refused: FORBIDDEN to an agent who asks for another's.
func agentOf(r *request, agent string) (string, error) {
	if agent == "me" {
		agent = r.who.ID
	}
	if r.scope != access.Own {
		return agent, nil
	}
	if agent != "" && agent != r.who.ID {
		return "", domain.Refuse(codeForbidden).At("query.agent")
	}
	return r.who.ID, nil
}

// sessionQuery reads the filter.
func (s *server) sessionQuery(ctx context.Context, r *request, customer uuid.UUID, in *SessionFilter) (projections.SessionQuery, error) {
	q := projections.SessionQuery{Customer: customer, Channel: in.Channel, Association: in.Association, State: in.State, Origin: in.Origin, Scores: in.Score, Limit: in.Limit, Cursor: in.Cursor}
	var err error
	if q.Agent, err = agentOf(r, in.Agent); err != nil {
		return q, err
	}
	for _, id := range in.IDs {
		one, err := uuid.Parse(id)
		if err != nil {
			return q, invalid("query.ids", ruleInvalid)
		}
		q.IDs = append(q.IDs, one)
	}
	if in.Rated != "" {
		q.Rated = new(in.Rated == "true")
	}
	for _, score := range in.Score {
		if score < session.MinScore || score > session.MaxScore {
			return q, domain.Invalid("query.score", domain.RuleRange).With("min", session.MinScore).With("max", session.MaxScore)
		}
	}
	if q.Text, err = s.sessionText(r, in.Q); err != nil {
		return q, err
	}
	if !in.From.IsZero() && !in.To.IsZero() && in.To.Before(in.From) {
		return q, invalid("query.to", ruleOrder)
	}
	q.From, q.To, err = s.span(ctx, r, in)
	return q, err
}

// sessionText reads the part of a name that is looked for.
func (s *server) sessionText(r *request, q string) (string, error) {
	if q == "" {
		return "", nil
	}
	if !r.who.Personal { // what is masked could be guessed letter by letter
		return "", domain.Refuse(codeForbidden).At("query.q")
	}
	q, ok := text.Line(q)
	if !ok {
		return "", invalid("query.q", domain.RuleCharacters)
	}
	return q, nil
}

// span is when the sessions that are asked for began, half-open: a time must lie in the period, if there is one, and within the bounds.
func (s *server) span(ctx context.Context, r *request, in *SessionFilter) (from, to time.Time, err error) {
	if in.Period == "" {
		return in.From, in.To, nil
	}
	cal, err := s.calendarOf(ctx, r.who.Tenant)
	if err != nil {
		return from, to, err
	}
	now := s.Now()
	switch in.Period {
	case "last_7_days":
		from = now.Add(-7 * 24 * time.Hour)
	case "last_30_days":
		from = now.Add(-30 * 24 * time.Hour)
	default:
		from, to = cal.Span(in.Period, now)
	}
	if in.From.After(from) {
		from = in.From
	}
	if !in.To.IsZero() && (to.IsZero() || in.To.Before(to)) {
		to = in.To
	}
	return from.UTC(), to.UTC(), nil
}

func (s *server) sessions(ctx context.Context, r *request, customer uuid.UUID, in *SessionFilter) (*sessionPage, error) {
	query, err := s.sessionQuery(ctx, r, customer, in)
	if err != nil {
		return nil, err
	}
	served, err := s.serve(ctx, projections.SessionsName, r.who.Tenant, in.After)
	if err != nil {
		return nil, err
	}
	names, err := s.serve(ctx, projections.CustomersName, r.who.Tenant, in.After) // what customers are called is theirs to know
	if err != nil {
		return nil, err
	}
	if names.LogPosition < served.LogPosition {
		served = names
	}
	page, err := s.Sessions.List(ctx, r.who.Tenant, query)
	if errors.Is(err, projections.ErrCursor) {
		return nil, invalid("query.cursor", ruleCursor)
	}
	if err != nil {
		return nil, err
	}
	if !r.who.Personal {
		for i := range page.Items {
			maskSession(&page.Items[i])
		}
	}
	return &sessionPage{s.at(served), page}, nil
}

type agentList struct {
	Served
	Body List[projections.Agent]
}

func (s *server) listAgents(ctx context.Context, r *request, in *struct{ After }) (*agentList, error) {
	served, err := s.serve(ctx, projections.SessionsName, r.who.Tenant, in.After)
	if err != nil {
		return nil, err
	}
	if r.scope == access.Own {
		return &agentList{Served: served, Body: whole([]projections.Agent{{ID: r.who.ID, Name: r.who.ID}})}, nil
	}
	agents, err := s.Sessions.Agents(ctx, r.who.Tenant)
	return &agentList{Served: served, Body: whole(agents)}, err
}

// SessionAddress names a session.
type SessionAddress struct {
	After
	ID uuid.UUID `path:"id" format:"uuid"`
}

type oneSessionInput struct {
	SessionAddress
	Past
}

func (s *server) getSession(ctx context.Context, r *request, in *oneSessionInput) (*sessionOutput, error) {
	served, found, err := s.session(ctx, r, in.After, in.ID)
	if err != nil {
		return nil, err
	}
	out := &sessionOutput{ServedPast{Served: served}, found}
	if in.AsOf == "" {
		return out, nil
	}
	err = s.ofCustomer(ctx, r, in.AsOf, found.CustomerID, func(then *server) error {
		served, found, err := then.session(ctx, r, in.After, in.ID)
		out = &sessionOutput{then.at(served), found}
		return err
	})
	return out, err
}

// session returns a session as the caller may see it. Refused: NOT_FOUND, FORBIDDEN to an agent whose session it never was.
func (s *server) session(ctx context.Context, r *request, after After, id uuid.UUID) (Served, projections.Session, error) {
	served, err := s.serve(ctx, projections.SessionsName, r.who.Tenant, after)
	if err != nil {
		return served, projections.Session{}, err
	}
	found, err := s.Sessions.One(ctx, r.who.Tenant, id)
	if err != nil {
		return served, projections.Session{}, err
	}
	if r.scope == access.Own {
		had, err := s.Sessions.Had(ctx, r.who.Tenant, id, r.who.ID)
		if err == nil && !had {
			err = domain.Refuse(codeForbidden)
		}
		if err != nil {
			return served, projections.Session{}, err
		}
	}
	if !r.who.Personal {
		maskSession(&found)
	}
	return served, found, nil
}
