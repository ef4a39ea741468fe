package settings_test

import (
	"strings"
	"testing"
	"time"

	"customercenter/domain"
	"customercenter/domain/domaintest"
	"customercenter/domain/settings"
)

type (
	testCase = domaintest.Case[settings.State, settings.Event]
	events   = []settings.Event
	given    = []domain.Event
)

func TestDecisions(t *testing.T) {
	zone := func(name string) func(*settings.State) ([]settings.Event, error) {
		return func(s *settings.State) ([]settings.Event, error) { return s.SetTimeZone(name, time.LoadLocation) }
	}
	week := func(day string) func(*settings.State) ([]settings.Event, error) {
		return func(s *settings.State) ([]settings.Event, error) { return s.SetWeekStart(day) }
	}
	agents := func(a settings.AgentAccess) func(*settings.State) ([]settings.Event, error) {
		return func(s *settings.State) ([]settings.Event, error) { return s.SetAgentAccess(a) }
	}
	link := func(template string) func(*settings.State) ([]settings.Event, error) {
		return func(s *settings.State) ([]settings.Event, error) { return s.SetOrderLink(template) }
	}
	grant := func(name string) func(*settings.State) ([]settings.Event, error) {
		return func(s *settings.State) ([]settings.Event, error) { return s.GrantEntitlement(name) }
	}
	revoke := func(name string) func(*settings.State) ([]settings.Event, error) {
		return func(s *settings.State) ([]settings.Event, error) { return s.RevokeEntitlement(name) }
	}
	const invalid = domain.CodeValidation
	const shop = "https://shop.example/orders?buyer={external_id}"
	// 8 characters of scheme, a host, and the placeholder, filled up to a length.
	longLink := func(length int) string {
		base := "https://shop.example/{external_id}"
		return base + strings.Repeat("单", length-len(base))
	}

	domaintest.Run(t, []testCase{
		{Name: "zone", When: zone("Europe/Berlin"), Then: events{settings.TimeZoneSet{TimeZone: "Europe/Berlin"}}},
		{Name: "zone UTC", When: zone("UTC"), Then: events{settings.TimeZoneSet{TimeZone: "UTC"}}},
		{Name: "zone that holds by default", When: zone("Asia/Shanghai")},
		{Name: "same zone", Given: given{settings.TimeZoneSet{TimeZone: "Asia/Tokyo"}}, When: zone("Asia/Tokyo")},
		{
			Name: "zone back to the default", Given: given{settings.TimeZoneSet{TimeZone: "Asia/Tokyo"}},
			When: zone("Asia/Shanghai"), Then: events{settings.TimeZoneSet{TimeZone: "Asia/Shanghai"}},
		},
		{Name: "no zone", When: zone(""), Refused: invalid, At: "time_zone"},
		{Name: "zone of the machine", When: zone("Local"), Refused: invalid, At: "time_zone"},
		{Name: "unknown zone", When: zone("Asia/Atlantis"), Refused: invalid, At: "time_zone"},
		{Name: "path instead of a zone", When: zone("../etc/passwd"), Refused: invalid, At: "time_zone"},
		{Name: "zone with leap seconds", When: zone("right/Asia/Shanghai"), Refused: invalid, At: "time_zone"},

		{Name: "week", When: week("sunday"), Then: events{settings.WeekStartSet{Day: "sunday"}}},
		{Name: "week as by default", When: week("monday")},
		{Name: "same week", Given: given{settings.WeekStartSet{Day: "saturday"}}, When: week("saturday")},
		{Name: "week in capitals", When: week("Sunday"), Refused: invalid, At: "week_start"},
		{Name: "week without a day", When: week(""), Refused: invalid, At: "week_start"},

		{
			Name: "agents in", When: agents(settings.AgentAccess{CustomerCenter: true}),
			Then: events{settings.AgentAccessSet{CustomerCenter: true}},
		},
		{
			Name: "agents out", Given: given{settings.AgentAccessSet{CustomerCenter: true, Blacklist: true}},
			When: agents(settings.AgentAccess{}), Then: events{settings.AgentAccessSet{}},
		},
		{Name: "agents out as by default", When: agents(settings.AgentAccess{})},

		{Name: "link", When: link("  " + shop), Then: events{settings.OrderLinkSet{Template: shop}}},
		{Name: "same link", Given: given{settings.OrderLinkSet{Template: shop}}, When: link(shop)},
		{Name: "link removed", Given: given{settings.OrderLinkSet{Template: shop}}, When: link(""), Then: events{settings.OrderLinkSet{}}},
		{Name: "no link still", When: link("")},
		{Name: "longest link", When: link(longLink(500)), Then: events{settings.OrderLinkSet{Template: longLink(500)}}},
		{Name: "link too long", When: link(longLink(501)), Refused: invalid, At: "order_link"},
		{Name: "link without the id", When: link("https://shop.example/orders"), Refused: invalid, At: "order_link"},
		{Name: "link not secure", When: link("http://shop.example/{external_id}"), Refused: invalid, At: "order_link"},
		{Name: "link that runs", When: link("javascript:alert({external_id})"), Refused: invalid, At: "order_link"},
		{Name: "id in the host", When: link("https://{external_id}.example/"), Refused: invalid, At: "order_link"},
		{Name: "id right after the host", When: link("https://shop.example{external_id}/"), Refused: invalid, At: "order_link"},
		{Name: "no host", When: link("https:///{external_id}"), Refused: invalid, At: "order_link"},
		{Name: "link with a password", When: link("https://a:b@shop.example/{external_id}"), Refused: invalid, At: "order_link"},
		{Name: "link with NUL", When: link("https://shop.example/\x00{external_id}"), Refused: invalid, At: "order_link"},

		{Name: "grant", When: grant("import"), Then: events{settings.EntitlementGranted{Entitlement: "import"}}},
		{Name: "grant again", Given: given{settings.EntitlementGranted{Entitlement: "import"}}, When: grant("import")},
		{Name: "grant what is unknown", When: grant("moon"), Refused: invalid, At: "entitlement"},
		{
			Name: "revoke", Given: given{settings.EntitlementGranted{Entitlement: "import"}},
			When: revoke("import"), Then: events{settings.EntitlementRevoked{Entitlement: "import"}},
		},
		{
			Name: "revoke again", Given: given{settings.EntitlementGranted{Entitlement: "import"}, settings.EntitlementRevoked{Entitlement: "import"}},
			When: revoke("import"),
		},
		{Name: "revoke what is unknown", When: revoke("moon"), Refused: invalid, At: "entitlement"},
	})
}

func TestDefaults(t *testing.T) {
	var s settings.State
	if s.TimeZone() != "Asia/Shanghai" || s.WeekStart() != "monday" || s.FirstWeekday() != time.Monday ||
		s.AgentAccess != (settings.AgentAccess{}) || s.OrderLink != "" || s.Entitled("import") {
		t.Errorf("defaults are %+v, %s, %s", s, s.TimeZone(), s.WeekStart())
	}
}

func TestWeekdays(t *testing.T) {
	for day := time.Sunday; day <= time.Saturday; day++ {
		name := strings.ToLower(day.String())
		s := domaintest.Fold[settings.State](settings.WeekStartSet{Day: name})
		if s.FirstWeekday() != day || s.WeekStart() != name {
			t.Errorf("%s: %v, %s", name, s.FirstWeekday(), s.WeekStart())
		}
	}
}

func TestCloneIsApart(t *testing.T) {
	s := domaintest.Fold[settings.State](settings.EntitlementGranted{Entitlement: "import"})
	c := s.Clone()
	c.Apply(settings.EntitlementRevoked{Entitlement: "import"}, domaintest.Start)
	if !s.Entitled("import") || c.Entitled("import") {
		t.Errorf("after revoking in the clone: %v and %v", s.Entitlements, c.Entitlements)
	}
}
