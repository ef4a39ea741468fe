package api

import (
	"context"
	"net/http"
	"strings"

	"customercenter/commands"
	"customercenter/domain/settings"
)

// Settings are what a tenant has set for itself.
type Settings struct {
	TimeZone     string      `json:"time_zone" doc:"IANA name; days, weeks and months follow it."`
	WeekStart    string      `json:"week_start" enum:"monday,tuesday,wednesday,thursday,friday,saturday,sunday"`
	AgentAccess  AgentAccess `json:"agent_access"`
	OrderLink    string      `json:"order_link" doc:"Template of a link to a customer's orders, with {external_id}; empty: none."`
	Entitlements []string    `json:"entitlements" nullable:"false" doc:"Read-only: paid capabilities, granted by an operator."`
	Version      int64       `json:"version"`
}

// AgentAccess says what agents may do in the customer center.
type AgentAccess struct {
	CustomerCenter bool `json:"customer_center" doc:"See the customers they served."`
	Blacklist      bool `json:"blacklist" doc:"Put them on the blacklist."`
}

// SettingsInput is what is to be changed; what is absent stays.
type SettingsInput struct {
	TimeZone    *string           `json:"time_zone,omitempty"`
	WeekStart   *string           `json:"week_start,omitempty"`
	AgentAccess *AgentAccessInput `json:"agent_access,omitempty"`
	OrderLink   *string           `json:"order_link,omitempty" doc:"Empty removes it."`
}

// AgentAccessInput is what is to be changed of it.
type AgentAccessInput struct {
	CustomerCenter *bool `json:"customer_center,omitempty"`
	Blacklist      *bool `json:"blacklist,omitempty"`
}

type settingsOutput struct {
	Written
	ETag string `header:"ETag"`
	Body Settings
}

func (s *server) settingsOperations() {
	const tag = "Settings"
	register(s, operation{id: "get-settings", method: http.MethodGet, path: "/v1/settings", tag: tag,
		summary: "Show the settings"}, s.getSettings)
	register(s, operation{id: "change-settings", method: http.MethodPatch, path: "/v1/settings", tag: tag,
		summary: "Change settings, all or none", errors: []int{http.StatusPreconditionFailed}}, s.changeSettings)
}

type getSettingsOutput struct {
	ETag string `header:"ETag"`
	Body Settings
}

func (s *server) getSettings(ctx context.Context, r *request, _ *struct{ After }) (*getSettingsOutput, error) {
	now, err := s.settings(ctx, r)
	return &getSettingsOutput{ETag: etag(now.Version), Body: now}, err
}

func (s *server) settings(ctx context.Context, r *request) (Settings, error) {
	state, version, err := s.Catalogues.Settings(ctx, r.who.Tenant)
	if err != nil {
		return Settings{}, err
	}
	return settingsOf(&state, version), nil
}

func settingsOf(state *settings.State, version int64) Settings {
	entitlements := state.Entitlements
	if entitlements == nil {
		entitlements = []string{}
	}
	return Settings{TimeZone: state.TimeZone(), WeekStart: state.WeekStart(), AgentAccess: AgentAccess(state.AgentAccess),
		OrderLink: state.OrderLink, Entitlements: entitlements, Version: version}
}

type changeSettingsInput struct {
	Write
	Match
	Body SettingsInput
}

func (s *server) changeSettings(ctx context.Context, r *request, in *changeSettingsInput) (*settingsOutput, error) {
	version, err := in.version()
	if strings.TrimSpace(in.IfMatch) == etag(0) { // nothing had been set
		version, err = commands.Untouched, nil
	}
	if err != nil {
		return nil, err
	}
	change := commands.ChangeSettings{IfVersion: version, TimeZone: in.Body.TimeZone, WeekStart: in.Body.WeekStart, OrderLink: in.Body.OrderLink}
	if access := in.Body.AgentAccess; access != nil {
		change.CustomerCenter, change.Blacklist = access.CustomerCenter, access.Blacklist
	}
	done, err := change.Run(ctx, s.Center, r.by(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	now, err := s.settings(ctx, r)
	return &settingsOutput{Written: Written{done.Position}, ETag: etag(now.Version), Body: now}, err
}
