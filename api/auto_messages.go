package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/automessage"
	"customercenter/domain/filter"
	"customercenter/projections"
)

// AutoMessage is a message to an audience, once for each customer.
type AutoMessage struct {
	ID          uuid.UUID           `json:"id" format:"uuid"`
	Name        string              `json:"name"`
	Text        string              `json:"text"`
	Audience    AutoMessageAudience `json:"audience"`
	Description string              `json:"description" doc:"The audience's filter in words, in the language of Accept-Language. Empty for a list."`
	Gone        []FieldError        `json:"gone,omitempty" doc:"The tag or the group, by its path in the audience, that was deleted: TAG_UNKNOWN or GROUP_UNKNOWN. Nobody gets the message by what they match, and it cannot be started, until that is taken out; of one that was started, another one has to be defined."`
	Rate        int                 `json:"rate" doc:"Messages per minute."`
	Status      string              `json:"status" enum:"draft,running,stopped"`
	Counts      AutoMessageCounts   `json:"counts"`
	DefinedAt   time.Time           `json:"defined_at"`
	StartedAt   *time.Time          `json:"started_at,omitempty" doc:"When it was started last."`
	Version     int64               `json:"version" doc:"As in the ETag: 1 when it was defined; each change, start and stop adds 1."`
}

// AutoMessageAudience is who gets an auto message: by itself who matches the filter or is in one of the groups; and in any case who
// was put on its list.
type AutoMessageAudience struct {
	Filter json.RawMessage `json:"filter,omitempty"`
	Groups []uuid.UUID     `json:"groups,omitempty"`
	Listed int             `json:"listed" doc:"How many customers were put on the list by hand."`
}

// AutoMessageCounts are how many customers belong to the audience, and what became of the message.
type AutoMessageCounts struct {
	Audience *projections.Count `json:"audience,omitempty" doc:"How many customers match or are on the list now, those who have got it included; only where one auto message is shown. Listed ones who match as well are counted twice, and then it is not exact."`
	projections.AutoMessageCounts
}

// AudienceInput is who an auto message is to be for: exactly one of the three.
type AudienceInput struct {
	Filter    json.RawMessage `json:"filter,omitempty" doc:"A filter; {} is everybody. It is asked again and again: new matches get the message too, until it is stopped."`
	Groups    []uuid.UUID     `json:"groups,omitempty" doc:"Whoever is in one of these groups, up to 200; new members too."`
	Customers []uuid.UUID     `json:"customers,omitempty" doc:"Up to 500 customers; POST …/recipients adds more."`
}

// AutoMessageInput is what an auto message is defined with.
type AutoMessageInput struct {
	Name     string        `json:"name" doc:"1 to 50 characters; unique without regard to case and width."`
	Text     string        `json:"text" doc:"1 to 1,000 characters, of one or several lines."`
	Audience AudienceInput `json:"audience"`
	Rate     int           `json:"rate,omitempty" doc:"Messages per minute: 1 to 60,000; 600 if it is absent."`
}

// AutoMessageChange is what is to be changed of an auto message; what is absent stays.
type AutoMessageChange struct {
	Name     *string        `json:"name,omitempty"`
	Text     *string        `json:"text,omitempty" doc:"Fixed once it was started."`
	Audience *AudienceInput `json:"audience,omitempty" doc:"Fixed once it was started. By a filter or groups; a list is only added to."`
	Rate     *int           `json:"rate,omitempty"`
}

// RecipientsInput is who is to be put on the list of an auto message.
type RecipientsInput struct {
	Customers []uuid.UUID `json:"customers" doc:"1 to 500 customers of the channels app and web; a list has up to 20,000."`
}

type autoMessageOutput struct {
	Written
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Body     AutoMessage
}

func (s *server) autoMessageOperations() {
	const tag = "Auto messages"
	conflict, lost := http.StatusConflict, http.StatusPreconditionFailed
	register(s, operation{id: "list-auto-messages", method: http.MethodGet, path: "/v1/auto-messages", tag: tag,
		summary: "List the auto messages, oldest first"}, s.listAutoMessages)
	register(s, operation{id: "define-auto-message", method: http.MethodPost, path: "/v1/auto-messages", tag: tag, status: http.StatusCreated,
		summary: "Define an auto message", notes: "It is a draft: nobody gets it before it is started. A tenant may have up to 200. What is wrong with a filter is told with its path: `audience.filter.all[1].value`.",
		errors: []int{conflict}}, s.defineAutoMessage)
	register(s, operation{id: "get-auto-message", method: http.MethodGet, path: "/v1/auto-messages/{id}", tag: tag,
		summary: "Show an auto message", notes: "With how many customers belong to its audience now."}, s.getAutoMessage)
	register(s, operation{id: "change-auto-message", method: http.MethodPatch, path: "/v1/auto-messages/{id}", tag: tag,
		summary: "Change an auto message, all or nothing", notes: "Text and audience can be changed until it is started for the first time; name and rate always.",
		errors: []int{conflict, lost}}, s.changeAutoMessage)
	register(s, operation{id: "delete-auto-message", method: http.MethodDelete, path: "/v1/auto-messages/{id}", tag: tag,
		summary: "Delete an auto message", notes: "What was sent stays in the histories of its customers.", errors: []int{conflict, lost}}, s.deleteAutoMessage)
	register(s, operation{id: "start-auto-message", method: http.MethodPost, path: "/v1/auto-messages/{id}/start", tag: tag, status: http.StatusOK,
		summary: "Start to send an auto message", notes: "At its rate, to whoever belongs to its audience and has not got it yet, until it is stopped. Each customer gets it once. Customers on the blacklist, " +
			"and those of other channels than app and web, do not get it. Channels get it as `message.send` with an id that never changes, and report on it by that id. " +
			"Refused with TAG_UNKNOWN or GROUP_UNKNOWN if the audience names what was deleted.", errors: []int{lost}}, s.startAutoMessage)
	register(s, operation{id: "stop-auto-message", method: http.MethodPost, path: "/v1/auto-messages/{id}/stop", tag: tag, status: http.StatusOK,
		summary: "Stop to send an auto message", notes: "It may be started again; who has got it stays out.", errors: []int{lost}}, s.stopAutoMessage)
	s.recipientOperations()
}

// autoMessage shows an auto message.
func (v *vocabulary) autoMessage(m automessage.Message, counts projections.AutoMessageCounts, listed int) AutoMessage {
	shown := AutoMessage{
		ID: m.ID, Name: m.Name, Text: m.Text, Audience: AutoMessageAudience{Groups: m.Audience.Groups, Listed: listed}, Rate: m.Rate,
		Status: string(m.Status), Counts: AutoMessageCounts{AutoMessageCounts: counts}, DefinedAt: m.DefinedAt, Version: m.Version,
	}
	if asks := m.Audience.Asks(); asks != nil {
		filter, description := v.tell(asks)
		shown.Description = description
		if m.Audience.Filter != nil {
			shown.Audience.Filter = filter
		}
	}
	shown.Gone = v.gone(m.Audience)
	if !m.StartedAt.IsZero() {
		shown.StartedAt = &m.StartedAt
	}
	return shown
}

// gone is what an audience names that was deleted since, the first of it.
func (v *vocabulary) gone(audience automessage.Audience) []FieldError {
	wanted := automessage.Wanted{Groups: audience.Groups,
		Tags:       func(id uuid.UUID) bool { return v.names.Tags[id] != "" },
		GroupKnown: func(id uuid.UUID) bool { return v.names.Groups[id] != "" },
	}
	if audience.Filter != nil {
		f, err := filter.Parse(audience.Filter, &v.ever, "audience.filter")
		if err != nil {
			return nil // tell has said so
		}
		wanted.Filter = f
	}
	var refusal *domain.Refusal
	if !errors.As(wanted.Check(), &refusal) {
		return nil
	}
	return newProblem(v.reader, refusal.Code, refusal.Location, refusal.Args).Errors
}

// autoMessages are the auto messages that are wanted, with what the read model counts of them.
func (s *server) autoMessages(ctx context.Context, r *request, wanted func(automessage.State) []automessage.Message) ([]AutoMessage, error) {
	state, _, err := s.Catalogues.AutoMessages(ctx, r.who.Tenant)
	if err != nil {
		return nil, err
	}
	words, err := s.vocabulary(ctx, r)
	if err != nil {
		return nil, err
	}
	counts, err := projections.NewAutoMessages(s.Store, s.Projector).Counts(ctx, r.who.Tenant)
	if err != nil {
		return nil, err
	}
	var all []AutoMessage
	for _, m := range wanted(state) {
		listed, err := s.Catalogues.AutoMessageListed(ctx, r.who.Tenant, m.ID)
		if err != nil {
			return nil, err
		}
		all = append(all, words.autoMessage(m, counts[m.ID], listed))
	}
	return all, nil
}

type autoMessagesOutput struct {
	Served
	Body List[AutoMessage]
}

func (s *server) listAutoMessages(ctx context.Context, r *request, in *struct{ After }) (*autoMessagesOutput, error) {
	served, err := s.serve(ctx, projections.AutoMessagesName, r.who.Tenant, in.After)
	if err != nil {
		return nil, err
	}
	all, err := s.autoMessages(ctx, r, func(state automessage.State) []automessage.Message { return state.Sorted() })
	return &autoMessagesOutput{Served: served, Body: whole(all)}, err
}

type oneAutoMessageInput struct {
	After
	ID uuid.UUID `path:"id" format:"uuid"`
}

type oneAutoMessageOutput struct {
	Served
	ETag string `header:"ETag"`
	Body AutoMessage
}

func (s *server) getAutoMessage(ctx context.Context, r *request, in *oneAutoMessageInput) (*oneAutoMessageOutput, error) {
	served, err := s.serve(ctx, projections.AutoMessagesName, r.who.Tenant, in.After)
	if err != nil {
		return nil, err
	}
	m, err := s.autoMessage(ctx, r, in.ID)
	if err != nil {
		return nil, err
	}
	if err := s.countAudience(ctx, r, &m); err != nil {
		return nil, err
	}
	return &oneAutoMessageOutput{Served: served, ETag: etag(m.Version), Body: m}, nil
}

// autoMessage is one auto message. Refused: NOT_FOUND.
func (s *server) autoMessage(ctx context.Context, r *request, id uuid.UUID) (AutoMessage, error) {
	all, err := s.autoMessages(ctx, r, func(state automessage.State) []automessage.Message {
		if m, found := state.Find(id); found {
			return []automessage.Message{m}
		}
		return nil
	})
	if err != nil {
		return AutoMessage{}, err
	}
	if len(all) == 0 {
		return AutoMessage{}, domain.Refuse(domain.CodeNotFound)
	}
	return all[0], nil
}

// countAudience counts who belongs to the audience, as the customer list shows them.
func (s *server) countAudience(ctx context.Context, r *request, m *AutoMessage) error {
	state, _, err := s.Catalogues.AutoMessages(ctx, r.who.Tenant)
	if err != nil {
		return err
	}
	stored, _ := state.Find(m.ID)
	count := projections.Count{Exact: true}
	if asks := stored.Audience.Asks(); asks != nil && len(m.Gone) == 0 {
		if count, err = s.countMatches(ctx, r, asks); err != nil {
			return err
		}
	}
	if m.Audience.Listed > 0 {
		count.Exact = count.Exact && count.Value == 0
		count.Value += int64(m.Audience.Listed)
	}
	m.Counts.Audience = &count
	return nil
}

// audienceTime is for how long is counted what sets do not decide.
const audienceTime = 400 * time.Millisecond

// countMatches counts whom an audience's filter finds, and an auto message reaches.
func (s *server) countMatches(ctx context.Context, r *request, asks json.RawMessage) (projections.Count, error) {
	words, err := s.vocabulary(ctx, r)
	if err != nil {
		return projections.Count{}, err
	}
	cal, err := s.calendarOf(ctx, r.who.Tenant)
	if err != nil {
		return projections.Count{}, err
	}
	f, err := filter.Parse(asks, &words.language, "audience.filter")
	if err != nil {
		return projections.Count{}, err
	}
	query := projections.ListQuery{Filter: filter.Join(f, automessage.Reached()), Calendar: cal, At: s.Now()}
	return s.Customers.CountOf(ctx, r.who.Tenant, query, audienceTime)
}

type defineAutoMessageInput struct {
	Write
	Body AutoMessageInput
}

func (s *server) defineAutoMessage(ctx context.Context, r *request, in *defineAutoMessageInput) (*autoMessageOutput, error) {
	cmd := commands.DefineAutoMessage{Name: in.Body.Name, Text: in.Body.Text, Audience: commands.Audience(in.Body.Audience), Rate: in.Body.Rate}
	done, err := cmd.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	return s.writtenAutoMessage(ctx, r, done), nil
}

// writtenAutoMessage answers with an auto message as it stands. One that was deleted since, when the request is repeated late, has its id only.
func (s *server) writtenAutoMessage(ctx context.Context, r *request, done commands.Done) *autoMessageOutput {
	m, err := s.autoMessage(ctx, r, done.AutoMessage)
	var gone *domain.Refusal
	if err != nil && !errors.As(err, &gone) { // the write is safe in the log: nothing that goes wrong after it makes it fail
		s.unshown(ctx, r, done, err)
	}
	if err != nil {
		m = AutoMessage{ID: done.AutoMessage}
	}
	return &autoMessageOutput{Written: Written{done.Position}, Location: "/v1/auto-messages/" + done.AutoMessage.String(), ETag: etag(m.Version), Body: m}
}

type changeAutoMessageInput struct {
	Write
	Match
	ID   uuid.UUID `path:"id" format:"uuid"`
	Body AutoMessageChange
}

func (s *server) changeAutoMessage(ctx context.Context, r *request, in *changeAutoMessageInput) (*autoMessageOutput, error) {
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	cmd := commands.ChangeAutoMessage{AutoMessage: in.ID, Name: in.Body.Name, Text: in.Body.Text, Rate: in.Body.Rate, IfVersion: version}
	if in.Body.Audience != nil {
		audience := commands.Audience(*in.Body.Audience)
		cmd.Audience = &audience
	}
	done, err := cmd.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	return s.writtenAutoMessage(ctx, r, done), nil
}

// autoMessageAction is a request to do something with an auto message that needs no more words.
type autoMessageAction struct {
	Write
	Match
	ID uuid.UUID `path:"id" format:"uuid"`
}

func (s *server) deleteAutoMessage(ctx context.Context, r *request, in *autoMessageAction) (*noContent, error) {
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	done, err := commands.DeleteAutoMessage{AutoMessage: in.ID, IfVersion: version}.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	return &noContent{Written{done.Position}}, nil
}

func (s *server) startAutoMessage(ctx context.Context, r *request, in *autoMessageAction) (*autoMessageOutput, error) {
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	done, err := commands.StartAutoMessage{AutoMessage: in.ID, IfVersion: version}.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	return s.writtenAutoMessage(ctx, r, done), nil
}

func (s *server) stopAutoMessage(ctx context.Context, r *request, in *autoMessageAction) (*autoMessageOutput, error) {
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	done, err := commands.StopAutoMessage{AutoMessage: in.ID, IfVersion: version}.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	return s.writtenAutoMessage(ctx, r, done), nil
}
