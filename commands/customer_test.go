package commands_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/customer"
)

func TestCreateCustomer(t *testing.T) {
	w := newWorld(t)
	vip := w.must(commands.CreateTag{Name: "vip"}).Tag
	create := commands.CreateCustomer{Association: 1, ExternalID: " Zhang.San ", Profile: customer.Profile{Name: "张三"}, Tags: []uuid.UUID{vip}}
	done := w.appends(w.by, create, customer.Created{
		Association: 1, Channel: "app", ExternalID: "zhang.san", Profile: customer.Profile{Nickname: "zhang.san", Name: "张三"},
		Tags: []uuid.UUID{vip}, Via: customer.ViaAPI, Generation: 1,
	})
	id, err := w.center.CustomerID(t.Context(), tenant, 1, "ZHANG.SAN")
	if err != nil || done.Customer != id || done.Version != 1 {
		t.Errorf("done %+v, want customer %v in version 1; %v", done, id, err)
	}
	w.refused(w.by, create, domain.CodeCustomerExists, "external_id")
	w.refused(w.by, commands.CreateCustomer{Association: 9, ExternalID: "x"}, domain.CodeNotFound, "association_id")
	w.refused(w.by, commands.CreateCustomer{Association: 1, ExternalID: "a b"}, domain.CodeIDInvalid, "external_id")
	w.refused(w.by, commands.CreateCustomer{Association: 1, ExternalID: "x", Tags: []uuid.UUID{uuid.Max}}, domain.CodeTagUnknown, "tags")
	w.must(commands.RemoveAssociation{Association: 2})
	w.refused(w.by, commands.CreateCustomer{Association: 2, ExternalID: "x"}, domain.CodeAssociationGone, "association_id")
}

func TestEditCustomer(t *testing.T) {
	w := newWorld(t)
	vip, old := w.must(commands.CreateTag{Name: "vip"}).Tag, w.must(commands.CreateTag{Name: "old"}).Tag
	id := w.must(commands.CreateCustomer{Association: 1, ExternalID: "x"}).Customer
	phone := "138"
	edited := w.appends(w.by, commands.EditProfile{Customer: id, Changes: map[string]*string{"phone": &phone}, IfVersion: 1},
		customer.ProfileChanged{Fields: map[string]customer.Change{"phone": {New: "138"}}})
	if edited.Version != 2 {
		t.Errorf("version %d, want 2", edited.Version)
	}
	same := w.appends(w.by, commands.EditProfile{Customer: id, Changes: map[string]*string{"phone": &phone}})
	if same.Version != 2 {
		t.Errorf("version %d of what nothing changed, want 2", same.Version)
	}
	w.appends(w.by, commands.TagCustomer{Customer: id, Tag: vip, IfVersion: 2}, customer.Tagged{Tag: vip})
	w.appends(w.by, commands.TagCustomer{Customer: id, Tag: vip})
	w.appends(w.by, commands.SetCustomerTags{Customer: id, Tags: []uuid.UUID{old}}, customer.Untagged{Tag: vip}, customer.Tagged{Tag: old})
	w.appends(w.by, commands.SetCustomerTags{Customer: id, Tags: []uuid.UUID{old}})
	w.appends(w.by, commands.UntagCustomer{Customer: id, Tag: old}, customer.Untagged{Tag: old})
	w.appends(w.by, commands.UntagCustomer{Customer: id, Tag: old})

	nobody := uuid.Max
	w.refused(w.by, commands.EditProfile{Customer: nobody, Changes: map[string]*string{}}, domain.CodeNotFound, "")
	w.refused(w.by, commands.TagCustomer{Customer: nobody, Tag: vip}, domain.CodeNotFound, "")
	w.refused(w.by, commands.UntagCustomer{Customer: nobody, Tag: vip}, domain.CodeNotFound, "")
	w.refused(w.by, commands.SetCustomerTags{Customer: nobody}, domain.CodeNotFound, "")
	w.refused(w.by, commands.TagCustomer{Customer: id, Tag: nobody}, domain.CodeTagUnknown, "tags")
	w.refused(w.by, commands.SetCustomerTags{Customer: id, Tags: []uuid.UUID{nobody}}, domain.CodeTagUnknown, "tags")
	w.refused(w.by, commands.EditProfile{Customer: id, Changes: map[string]*string{"external_id": &phone}}, domain.CodeValidation, "profile.external_id")
	for _, stale := range []command{
		commands.EditProfile{Customer: id, Changes: map[string]*string{"phone": nil}, IfVersion: 2},
		commands.TagCustomer{Customer: id, Tag: vip, IfVersion: 2},
		commands.UntagCustomer{Customer: id, Tag: vip, IfVersion: 99},
		commands.SetCustomerTags{Customer: id, IfVersion: 2},
	} {
		w.refused(w.by, stale, commands.CodePreconditionFailed, "")
	}
}

// Sessions are no edits: they must not make an edit fail that began before.
func TestASessionDoesNotChangeTheVersion(t *testing.T) {
	w := newWorld(t)
	created := w.must(commands.CreateCustomer{Association: 1, ExternalID: "x"})
	w.must(text("x", "m1", "hello"))
	name := "张三"
	done := w.must(commands.EditProfile{Customer: created.Customer, Changes: map[string]*string{"name": &name}, IfVersion: created.Version})
	if done.Version != 3 { // 1 created, 2 session opened
		t.Errorf("version %d, want 3", done.Version)
	}
	// Another process, which has cached nothing, must come to the same version.
	w.center = newCenter(w.store)
	w.must(commands.EditProfile{Customer: created.Customer, Changes: map[string]*string{"name": nil}, IfVersion: 3})
}

func TestATagThatIsDeletedMeanwhileIsNotPutOn(t *testing.T) {
	w := newWorld(t)
	vip := w.must(commands.CreateTag{Name: "vip"}).Tag
	id := w.must(commands.CreateCustomer{Association: 1, ExternalID: "x"}).Customer
	// This center has never heard of the deletion but for what it reads.
	other := newCenter(w.store)
	if _, err := (commands.DeleteTag{Tag: vip}).Run(t.Context(), other, w.by); err != nil {
		t.Fatal(err)
	}
	w.refused(w.by, commands.TagCustomer{Customer: id, Tag: vip}, domain.CodeTagUnknown, "tags")
}

func TestTooFarInTheFuture(t *testing.T) {
	w := newWorld(t)
	w.must(text("x", "m1", "hello"))
	by := w.at(time.Now().Add(6 * time.Minute))
	w.refused(by, text("x", "m2", "hello"), domain.CodeOccurredInFuture, "occurred_at")
	w.refused(by, commands.CloseSession{Session: byIdentity("x"), By: "agent"}, domain.CodeOccurredInFuture, "occurred_at")
}
