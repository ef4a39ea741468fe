package projector

import (
	"testing"
	"time"

	"customercenter/eventstore"
)

// An event is shared with those who hear it the same way, of the same tenant, for a moment.
func TestWhatWasOpenedAMomentAgoIsShared(t *testing.T) {
	r, now := newRecent(), time.Now()
	log := r.of("acme")
	event := func(tenant string, position int64) *eventstore.Event {
		return &eventstore.Event{Tenant: tenant, Position: position}
	}
	log.put(&eventstore.Decoded{Event: *event("acme", 7), Payload: "with a name"}, false, now)
	log.put(&eventstore.Decoded{Event: *event("acme", 7), Payload: "without"}, true, now)
	for blind, want := range map[bool]string{false: "with a name", true: "without"} {
		if d, ok := log.get(event("acme", 7), blind, now); !ok || d.Payload != want {
			t.Errorf("blind %v: %v %v", blind, d.Payload, ok)
		}
	}
	log.put(&eventstore.Decoded{Event: *event("acme", 8), Payload: "open"}, false, now)
	for name, get := range map[string]func() (eventstore.Decoded, bool){
		"another tenant's":          func() (eventstore.Decoded, bool) { return log.get(event("other", 7), false, now) },
		"one that was not opened":   func() (eventstore.Decoded, bool) { return log.get(event("acme", 9), false, now) },
		"one that is heard blindly": func() (eventstore.Decoded, bool) { return log.get(event("acme", 8), true, now) },
		"one of long ago":           func() (eventstore.Decoded, bool) { return log.get(event("acme", 7), false, now.Add(recentFor+1)) },
		"one with the same place":   func() (eventstore.Decoded, bool) { return log.get(event("acme", 7+recentEvents/2), false, now) },
	} {
		if d, ok := get(); ok {
			t.Errorf("%s is shared: %v", name, d.Payload)
		}
	}
}
