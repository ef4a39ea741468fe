package association_test

import (
	"strings"
	"testing"

	"customercenter/domain"
	"customercenter/domain/association"
	"customercenter/domain/domaintest"
)

type (
	testCase = domaintest.Case[association.State, association.Event]
	events   = []association.Event
	given    = []domain.Event
	when     = func(*association.State) ([]association.Event, error)
)

func TestDecisions(t *testing.T) {
	register := func(channel, account, name string) when {
		return func(s *association.State) ([]association.Event, error) { return s.Register(channel, account, name) }
	}
	rename := func(id int, name string) when {
		return func(s *association.State) ([]association.Event, error) { return s.Rename(id, name) }
	}
	remove := func(id int) when {
		return func(s *association.State) ([]association.Event, error) { return s.Remove(id) }
	}
	const invalid = domain.CodeValidation
	app := association.Registered{Association: 1, Channel: "app", Account: "acme#shop", Name: "Shop"}
	wechat := association.Registered{Association: 2, Channel: "wechat", Account: "gh_1", Name: "公众号"}
	gone := association.Removed{Association: 1}

	domaintest.Run(t, []testCase{
		{Name: "first", When: register("app", " acme#shop ", " Shop "), Then: events{app}},
		{Name: "next", Given: given{app}, When: register("wechat", "gh_1", "公众号"), Then: events{wechat}},
		{
			Name: "ids of removed ones stay taken", Given: given{app, gone},
			When: register("web", "site", "Site"), Then: events{association.Registered{Association: 2, Channel: "web", Account: "site", Name: "Site"}},
		},
		{
			Name: "removed one comes back with its id", Given: given{app, wechat, gone},
			When: register("app", "acme#shop", "Again"), Then: events{association.Registered{Association: 1, Channel: "app", Account: "acme#shop", Name: "Again"}},
		},
		{
			Name: "same account of another channel", Given: given{wechat},
			When: register("weibo", "gh_1", "W"), Then: events{association.Registered{Association: 3, Channel: "weibo", Account: "gh_1", Name: "W"}},
		},
		{Name: "account taken", Given: given{app}, When: register("app", "acme#shop", "Other"), Refused: domain.CodeAssociationExists, At: "account"},
		{Name: "account taken again", Given: given{app, gone, app}, When: register("app", "acme#shop", "Other"), Refused: domain.CodeAssociationExists, At: "account"},
		{Name: "unknown channel", When: register("fax", "1", "Fax"), Refused: invalid, At: "channel"},
		{Name: "no account", When: register("web", " ", "Site"), Refused: invalid, At: "account"},
		{Name: "app without org", When: register("app", "#shop", "Shop"), Refused: invalid, At: "account"},
		{Name: "app without #", When: register("app", "acme", "Shop"), Refused: invalid, At: "account"},
		{Name: "app with two #", When: register("app", "acme#shop#x", "Shop"), Refused: invalid, At: "account"},
		{Name: "app in Chinese", When: register("app", "商城#shop", "Shop"), Refused: invalid, At: "account"},
		{Name: "account too long", When: register("api", strings.Repeat("a", 129), "A"), Refused: invalid, At: "account"},
		{Name: "account with NUL", When: register("api", "a\x00b", "A"), Refused: invalid, At: "account"},
		{Name: "no name", When: register("web", "site", "\u3000"), Refused: invalid, At: "name"},
		{Name: "name too long", When: register("web", "site", strings.Repeat("字", 51)), Refused: invalid, At: "name"},
		{
			Name: "longest name", When: register("web", "site", strings.Repeat("字", 50)),
			Then: events{association.Registered{Association: 1, Channel: "web", Account: "site", Name: strings.Repeat("字", 50)}},
		},

		{Name: "rename", Given: given{app}, When: rename(1, "Store"), Then: events{association.Renamed{Association: 1, Name: "Store"}}},
		{Name: "same name", Given: given{app, association.Renamed{Association: 1, Name: "Store"}}, When: rename(1, " Store")},
		{Name: "rename what never was", Given: given{app}, When: rename(2, "Store"), Refused: domain.CodeNotFound, At: "association_id"},
		{Name: "rename what is gone", Given: given{app, gone}, When: rename(1, "Store"), Refused: domain.CodeAssociationGone, At: "association_id"},
		{Name: "rename to nothing", Given: given{app}, When: rename(1, ""), Refused: invalid, At: "name"},

		{Name: "remove", Given: given{app}, When: remove(1), Then: events{gone}},
		{Name: "remove again", Given: given{app, gone}, When: remove(1)},
		{Name: "remove what never was", When: remove(1), Refused: domain.CodeNotFound, At: "association_id"},
	})
}

func TestActive(t *testing.T) {
	s := domaintest.Fold[association.State](
		association.Registered{Association: 1, Channel: "app", Account: "acme#shop", Name: "Shop"},
		association.Registered{Association: 2, Channel: "web", Account: "site", Name: "Site"},
		association.Renamed{Association: 2, Name: "Page"},
		association.Removed{Association: 1},
	)
	if a, err := s.Active(2); err != nil || a.Name != "Page" || a.Channel != "web" {
		t.Errorf("Active(2) = %+v, %v", a, err)
	}
	for id, code := range map[int]string{1: domain.CodeAssociationGone, 3: domain.CodeNotFound} {
		if a, err := s.Active(id); err == nil || err.(*domain.Refusal).Code != code {
			t.Errorf("Active(%d) = %+v, %v, want %s", id, a, err, code)
		}
	}
	if a, found := s.Find(1); !found || !a.Removed {
		t.Errorf("Find(1) = %+v, %v", a, found)
	}
}

func TestCloneIsApart(t *testing.T) {
	s := domaintest.Fold[association.State](association.Registered{Association: 1, Channel: "web", Account: "site", Name: "Site"})
	c := s.Clone()
	c.Apply(association.Renamed{Association: 1, Name: "Other"}, domaintest.Start)
	c.Apply(association.Registered{Association: 2, Channel: "web", Account: "b", Name: "B"}, domaintest.Start)
	if a, _ := s.Find(1); a.Name != "Site" || len(s.All) != 1 {
		t.Errorf("the clone's events reached the original: %+v", s.All)
	}
}
