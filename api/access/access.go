// Package access knows who may do what: tokens, and the roles they carry.
//
// A token belongs to one tenant, one actor and one role. It is 32 random bytes that only its owner has; the database keeps
// its hash. What a role may do is said at one place, in rules.go.
package access

import (
	"errors"
	"time"

	"github.com/google/uuid"
)

// Role is what a token lets its owner do.
type Role string

// The roles. DOMAIN.md has what each may do.
const (
	Admin    Role = "admin"
	Agent    Role = "agent"
	Analyst  Role = "analyst"
	Channel  Role = "channel"  // emits the events of one association
	Operator Role = "operator" // of the installation; belongs to no tenant
)

// Roles lists all roles.
func Roles() []Role { return []Role{Admin, Agent, Analyst, Channel, Operator} }

// Principal is who makes a request, as the token says.
type Principal struct {
	Token  uuid.UUID
	Tenant string // empty for an operator
	Role   Role
	Kind   string // of the actor: admin, agent, analyst, channel, operator
	ID     string // of the actor
	// Association is the only one whose events a channel may emit; 0 for the other roles.
	Association int
	// Personal is whether personal data may be shown as it is. It is set for everybody but analysts, and for those
	// analysts whose token allows it.
	Personal bool
}

// Token is what is known of a token besides its text.
type Token struct {
	ID          uuid.UUID
	Tenant      string
	Role        Role
	Kind        string
	Actor       string
	Name        string
	Association int
	Personal    bool
	CreatedAt   time.Time
	CreatedBy   Maker
	ExpiresAt   time.Time // zero: never
	RevokedAt   time.Time // zero: not
	LastUsedAt  time.Time // zero: never; to a minute
}

// Maker is who made a token, by the kind and id under which events name them; empty if that was not kept.
type Maker struct {
	Kind string
	ID   string
}

var (
	// ErrUnknown says that a token does not exist, has expired or was revoked. Which of them is nobody's business.
	ErrUnknown = errors.New("access: unknown token")
	// ErrNotFound says that the tenant has no token of that id.
	ErrNotFound = errors.New("access: there is no such token")
	// ErrTenant says that the tenant of a new token does not exist.
	ErrTenant = errors.New("access: unknown tenant")
	// ErrReused says that a request's key was used before with another body.
	ErrReused = errors.New("access: the request's key was used before with another body")
)
