package projector

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"

	"customercenter/domain/automessage"
	"customercenter/domain/customer"
	"customercenter/eventstore"
)

// recipients names the streams of what became of auto messages with a customer, whose own events these are. They follow from the auto
// messages there are and from the customer's lives; most do not exist. Without such events in what is heard there are none.
func (f *feeder) recipients(ctx context.Context, id uuid.UUID, own []eventstore.Decoded) ([]string, error) {
	hears := slices.ContainsFunc(f.def.Types, func(t string) bool { return strings.HasPrefix(t, "auto_message.") })
	if !hears {
		return nil, nil
	}
	catalogue, err := f.store.ReadStreams(ctx, f.tenant, []string{automessage.Stream}, []int64{0})
	if err != nil {
		return nil, err
	}
	decoded, err := f.store.Open(ctx, catalogue)
	if err != nil {
		return nil, err
	}
	lives := 1
	for _, d := range own {
		if created, ok := d.Payload.(customer.Created); ok {
			lives = max(lives, created.Generation)
		}
	}
	var streams []string
	for _, d := range decoded {
		if defined, ok := d.Payload.(automessage.Defined); ok {
			streams = append(streams, recipientStreams(defined.AutoMessage, id, lives)...)
		}
	}
	return streams, nil
}
