package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"customercenter/api/access"
	"customercenter/api/ingest"
	"customercenter/commands/policies"
	"customercenter/internal/natsserver"
)

// guestOf is what a channel may do on NATS: tell the events of its own association, learn whether they have arrived, and hear what is to be sent there.
func guestOf(tenant string, association int) natsserver.Guest {
	return natsserver.Guest{
		Name: fmt.Sprintf("%s-%d", tenant, association), // no two are the same, as what follows the last hyphen is a number
		Tell: []string{ingest.Subject(tenant, association)}, Hear: []string{policies.Subject(tenant, association)},
	}
}

type channelGrants struct {
	Tenant      string `help:"Whose channels." required:""`
	Association []int  `help:"Which connected accounts; may be given several times." required:"" sep:"none"`
}

// Run prints the same as accounts of a nats-server's configuration.
func (c *channelGrants) Run(env *environment) error {
	var exports, rooms strings.Builder
	for _, association := range c.Association {
		guest := guestOf(c.Tenant, association)
		fmt.Fprintf(&exports, `
      { service: "%[2]s", accounts: ["%[1]s"] }, { stream: "%[3]s", accounts: ["%[1]s"] },`, guest.Name, guest.Tell[0], guest.Hear[0])
		fmt.Fprintf(&rooms, `
  "%[1]s": {
    users: [ { user: "%[1]s", password: "PASSWORD" } ]
    imports: [ { service: { account: CENTER, subject: "%[2]s" } }, { stream: { account: CENTER, subject: "%[3]s" } } ]
  }`, guest.Name, guest.Tell[0], guest.Hear[0])
	}
	_, err := fmt.Fprintf(env.stdout, `# For nats-server.conf. The customer center and its streams are in the account CENTER: NATS_URL is nats://center:PASSWORD@host:4222.
# Each PASSWORD is to be another one, or a hash of it (nats server passwd). What is exported to further channels is added to the exports.
accounts {
  CENTER: {
    jetstream: enabled
    users: [ { user: "center", password: "PASSWORD" } ]
    exports: [%s
    ]
  }%s
}
`, strings.TrimSuffix(exports.String(), ","), rooms.String())
	return err
}

// doorkeeper lets channels into the NATS of `up` by their tokens of the API, as soon as there are tokens.
type doorkeeper struct{ tokens atomic.Pointer[access.Tokens] }

func (d *doorkeeper) admit(ctx context.Context, token string) (natsserver.Guest, error) {
	tokens := d.tokens.Load()
	if tokens == nil {
		return natsserver.Guest{}, errors.New("not open yet")
	}
	who, err := tokens.Verify(ctx, token)
	switch {
	case errors.Is(err, access.ErrUnknown), err == nil && who.Role != access.Channel:
		return natsserver.Guest{}, natsserver.ErrNotAdmitted
	case err != nil:
		return natsserver.Guest{}, err
	}
	return guestOf(who.Tenant, who.Association), nil
}
