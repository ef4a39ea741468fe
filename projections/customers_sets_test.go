package projections

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/session"
	"customercenter/domain/suppressed"
	"customercenter/eventstore"
	"customercenter/projections/projectionstest"
	"customercenter/projections/projector"
)

// fed is a store whose customers are fed until the test ends.
type fed struct {
	t         *testing.T
	store     *eventstore.Store
	projector *projector.Projector
	versions  map[string]int64
	head      int64
	at        time.Time
}

func newFed(t *testing.T) *fed {
	t.Helper()
	store := projectionstest.Store(t, "acme")
	p, err := projector.New(projector.Config{Store: store, Definitions: []projector.Definition{CustomersDefinition()}, Sweep: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.EnsureBuilt(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &fed{t: t, store: store, projector: p, versions: map[string]int64{}, at: time.Now().Add(-time.Hour)}
}

// append writes events of one stream, one by one, each a second after the one before.
func (f *fed) append(stream string, of uuid.UUID, payloads ...any) {
	f.t.Helper()
	for _, payload := range payloads {
		f.at = f.at.Add(time.Second)
		a := eventstore.Append{
			Tenant: "acme", ID: uuid.New(), Now: time.Now(), Actor: eventstore.Actor{Kind: "system", ID: "test"},
			Streams: []eventstore.StreamAppend{{Stream: stream, Version: f.versions[stream], Events: []eventstore.NewEvent{{Payload: payload, Customer: of, OccurredAt: f.at}}}},
		}
		if created, ok := payload.(customer.Created); ok {
			a.NewCustomers = []eventstore.NewCustomer{{ID: of, Generation: created.Generation}}
		}
		done, err := f.store.Append(f.t.Context(), a)
		if err != nil {
			f.t.Fatal(err)
		}
		f.versions[stream]++
		f.head = done.Last
	}
}

func (f *fed) sync() projector.Build {
	f.t.Helper()
	f.projector.Ring("acme", f.head)
	if served, fresh, err := f.projector.WaitFor(f.t.Context(), CustomersName, "acme", f.head, 30*time.Second); err != nil || !fresh {
		f.t.Fatalf("served %d of %d, %v", served, f.head, err)
	}
	b, err := f.projector.Live(f.t.Context(), CustomersName)
	if err != nil {
		f.t.Fatal(err)
	}
	return b
}

// members reads who is in which set of a table of bits.
func (f *fed) members(schema, table, key string) map[int64][]int64 {
	f.t.Helper()
	rows, err := f.store.Pool().Query(f.t.Context(), in(schema, `select `+key+`, bucket::bigint * 16384 + n from $.`+table+`, generate_series(0, 16383) n
		where tenant = 'acme' and get_bit(bits, n) = 1 order by 2`))
	if err != nil {
		f.t.Fatal(err)
	}
	of := map[int64][]int64{}
	var set, ordinal int64
	if _, err := pgx.ForEachRow(rows, []any{&set, &ordinal}, func() error { of[ordinal] = append(of[ordinal], set); return nil }); err != nil {
		f.t.Fatal(err)
	}
	return of
}

// named are sets under the names that tests know them by.
func named(tag uuid.UUID) map[int64]string {
	names := map[int64]string{facet(facetTag, tag.String()): "tag"}
	for _, step := range sessionSteps {
		names[facet(facetSessions, fmt.Sprint(step))] = fmt.Sprint("sessions ", step)
	}
	for period := periodOf(time.Now()) - 1; period <= periodOf(time.Now())+1; period++ {
		names[shortFacet(period)], names[longFacet(longOf(period))] = "period", "long period"
	}
	for _, kind := range []facetKind{facetLive, facetBlacklisted, facetOpen, facetServed} {
		names[facet(kind, "")] = string(kind)
	}
	for kind, values := range map[facetKind][]string{
		facetChannel: {"app", "web"}, facetAssociation: {"1", "2"}, facetCreatedVia: {"inbound", "api", "import"}, facetRatingLast: {"1", "2", "3", "4", "5"},
		facetRated: {"1", "2", "3", "4", "5"},
		facetAgent: {"a1", "a2"}, facetLastAgent: {"a1", "a2"},
		facetSet: {"nickname", "name", "phone", "qq", "wechat_id", "email", "company", "description", "custom.level", "custom.likes", "custom.size", "custom.age"},
	} {
		for _, value := range values {
			names[facet(kind, value)] = string(kind) + " " + value
		}
	}
	for _, option := range []string{"level o1", "level o2", "likes o1", "likes o3", "size o7"} {
		key, id, _ := strings.Cut(option, " ")
		names[facetCustomOption(key, id)] = "option " + option
	}
	return names
}

// want fails if the customer of an ordinal is in other sets than these.
func (f *fed) want(ordinal int64, names map[int64]string, want ...string) {
	f.t.Helper()
	var got []string
	for _, set := range f.members(f.sync().Schema, "customer_bits", "facet")[ordinal] {
		got = append(got, cmp.Or(names[set], "unknown"))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		f.t.Fatalf("in the sets %q, want %q", got, want)
	}
}

func TestSetsFollowWhatHappens(t *testing.T) {
	f := newFed(t)
	id, first, second, tag := uuid.New(), uuid.New(), uuid.New(), uuid.New()
	names := named(tag)
	own, talk := customer.Stream(id), session.Stream(first)
	want := func(sets ...string) { t.Helper(); f.want(1, names, sets...) }

	f.append(own, id, customer.Created{
		Association: 1, Channel: "app", ExternalID: "visitor", Via: "inbound", Generation: 1, Tags: []uuid.UUID{tag},
		Profile: customer.Profile{Nickname: "王小明", Phone: "138", Custom: map[string]any{"level": "o1", "likes": []any{"o1", "o3"}, "size": "XL", "age": "41"}},
	})
	always := []string{"live", "channel app", "association 1", "created_via inbound", "set nickname"}
	custom := []string{"set custom.level", "set custom.likes", "set custom.size", "set custom.age", "option level o1", "option likes o1", "option likes o3"}
	begun := slices.Concat(always, custom, []string{"set phone"})
	want(append(slices.Clone(begun), "tag")...)

	f.append(own, id, customer.Untagged{Tag: tag}, customer.Untagged{Tag: tag})
	want(begun...)
	f.append(own, id, customer.Tagged{Tag: tag}, customer.Tagged{Tag: tag}, customer.Untagged{Tag: tag})
	want(begun...)

	change := func(key string, from, to any) customer.ProfileChanged {
		return customer.ProfileChanged{Fields: map[string]customer.Change{key: {Old: from, New: to}}}
	}
	f.append(own, id, change("phone", "138", nil), change("company", nil, "ACME"))
	want(slices.Concat(always, custom, []string{"set company"})...)
	for _, field := range []string{"name", "qq", "wechat_id", "email", "description"} {
		f.append(own, id, change(field, nil, "x"))
	}
	f.append(own, id, change("company", "ACME", nil))
	full := slices.Concat(always, []string{"set name", "set qq", "set wechat_id", "set email", "set description"})
	want(slices.Concat(full, custom)...)
	f.append(own, id, change("custom.level", "o1", "o2"), change("custom.likes", []any{"o1", "o3"}, []any{"o3"}), change("custom.size", "XL", nil), change("custom.age", "41", "42"))
	full = append(full, "set custom.level", "set custom.likes", "set custom.age", "option level o2", "option likes o3")
	want(full...)

	f.append(own, id, customer.Blacklisted{Reason: "spam"})
	want(append(slices.Clone(full), "blacklisted")...)
	f.append(suppressed.Stream(id), id, suppressed.MessageRecorded{Message: "m", Kind: session.KindText, Text: "?"})
	f.append(own, id, customer.Unblacklisted{Cause: customer.CauseManual})
	want(full...)

	f.append(own, id, customer.SessionOpened{Session: first, Initiator: domain.PartyCustomer})
	f.append(talk, id, session.Started{Customer: id, Association: 1, Channel: "app", Initiator: domain.PartyCustomer})
	full = append(full, "sessions 1", "period", "long period")
	want(append(slices.Clone(full), "open")...)
	f.append(talk, id, session.MessageRecorded{Message: "m", Sender: session.Sender{Kind: domain.PartyCustomer}, Kind: session.KindText, Text: "?"}, session.Accepted{Agent: "a1"})
	full = append(full, "served", "agent a1")
	want(append(slices.Clone(full), "open", "last_agent a1")...)
	f.append(talk, id, session.Transferred{From: "a1", To: "a2"})
	f.append(own, id, customer.SessionClosed{Session: second}) // another one
	full = append(full, "agent a2")
	want(append(slices.Clone(full), "open", "last_agent a2")...)
	f.append(talk, id, session.Closed{By: domain.PartyAgent})
	f.append(own, id, customer.SessionClosed{Session: first})
	f.append(talk, id, session.Rated{Score: 5})
	full = append(full, "rated 5")
	want(append(slices.Clone(full), "last_agent a2", "rating_last 5")...)
	f.append(talk, id, session.Rated{Score: 2})
	f.at = f.at.Add(-time.Minute)
	f.append(talk, id, session.Rated{Score: 4}) // heard of late
	full = append(full, "rated 2", "rated 4")
	want(append(slices.Clone(full), "last_agent a2", "rating_last 2")...)
	f.append(own, id, customer.SessionOpened{Session: second, Initiator: domain.PartyAgent}, customer.Blacklisted{Reason: "spam"})
	f.append(session.Stream(second), id, session.Started{Customer: id, Association: 1, Channel: "app", Initiator: domain.PartyAgent}, session.Accepted{Agent: "a1"})
	full = append(full, "sessions 2")
	want(append(slices.Clone(full), "open", "blacklisted", "last_agent a1", "rating_last 2")...)

	f.append(own, id, customer.Created{Association: 1, Channel: "app", ExternalID: "visitor", Via: "api", Generation: 2})
	want()
	f.want(2, names, "live", "channel app", "association 1", "created_via api")
	for _, sets := range f.members(f.sync().Schema, "customer_gram_bits", "gram") {
		t.Errorf("the characters %v of the life before are left", sets)
	}
	f.sameAsRebuilt()

	// The end of a life that no other one follows leaves nothing; the next one has a place of its own.
	f.append(own, id, customer.Created{
		Association: 1, Channel: "app", ExternalID: "visitor", Via: "import", Import: uuid.New(), Generation: 3, Tags: []uuid.UUID{tag},
		Profile: customer.Profile{Nickname: "王小明", Phone: "138", Custom: map[string]any{"level": "o1", "likes": []any{"o1", "o3"}, "size": "XL", "age": "41"}},
	})
	imported := slices.DeleteFunc(slices.Clone(begun), func(set string) bool { return set == "created_via inbound" })
	f.want(3, names, append(imported, "created_via import", "tag")...)
	f.append(own, id, customer.Withdrawn{})
	f.want(3, names)
	b := f.sync()
	for _, sets := range f.members(b.Schema, "customer_gram_bits", "gram") {
		t.Errorf("the characters %v of who was withdrawn are left", sets)
	}
	for _, table := range []string{"customer", "customer_activity", "customer_text", "customer_bits", "customer_gram_bits"} {
		var rows int
		if err := f.store.Pool().QueryRow(t.Context(), in(b.Schema, `select count(*) from $.`+table)).Scan(&rows); err != nil || rows != 0 {
			t.Errorf("in %s %d rows are left of who was withdrawn, %v", table, rows, err)
		}
	}
	f.sameAsRebuilt()
	f.append(own, id, customer.Created{Association: 1, Channel: "app", ExternalID: "visitor", Via: "inbound", Generation: 4, Profile: customer.Profile{Nickname: "王"}})
	f.want(4, names, always...)
	f.sameAsRebuilt()
}

func TestCharactersAndTermsFollowTheNames(t *testing.T) {
	f := newFed(t)
	id := uuid.New()
	f.append(customer.Stream(id), id, customer.Created{
		Association: 1, Channel: "app", ExternalID: "wx_9", Via: "inbound", Generation: 1, Profile: customer.Profile{Nickname: "ＡＢ", Name: "王 小王", Phone: "138"},
	})
	want := func(want customerTextRow, grams ...int64) {
		t.Helper()
		b := f.sync()
		got := f.members(b.Schema, "customer_gram_bits", "gram")[1]
		slices.Sort(got)
		slices.Sort(grams)
		if !slices.Equal(got, grams) {
			t.Errorf("in the sets %v of characters, want %v", got, grams)
		}
		var is customerTextRow
		err := f.store.Pool().QueryRow(t.Context(), in(b.Schema, `select ordinal, external_id, nickname, name, phone, company, terms from $.customer_text`)).
			Scan(&is.Ordinal, &is.ExternalID, &is.Nickname, &is.Name, &is.Phone, &is.Company, &is.Terms)
		if err != nil {
			t.Fatal(err)
		}
		want.Ordinal, want.ExternalID = 1, "wx_9"
		want.Terms = termsOf("acme", &want)
		if !reflect.DeepEqual(is, want) {
			t.Errorf("the texts are %+v, want %+v", is, want)
		}
	}
	want(customerTextRow{Nickname: "ab", Name: "王 小王", Phone: "138"},
		gram(gramExternalID, '_'), gram(gramNickname, 'a'), gram(gramNickname, 'b'), gram(gramName, '王'), gram(gramName, '小'))
	f.append(customer.Stream(id), id, customer.ProfileChanged{Fields: map[string]customer.Change{
		"nickname": {Old: "ＡＢ", New: "BC"}, "name": {Old: "王 小王", New: nil}, "phone": {Old: "138", New: "139"}, "company": {New: "ＡＣＭＥ"},
	}})
	want(customerTextRow{Nickname: "bc", Phone: "139", Company: "acme"}, gram(gramExternalID, '_'), gram(gramNickname, 'b'), gram(gramNickname, 'c'),
		gram(gramCompany, 'a'), gram(gramCompany, 'c'), gram(gramCompany, 'm'), gram(gramCompany, 'e'))
	f.sameAsRebuilt()
}

// sameAsRebuilt rebuilds and compares.
func (f *fed) sameAsRebuilt() {
	f.t.Helper()
	b, err := f.projector.Rebuild(f.t.Context(), CustomersName, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	differences, err := f.projector.Compare(f.t.Context(), CustomersName, b.ID)
	if err != nil || len(differences) > 0 {
		f.t.Fatalf("live and rebuilt differ: %+v, %v", differences, err)
	}
}

// What is in the sets is what the rows say, whatever happened to whom, and in which batches; a rebuild gives the same.
func TestSetsAreWhatTheRowsSay(t *testing.T) {
	f := newFed(t)
	world := projectionstest.NewWorld(t, f.store, "acme", 7, 20)
	for range 15 {
		world.Run(200)
		if n := len(world.Customers); n > 0 {
			world.Recreate(world.Customers[n/2], "重生")
		}
	}
	f.head = world.Head()
	b := f.sync()
	rows, err := f.store.Pool().Query(t.Context(), in(b.Schema, `select c.ordinal, c.association, c.channel, c.created_via, c.tags, c.nickname, c.name, c.phone, c.company, c.external_id,
			a.last_session_at, a.open_session, a.agents, a.last_agent, a.rating_last, a.rating_scores, a.session_count, l.customer is not null
		from $.customer c join $.customer_activity a using (tenant, id) left join $.customer_listing l on l.tenant = c.tenant and l.customer = c.id`))
	if err != nil {
		t.Fatal(err)
	}
	sets, grams := map[int64][]int64{}, map[int64][]int64{}
	var c customerRow
	var a customerActivityRow
	var listed bool
	_, err = pgx.ForEachRow(rows, []any{&c.Ordinal, &c.Association, &c.Channel, &c.Via, &c.Tags, &c.Profile.Nickname, &c.Profile.Name, &c.Profile.Phone, &c.Profile.Company, &c.ExternalID,
		&a.LastSessionAt, &a.OpenSession, &a.Agents, &a.LastAgent, &a.RatingLast, &a.RatingScores, &a.Sessions, &listed}, func() error {
		c.Custom = noCustom
		fields, err := fieldFacets(&c)
		done, err2 := activityFacets(&a)
		if listed {
			done = append(done, facet(facetBlacklisted, ""))
		}
		sets[c.Ordinal] = slices.Concat(identityFacets(&c), tagFacets(c.Tags), fields, done)
		texts := foldedText(&c)
		grams[c.Ordinal] = textGrams(&texts)
		return errors.Join(err, err2)
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(sets) < 50 {
		t.Fatalf("only %d customers", len(sets))
	}
	for table, want := range map[string]map[int64][]int64{"customer_bits.facet": sets, "customer_gram_bits.gram": grams} {
		name, key, _ := strings.Cut(table, ".")
		got := f.members(b.Schema, name, key)
		for _, m := range []map[int64][]int64{want, got} {
			for ordinal := range m {
				slices.Sort(m[ordinal])
			}
		}
		if !maps.EqualFunc(got, want, slices.Equal) {
			for ordinal := range want {
				if !slices.Equal(got[ordinal], want[ordinal]) {
					t.Errorf("%s of customer %d: %v, want %v", table, ordinal, got[ordinal], want[ordinal])
				}
			}
			t.Fatalf("%s holds %d customers, want %d", table, len(got), len(want))
		}
	}
	f.sameAsRebuilt()
}

// A fold that cannot read what is written leaves the customer parked.
func TestUnreadableRowsLeaveTheCustomerParked(t *testing.T) {
	f := newFed(t)
	id := uuid.New()
	own := customer.Stream(id)
	f.append(own, id, customer.Created{Association: 1, Channel: "app", ExternalID: "visitor", Via: "inbound", Generation: 1, Profile: customer.Profile{Nickname: "王"}})
	b := f.sync()
	for _, sql := range []string{
		in(b.Schema, `update $.customer_activity set agents = '{"not": "a list"}'`),
		`update projection_checkpoints set revision = revision + 1`, // so that nobody goes on with the rows in memory
	} {
		if _, err := f.store.Pool().Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	first := uuid.New()
	f.append(own, id, customer.SessionOpened{Session: first, Initiator: domain.PartyCustomer})
	f.append(session.Stream(first), id, session.Started{Customer: id, Association: 1, Channel: "app", Initiator: domain.PartyCustomer}, session.Accepted{Agent: "a1"})
	f.sync()
	parked := func() int {
		t.Helper()
		parked, err := f.projector.Parked(t.Context(), CustomersName, "acme")
		if err != nil {
			t.Fatal(err)
		}
		return len(parked)
	}
	if n := parked(); n != 1 {
		t.Fatalf("%d customers are parked", n)
	}
	if n, err := f.projector.Retry(t.Context(), CustomersName, "acme", id); n != 0 || err == nil || !strings.Contains(err.Error(), "agents") {
		t.Errorf("folded anew in %d builds, %v", n, err)
	}
	if n := parked(); n != 1 {
		t.Errorf("%d customers are parked", n)
	}
	if _, err := f.store.Pool().Exec(t.Context(), in(b.Schema, `update $.customer_activity set agents = '[]'`)); err != nil {
		t.Fatal(err)
	}
	if n, err := f.projector.Retry(t.Context(), CustomersName, "acme", id); n != 1 || err != nil {
		t.Fatalf("folded anew in %d builds, %v", n, err)
	}
	f.want(1, named(uuid.Nil), "live", "channel app", "association 1", "created_via inbound", "set nickname", "open", "sessions 1", "period", "long period", "served", "agent a1", "last_agent a1")
	f.sameAsRebuilt()
}
