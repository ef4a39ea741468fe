package ingest

import (
	"testing"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain/suppressed"
)

// To a channel, a message of somebody on the blacklist is like any other: accepted, and once.
func TestAMessageOfTheBlacklisted(t *testing.T) {
	w := newHandlerWorld(t)
	by := commands.By{Tenant: tenant}
	created, err := commands.CreateCustomer{Association: 1, ExternalID: "x"}.Run(t.Context(), w.center, by)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (commands.BlacklistCustomer{Customer: created.Customer, Reason: "骚扰"}).Run(t.Context(), w.center, by); err != nil {
		t.Fatal(err)
	}
	first := w.handle(in(numbered("message.received", 1, received)))
	if first.Status != StatusAccepted || first.Code != "" || first.Customer != created.Customer || first.Session != uuid.Nil || first.Position == 0 {
		t.Errorf("outcome %+v", first)
	}
	if again := w.handle(in(numbered("message.received", 1, received))); again.Status != StatusDuplicate || again.Position != first.Position {
		t.Errorf("again %+v, first %+v", again, first)
	}
	kept := 0
	for _, d := range w.log() {
		if _, ok := d.Payload.(suppressed.MessageRecorded); ok {
			kept++
		}
	}
	if kept != 1 {
		t.Errorf("%d suppressed messages, want 1", kept)
	}
	// Web attributes by themselves belong to a session, and there is none.
	if told := w.handle(in(numbered("web.attributes", 2, `{"external_id":"x","web":{"region":"上海"}}`))); told.Status != StatusRefused {
		t.Errorf("web attributes %+v", told)
	}
}
