package api

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"customercenter/api/access"
	"customercenter/domain"
	"customercenter/domain/text"
	"customercenter/projections"
)

// Token is what is known of a token besides its text.
type Token struct {
	ID            uuid.UUID   `json:"id" format:"uuid"`
	Role          string      `json:"role" enum:"admin,agent,analyst,channel"`
	ActorID       string      `json:"actor_id" doc:"Whose it is: the id under which events name them."`
	Name          string      `json:"name"`
	AssociationID int         `json:"association_id,omitempty" doc:"The only one whose events it may emit; role channel."`
	PersonalData  bool        `json:"personal_data" doc:"Whether personal data is shown as it is."`
	CreatedAt     time.Time   `json:"created_at"`
	CreatedBy     *TokenMaker `json:"created_by,omitempty" doc:"Who made it; absent if that was not kept."`
	ExpiresAt     *time.Time  `json:"expires_at"`
	RevokedAt     *time.Time  `json:"revoked_at"`
	LastUsedAt    *time.Time  `json:"last_used_at" doc:"To a minute."`
	Current       bool        `json:"current" doc:"Whether it is the token of this request."`
}

// TokenMaker is who made a token, as events name them.
type TokenMaker struct {
	Kind string `json:"kind" enum:"admin,operator"`
	ID   string `json:"id"`
}

// TokenInput is what a token is made with.
type TokenInput struct {
	Role          string     `json:"role" enum:"admin,agent,analyst,channel"`
	ActorID       string     `json:"actor_id" doc:"Whom it is for: 1 to 128 characters."`
	Name          string     `json:"name,omitempty" doc:"For people who look through the list: up to 100 characters."`
	AssociationID int        `json:"association_id,omitempty" minimum:"1" doc:"Role channel: whose events it may emit."`
	PersonalData  bool       `json:"personal_data,omitempty" doc:"Role analyst: show personal data as it is."`
	ExpiresAt     *time.Time `json:"expires_at,omitempty" doc:"In the future; absent: never."`
}

// NewToken is a token with its text.
type NewToken struct {
	Token
	Text string `json:"token" doc:"Send it as Authorization: Bearer …. It is not kept and cannot be shown again."`
}

func (s *server) tokenOperations() {
	const tag = "Tokens"
	register(s, operation{id: "list-tokens", method: http.MethodGet, path: "/v1/tokens", tag: tag,
		summary: "List the tokens, newest first, ended ones too"}, s.listTokens)
	register(s, operation{id: "create-token", method: http.MethodPost, path: "/v1/tokens", tag: tag, status: http.StatusCreated,
		summary: "Make a token"}, s.createToken)
	register(s, operation{id: "get-token", method: http.MethodGet, path: "/v1/tokens/{id}", tag: tag,
		summary: "Show a token, without its text"}, s.getToken)
	register(s, operation{id: "revoke-token", method: http.MethodDelete, path: "/v1/tokens/{id}", tag: tag,
		summary: "Revoke a token", notes: "It is refused everywhere within 5 seconds. One's own can be revoked too."}, s.revokeToken)
}

type listTokensInput struct {
	After
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor string `query:"cursor" maxLength:"100"`
}

func (s *server) listTokens(ctx context.Context, r *request, in *listTokensInput) (*struct{ Body List[Token] }, error) {
	after := uuid.Nil
	if in.Cursor != "" {
		var err error
		if after, err = uuid.Parse(in.Cursor); err != nil {
			return nil, invalid("query.cursor", ruleCursor)
		}
	}
	tokens, next, err := s.Tokens.List(ctx, r.who.Tenant, after, in.Limit)
	if err != nil {
		return nil, err
	}
	out := List[Token]{Items: make([]Token, len(tokens))}
	for i, t := range tokens {
		out.Items[i] = tokenOf(r, t)
	}
	if next != uuid.Nil {
		out.Next = next.String()
	} else if in.Cursor == "" {
		out.Count = &projections.Count{Value: int64(len(tokens)), Exact: true}
	}
	return &struct{ Body List[Token] }{out}, nil
}

func tokenOf(r *request, t access.Token) Token {
	out := Token{ID: t.ID, Role: string(t.Role), ActorID: t.Actor, Name: t.Name, AssociationID: t.Association,
		PersonalData: t.Role != access.Analyst || t.Personal,
		CreatedAt:    t.CreatedAt, ExpiresAt: orNull(t.ExpiresAt), RevokedAt: orNull(t.RevokedAt), LastUsedAt: orNull(t.LastUsedAt),
		Current: t.ID == r.who.Token}
	if t.CreatedBy != (access.Maker{}) {
		out.CreatedBy = &TokenMaker{Kind: t.CreatedBy.Kind, ID: t.CreatedBy.ID}
	}
	return out
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

type tokenAddress struct {
	After
	ID uuid.UUID `path:"id" format:"uuid"`
}

func (s *server) getToken(ctx context.Context, r *request, in *tokenAddress) (*struct{ Body Token }, error) {
	token, err := s.Tokens.One(ctx, r.who.Tenant, in.ID)
	if err != nil {
		return nil, err
	}
	return &struct{ Body Token }{tokenOf(r, token)}, nil
}

type createTokenInput struct {
	Write
	Body TokenInput
}

type createTokenOutput struct {
	Location string `header:"Location"`
	Body     NewToken
}

func (s *server) createToken(ctx context.Context, r *request, in *createTokenInput) (*createTokenOutput, error) {
	wanted, err := s.checkToken(ctx, r, in.Body)
	if err != nil {
		return nil, err
	}
	secret, token, err := s.Tokens.Create(ctx, wanted, r.once(in.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	return &createTokenOutput{Location: "/v1/tokens/" + token.ID.String(), Body: NewToken{Token: tokenOf(r, token), Text: secret}}, nil
}

// checkToken refuses, with VALIDATION or ASSOCIATION_UNKNOWN, a token that could not be used.
func (s *server) checkToken(ctx context.Context, r *request, in TokenInput) (access.New, error) {
	wanted := access.New{Tenant: r.who.Tenant, Role: access.Role(in.Role), Association: in.AssociationID, Personal: in.PersonalData,
		By: access.Maker{Kind: r.who.Kind, ID: r.who.ID}}
	var ok bool
	if wanted.Actor, ok = text.Line(in.ActorID); !ok {
		return wanted, invalid("actor_id", domain.RuleCharacters)
	}
	if wanted.Name, ok = text.Line(in.Name); !ok {
		return wanted, invalid("name", domain.RuleCharacters)
	}
	switch {
	case wanted.Actor == "":
		return wanted, invalid("actor_id", domain.RuleRequired)
	case text.Length(wanted.Actor) > 128:
		return wanted, domain.TooLong("actor_id", 128)
	case text.Length(wanted.Name) > 100:
		return wanted, domain.TooLong("name", 100)
	case in.PersonalData && wanted.Role != access.Analyst:
		return wanted, invalid("personal_data", ruleInvalid)
	case wanted.Role == access.Channel && in.AssociationID == 0:
		return wanted, invalid("association_id", domain.RuleRequired)
	case wanted.Role != access.Channel && in.AssociationID != 0:
		return wanted, invalid("association_id", ruleInvalid)
	}
	if in.ExpiresAt != nil {
		if !in.ExpiresAt.After(s.Now()) || in.ExpiresAt.UTC().Year() > 9999 { // which JSON could not say
			return wanted, invalid("expires_at", ruleInvalid)
		}
		wanted.ExpiresAt = *in.ExpiresAt
	}
	if wanted.Association != 0 {
		state, _, err := s.Catalogues.Associations(ctx, r.who.Tenant)
		if err != nil {
			return wanted, err
		}
		if _, found := state.Find(wanted.Association); !found {
			return wanted, domain.Refuse(codeAssociation).At("association_id")
		}
	}
	return wanted, nil
}

type revokeTokenInput struct {
	Write
	ID uuid.UUID `path:"id" format:"uuid"`
}

func (s *server) revokeToken(ctx context.Context, r *request, in *revokeTokenInput) (*struct{}, error) {
	// Revoking again answers the same, so a key is taken and not needed.
	return nil, s.Tokens.Revoke(ctx, r.who.Tenant, in.ID)
}
