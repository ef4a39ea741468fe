package bench

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/projections"
)

// question is one page that is asked for, of the product and plainly.
type question struct {
	filter string // of the filter language; empty for everybody
	sort   string
	cursor string
	served string // an agent, who sees only those whom they served

	where  string
	args   []any
	order  string // empty: created_at desc
	offset int
}

// kind is a kind of questions. Its i-th question is always the same.
type kind struct {
	name string
	ask  func(i int) question
}

func always(name string, q question) kind { return kind{name, func(int) question { return q }} }

// each asks with one needle after the other.
func each(name string, needles []string, ask func(needle string) condition) kind {
	return kind{name, func(i int) question { return ask(needles[i%len(needles)]).question() }}
}

// kinds are the questions, newest first unless they say otherwise.
func (b *listBench) kinds() []kind {
	kinds := slices.Concat(b.setKinds(), b.textKinds(), b.activityKinds(), b.mixedKinds(), b.sortedKinds())
	return slices.DeleteFunc(kinds, func(k kind) bool { return !strings.Contains(k.name, b.Kinds) })
}

// tag is a tag by how common it is; 1 is the most common.
func (b *listBench) tag(rank int) uuid.UUID {
	return b.needles.tags[min(rank, len(b.needles.tags))-1]
}

func (b *listBench) pair(i int) string { return b.needles.pairs[i%len(b.needles.pairs)] }

func (b *listBench) setKinds() []kind {
	week := is("created_at", "in", map[string]string{"period": "this_week"}, "(created_at >= ? and created_at < ?)", b.week, b.week.AddDate(0, 0, 7))
	kinds := []kind{
		always("created this week", week.question()),
		always("everybody", everybody()),
		{"everybody, a page from the middle", func(i int) question {
			q := everybody()
			deep := b.deep[i%len(b.deep)]
			q.cursor, q.offset = deep.cursor, deep.offset
			return q
		}},
		always("created in a month half a year ago", created(b.at.AddDate(0, -6, 0), b.at.AddDate(0, -5, 0)).question()),
		always("channel", channel(domain.ChannelWeibo).question()),
		always("association", is("association", "in", []int{4}, "association = 4").question()),
		always("tag, common", tagged("has_any", b.tag(1)).question()),
		always("tag, rare", tagged("has_any", b.tag(catalogueTags)).question()),
		always("two tags, both common", tagged("has_all", b.tag(1), b.tag(2)).question()),
		always("two tags, one rare", tagged("has_all", b.tag(1), b.tag(catalogueTags-1)).question()),
		always("one of three rare tags", tagged("has_any", b.tag(190), b.tag(195), b.tag(200)).question()),
		always("without a common tag", tagged("has_none", b.tag(1)).question()),
		always("on the blacklist", blacklisted(true, b.at).question()),
		always("session open", is("session_open", "is", true, "session_open").question()),
		always("name set, phone not", all(is("name", "is_set", nil, "name <> ''"), is("phone", "not_set", nil, "phone = ''")).question()),
		always("last agent", is("last_agent", "in", []string{"agent-39"}, "last_agent = 'agent-39'").question()),
		always("served by an agent", question{served: "agent-38", where: "agents @> array['agent-38']"}),
	}
	for _, name := range []string{groupRegulars, groupQuiet, groupTagged, groupNoPhone} {
		if b.Ungrouped {
			break
		}
		rule := b.year.rules(b.wound)[name]
		rule.json = is("groups", "has_any", []uuid.UUID{b.groups[name]}, "").json
		kinds = append(kinds, always("group: "+name, rule.question()))
		if name == groupNoPhone {
			kinds = append(kinds, always("group and tag", all(rule, tagged("has_any", b.tag(2))).question()))
		}
	}
	return kinds
}

func (b *listBench) textKinds() []kind {
	n := b.needles
	return []kind{
		each("text: 1 character, common", n.surnames, called),
		each("text: 1 character, rare", n.rare, called),
		each("text: 1 character, nobody's", []string{"龘", "靐", "齉"}, called),
		each("text: 1 Latin letter", []string{"a", "k", "z"}, called),
		each("text: 2 characters of names", n.pairs, called),
		each("text: 2 characters, common", []string{"小猪", "快乐", "平安", "月亮"}, called),
		each("text: 2 common characters that never meet", []string{"伟王", "娜李", "敏张", "静刘"}, called),
		each("text: 3 characters", n.triples, called),
		each("text: 4 characters, nobody's", []string{"往事如烟", "岁月如歌", "王小明明"}, called),
		each("text: Latin name", n.latin, called),
		each("text: Latin, nobody's", []string{"zzqx", "qwxz"}, called),
		each("text: emoji", []string{"🌸", "🐱", "💪🏻"}, called),
		each("text: anywhere, 2 characters", n.pairs, func(needle string) condition {
			return is("any_text", "contains", needle, "(nickname ilike ? or name ilike ? or external_id ilike ?)", like(needle), like(needle), like(needle))
		}),
		each("id: 4 characters", n.ids, func(s string) condition { return contains("external_id", s) }),
		each("id: what many begin with", []string{"webim-visitor-", "user-", "wang_"}, func(s string) condition {
			return is("external_id", "starts_with", s, "external_id ilike ?", begins(s))
		}),
		each("id: nobody's", []string{"zzqxj0", "qqqwz9"}, func(s string) condition { return contains("external_id", s) }),
		each("phone: 4 digits", n.digits, func(s string) condition { return contains("phone", s) }),
		each("phone: the whole number", n.phones, func(s string) condition { return is("phone", "eq", s, "phone = ?", s) }),
		each("company: 2 characters", []string{"华信", "云帆"}, func(s string) condition { return contains("company", s) }),
		each("company: nobody's", []string{"从不存在"}, func(s string) condition { return contains("company", s) }),
	}
}

// activityKinds ask for what is no set.
func (b *listBench) activityKinds() []kind {
	ago := func(days int) time.Time { return b.at.Add(-time.Duration(days) * 24 * time.Hour) }
	return []kind{
		always("2 sessions or more", is("session_count", "gte", 2, "session_count >= 2").question()),
		always("20 sessions or more", is("session_count", "gte", 20, "session_count >= 20").question()),
		always("rated 2 or worse", is("rating_avg", "lte", 2, "(rating_count > 0 and rating_sum <= 2 * rating_count)").question()),
		always("last session within 7 days", is("last_session_at", "within", map[string]int{"days": 7}, "last_session_at >= ?", ago(7)).question()),
		always("last session over 300 days ago", is("last_session_at", "older_than", map[string]int{"days": 300},
			"(last_session_at > '0002-01-01' and last_session_at < ?)", ago(300)).question()),
		always("changed within a day", is("updated_at", "within", map[string]int{"days": 1}, "updated_at >= ?", ago(1)).question()),
	}
}

func (b *listBench) mixedKinds() []kind {
	return []kind{
		{"tag, channel and 2 characters", func(i int) question {
			return all(tagged("has_any", b.tag(1)), channel(domain.ChannelApp), called(b.pair(i))).question()
		}},
		always("rare tag and 1 character", all(tagged("has_any", b.tag(150)), called("王")).question()),
		always("tag and Latin name", all(tagged("has_any", b.tag(3)), called("smith")).question()),
		{"channel, month and a piece of an id", func(i int) question {
			return all(channel(domain.ChannelApp), created(b.at.AddDate(0, -6, 0), b.at.AddDate(0, -5, 0)), contains("external_id", b.needles.ids[i%len(b.needles.ids)])).question()
		}},
		{"rare tag or 2 characters", func(i int) question {
			return either(tagged("has_any", b.tag(200)), called(b.pair(i))).question()
		}},
		always("not the tag, one channel, not blacklisted", all(not(tagged("has_any", b.tag(1))), channel(domain.ChannelWechat), blacklisted(false, b.at)).question()),
		always("tag and 3 sessions or more", all(tagged("has_any", b.tag(2)), is("session_count", "gte", 3, "session_count >= 3")).question()),
		always("rare tag and rated 3 or worse", all(tagged("has_any", b.tag(180)), is("rating_avg", "lte", 3, "(rating_count > 0 and rating_sum <= 3 * rating_count)")).question()),
		{"one of everything", func(i int) question {
			return all(either(called(b.pair(i)), called("王")), not(tagged("has_any", b.tag(1), b.tag(2))), channel(domain.ChannelWechat),
				is("session_count", "gte", 2, "session_count >= 2"), created(b.at.AddDate(0, -9, 0), b.at)).question()
		}},
	}
}

func (b *listBench) sortedKinds() []kind {
	common, rare := tagged("has_any", b.tag(1)).question(), tagged("has_any", b.tag(catalogueTags)).question()
	latest := func(q question) question { return q.sorted(projections.SortLastSessionDesc, "last_session_at desc") }
	return []kind{
		always("by last session: everybody", latest(everybody())),
		always("by last session: tag, common", latest(common)),
		always("by last session: tag, rare", latest(rare)),
		{"by last session: 2 characters", func(i int) question { return latest(called(b.pair(i)).question()) }},
		always("by last change: channel", channel(domain.ChannelWeibo).question().sorted(projections.SortUpdatedDesc, "updated_at desc")),
		always("by nickname: everybody", everybody().sorted(projections.SortNickname, "nickname_key")),
		always("by nickname: two tags", tagged("has_all", b.tag(1), b.tag(2)).question().sorted(projections.SortNickname, "nickname_key")),
		always("by nickname: 1 character, common", called("王").question().sorted(projections.SortNickname, "nickname_key")),
		always("oldest first: tag, rare", rare.sorted(projections.SortCreated, "created_at")),
	}
}
