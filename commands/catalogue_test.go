package commands_test

import (
	"testing"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/association"
	"customercenter/domain/settings"
	"customercenter/domain/tag"
)

func TestAssociations(t *testing.T) {
	w := newWorld(t)
	done := w.appends(w.by, commands.RegisterAssociation{Channel: "web", Account: " site ", Name: "网站"},
		association.Registered{Association: 3, Channel: "web", Account: "site", Name: "网站"})
	if done.Association != 3 {
		t.Errorf("done %+v", done)
	}
	w.refused(w.by, commands.RegisterAssociation{Channel: "web", Account: "site", Name: "again"}, domain.CodeAssociationExists, "account")
	w.refused(w.by, commands.RegisterAssociation{Channel: "fax", Account: "1", Name: "n"}, domain.CodeValidation, "channel")
	w.appends(w.by, commands.RenameAssociation{Association: 3, Name: "官网"}, association.Renamed{Association: 3, Name: "官网"})
	w.appends(w.by, commands.RenameAssociation{Association: 3, Name: " 官网 "})
	w.refused(w.by, commands.RenameAssociation{Association: 9, Name: "x"}, domain.CodeNotFound, "association_id")
	w.appends(w.by, commands.RemoveAssociation{Association: 3}, association.Removed{Association: 3})
	w.appends(w.by, commands.RemoveAssociation{Association: 3})
	w.refused(w.by, commands.RenameAssociation{Association: 3, Name: "x"}, domain.CodeAssociationGone, "association_id")
	w.refused(w.by, commands.RemoveAssociation{Association: 9}, domain.CodeNotFound, "association_id")
	done = w.appends(w.by, commands.RegisterAssociation{Channel: "web", Account: "site", Name: "back"},
		association.Registered{Association: 3, Channel: "web", Account: "site", Name: "back"})
	if done.Association != 3 {
		t.Errorf("restored as %d", done.Association)
	}
}

func TestSettings(t *testing.T) {
	w := newWorld(t)
	w.appends(w.by, commands.SetTimeZone{TimeZone: "Europe/Berlin"}, settings.TimeZoneSet{TimeZone: "Europe/Berlin"})
	w.appends(w.by, commands.SetTimeZone{TimeZone: "Europe/Berlin"})
	w.refused(w.by, commands.SetTimeZone{TimeZone: "Mars/Olympus"}, domain.CodeValidation, "time_zone")
	w.appends(w.by, commands.SetWeekStart{Day: "sunday"}, settings.WeekStartSet{Day: "sunday"})
	w.appends(w.by, commands.SetWeekStart{Day: "sunday"})
	w.refused(w.by, commands.SetWeekStart{Day: "today"}, domain.CodeValidation, "week_start")
	w.appends(w.by, commands.SetAgentAccess{Access: settings.AgentAccess{CustomerCenter: true}}, settings.AgentAccessSet{CustomerCenter: true})
	w.appends(w.by, commands.SetAgentAccess{Access: settings.AgentAccess{CustomerCenter: true}})
	link := "https://orders.example/?c={external_id}"
	w.appends(w.by, commands.SetOrderLink{Template: link}, settings.OrderLinkSet{Template: link})
	w.appends(w.by, commands.SetOrderLink{Template: link})
	w.refused(w.by, commands.SetOrderLink{Template: "http://x"}, domain.CodeValidation, "order_link")
	w.appends(w.by, commands.GrantEntitlement{Entitlement: "import"}, settings.EntitlementGranted{Entitlement: "import"})
	w.appends(w.by, commands.GrantEntitlement{Entitlement: "import"})
	w.refused(w.by, commands.GrantEntitlement{Entitlement: "gold"}, domain.CodeValidation, "entitlement")
	w.appends(w.by, commands.RevokeEntitlement{Entitlement: "import"}, settings.EntitlementRevoked{Entitlement: "import"})
	w.appends(w.by, commands.RevokeEntitlement{Entitlement: "import"})
	w.refused(w.by, commands.RevokeEntitlement{Entitlement: "gold"}, domain.CodeValidation, "entitlement")
}

func TestChangeSettings(t *testing.T) {
	w := newWorld(t)
	zone, day, link, yes := "Asia/Tokyo", "sunday", "https://o.example/{external_id}", true
	w.appends(w.by, commands.ChangeSettings{TimeZone: &zone, WeekStart: &day, CustomerCenter: &yes, Blacklist: &yes, OrderLink: &link},
		settings.TimeZoneSet{TimeZone: zone}, settings.WeekStartSet{Day: day},
		settings.AgentAccessSet{CustomerCenter: true, Blacklist: true}, settings.OrderLinkSet{Template: link})
	no, monday := false, "monday"
	w.appends(w.by, commands.ChangeSettings{TimeZone: &zone, WeekStart: &monday, Blacklist: &no},
		settings.WeekStartSet{Day: "monday"}, settings.AgentAccessSet{CustomerCenter: true})
	bad := "nowhere"
	w.refused(w.by, commands.ChangeSettings{WeekStart: &day, TimeZone: &bad}, domain.CodeValidation, "time_zone")
	w.refused(w.by, commands.ChangeSettings{WeekStart: &day, OrderLink: &bad}, domain.CodeValidation, "order_link")
	w.refused(w.by, commands.ChangeSettings{WeekStart: &bad}, domain.CodeValidation, "week_start")
	w.appends(w.by, commands.ChangeSettings{})
}

func TestTags(t *testing.T) {
	w := newWorld(t)
	vip := w.must(commands.CreateTag{Name: "ＶＩＰ"}).Tag
	if got := w.log(w.head() - 1)[0].Payload; got != (tag.Created{Tag: vip, Name: "ＶＩＰ"}) {
		t.Fatalf("appended %#v", got)
	}
	w.refused(w.by, commands.CreateTag{Name: "vip"}, domain.CodeTagExists, "name")
	w.refused(w.by, commands.CreateTag{Name: "a,b"}, domain.CodeValidation, "name")
	w.appends(w.by, commands.RenameTag{Tag: vip, Name: "重要"}, tag.Renamed{Tag: vip, Name: "重要"})
	w.appends(w.by, commands.RenameTag{Tag: vip, Name: "重要"})
	w.refused(w.by, commands.RenameTag{Tag: uuid.Max, Name: "x"}, domain.CodeTagUnknown, "")
	done := w.appends(w.by, commands.DeleteTag{Tag: vip}, tag.Deleted{Tag: vip})
	if done.Tag != vip {
		t.Errorf("done %+v", done)
	}
	w.refused(w.by, commands.DeleteTag{Tag: vip}, domain.CodeTagUnknown, "")
}
