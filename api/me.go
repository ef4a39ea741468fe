package api

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"customercenter/projections"
)

// Me is who makes the request, as the token says.
type Me struct {
	TokenID       uuid.UUID         `json:"token_id" format:"uuid"`
	Role          string            `json:"role" enum:"admin,agent,analyst,channel,operator"`
	Actor         projections.Actor `json:"actor" doc:"Under which name events tell what is done with the token."`
	Tenant        *Tenant           `json:"tenant,omitempty" doc:"Absent for an operator."`
	AssociationID int               `json:"association_id,omitempty" doc:"The only one whose events a channel may emit."`
	PersonalData  bool              `json:"personal_data" doc:"Personal data is shown as it is, not masked."`
}

func (s *server) meOperations() {
	register(s, operation{id: "who-am-i", method: http.MethodGet, path: "/v1/me", tag: "Tokens",
		summary: "Show whose token this is, and for which tenant"}, s.whoAmI)
}

func (s *server) whoAmI(ctx context.Context, r *request, _ *struct{ After }) (*struct{ Body Me }, error) {
	me := Me{TokenID: r.who.Token, Role: string(r.who.Role), Actor: projections.Actor{Kind: r.who.Kind, ID: r.who.ID, Name: r.who.ID},
		AssociationID: r.who.Association, PersonalData: r.who.Personal}
	if r.who.Tenant != "" {
		found, err := s.tenant(ctx, r.who.Tenant)
		if err != nil {
			return nil, err
		}
		me.Tenant = &found.Tenant
	}
	return &struct{ Body Me }{me}, nil
}
