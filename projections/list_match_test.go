package projections

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"customercenter/domain"
	"customercenter/domain/association"
	"customercenter/domain/customer"
	"customercenter/domain/field"
	"customercenter/domain/filter"
	"customercenter/domain/filter/filtertest"
	"customercenter/domain/session"
	"customercenter/domain/suppressed"
	"customercenter/domain/tag"
	"customercenter/eventstore"
	"customercenter/projections/projectionstest"
	"customercenter/projections/projector"
)

// optionIDs are ids of options as the catalogue makes them, for those of package filtertest.
var optionIDs = func() map[string]string {
	ids := map[string]string{}
	for i, name := range []string{"gold", "silver", "bronze", "cn", "sh", "bj", "pd"} {
		ids[name] = fmt.Sprint("o", i+1)
	}
	return ids
}()

// population is a list whose customers are known as subjects, in the order of their ordinals.
type population struct {
	store     *eventstore.Store
	builds    Builds
	customers *Customers
	subjects  []*filter.Subject // nil for who was withdrawn: nobody has that ordinal any more
	keys      [][]byte          // of nicknames
}

// recorded is an event in the making.
type recorded struct {
	at       time.Time
	customer uuid.UUID
	stream   string
	occurred time.Time
	payload  any
}

// newPopulation writes the histories of drawn customers among many plain ones, so that there are several buckets, and builds the read model.
func newPopulation(t *testing.T, drawn, plain int) *population {
	t.Helper()
	p := &population{store: projectionstest.Store(t, tenantOfList)}
	subject := rapid.Custom(filtertest.Subject)
	for i := range drawn {
		s := subject.Example(i)
		s.ID = uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, "drawn", i))
		p.subjects = append(p.subjects, s)
	}
	from, to := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)
	for i := range plain {
		at := from.Add(to.Sub(from) / time.Duration(plain) * time.Duration(i))
		s := &filter.Subject{
			ID: uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, "plain", i)), Association: 4, Channel: domain.ChannelWeibo, ExternalID: fmt.Sprint("plain-", i),
			Nickname: fmt.Sprint("路人", i%100), CreatedVia: customer.ViaInbound, CreatedAt: at, UpdatedAt: at,
		}
		if i%3 == 0 {
			s.Custom = map[string]filter.Value{filtertest.Score: {Number: filter.Decimal(strconv.Itoa(i % 40))}}
		}
		p.subjects = append(p.subjects, s)
	}
	ends := p.withdrawn(subject, drawn, from, to)
	slices.SortStableFunc(p.subjects, func(a, b *filter.Subject) int { return a.CreatedAt.Compare(b.CreatedAt) })

	var log []recorded
	for i, name := range []string{"a", "b", "c", "d", "e", "gone"} {
		log = append(log, recorded{at: from.AddDate(-1, 0, 0), stream: tag.Stream, payload: tag.Created{Tag: filtertest.Tags[i], Name: name}})
	}
	log = append(log, recorded{at: from.AddDate(-1, 0, 0), stream: tag.Stream, payload: tag.Deleted{Tag: filtertest.Tags[5]}})
	for i := range 4 {
		log = append(log, recorded{at: from.AddDate(-1, 0, 0), stream: association.Stream,
			payload: association.Registered{Association: i + 1, Channel: domain.ChannelApp, Account: fmt.Sprint("account ", i), Name: fmt.Sprint(i)}})
	}
	for _, key := range slices.Sorted(maps.Keys(typesOfList)) {
		added := field.Added{Field: key, Type: typesOfList[key], Label: key}
		if added.Type == field.TypeSelect || added.Type == field.TypeCascade {
			for _, id := range optionIDs {
				added.Options = append(added.Options, field.Option{ID: id, Label: id})
			}
		}
		log = append(log, recorded{at: from.AddDate(-1, 0, 0), stream: field.Stream, payload: added})
	}
	for i, s := range p.subjects {
		until, withdrawn := ends[s]
		if !withdrawn {
			log = append(log, life(s)...)
			continue
		}
		p.subjects[i] = nil
		made := life(s)[0]
		by := uuid.NewSHA1(s.ID, []byte("import"))
		created := made.payload.(customer.Created)
		created.Via, created.Import = customer.ViaImport, by
		made.payload = created
		log = append(log, made, recorded{at: until, customer: s.ID, stream: made.stream, payload: customer.Withdrawn{Import: by}})
	}
	slices.SortStableFunc(log, func(a, b recorded) int { return a.at.Compare(b.at) })
	versions, lives := map[string]int64{}, map[uuid.UUID]int{}
	err := p.store.Load(t.Context(), tenantOfList, func(yield func(eventstore.Past) bool) {
		for _, e := range log {
			a := eventstore.Append{ID: uuid.New(), Now: e.at, Actor: eventstore.Actor{Kind: "system", ID: "test"}}
			if created, ok := e.payload.(customer.Created); ok {
				lives[e.customer]++
				created.Generation = lives[e.customer]
				e.payload = created
				a.NewCustomers = []eventstore.NewCustomer{{ID: e.customer, Generation: created.Generation}}
			}
			a.Streams = []eventstore.StreamAppend{{Stream: e.stream, Version: versions[e.stream],
				Events: []eventstore.NewEvent{{Payload: e.payload, Customer: e.customer, OccurredAt: e.occurred}}}}
			versions[e.stream]++
			if !yield(eventstore.Past{Append: a, At: e.at}) {
				return
			}
		}
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	run, err := projector.New(projector.Config{Store: p.store, Definitions: []projector.Definition{CustomersDefinition()}})
	if err != nil {
		t.Fatal(err)
	}
	if err := run.EnsureBuilt(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	p.builds = run
	order := newNicknameOrder()
	for _, s := range p.subjects {
		if s == nil {
			p.keys = append(p.keys, nil)
			continue
		}
		s.Tags = slices.DeleteFunc(s.Tags, func(id uuid.UUID) bool { return id == filtertest.Tags[5] })
		s.Fold()
		p.keys = append(p.keys, order.key(s.Nickname))
	}
	p.customers = NewCustomers(p.store, run, NewCatalogues(p.store)).withGroups(p.groups(t), nil)
	p.customers.patience = time.Hour // what a busy machine does in less is not to be tested here
	p.customers.together = 0         // the groups stay where they are
	return p
}

// withdrawn adds customers whom an import makes and who are withdrawn, and says when. Every fourth of the first comes back as one of the others.
func (p *population) withdrawn(subject *rapid.Generator[*filter.Subject], drawn int, from, to time.Time) map[*filter.Subject]time.Time {
	ends := map[*filter.Subject]time.Time{}
	for i := range drawn {
		s := subject.Example(drawn + i)
		s.ID = uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, "withdrawn", i))
		until := s.CreatedAt.Add(time.Duration(i) * time.Hour)
		if back := p.subjects[i]; i%4 == 0 && back.CreatedAt.After(s.CreatedAt) {
			s.ID, until = back.ID, s.CreatedAt.Add(back.CreatedAt.Sub(s.CreatedAt)/2)
		}
		p.subjects = append(p.subjects, s)
		ends[s] = until
	}
	// And some all along, so that every bucket has places of nobody.
	const all = 300
	for i := range all {
		at := from.Add(to.Sub(from) / all * time.Duration(i))
		s := &filter.Subject{
			ID: uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, "withdrawn plain", i)), Association: 4, Channel: domain.ChannelWeibo, ExternalID: fmt.Sprint("plain-x", i),
			Nickname: fmt.Sprint("路人", i), CreatedAt: at, UpdatedAt: at,
		}
		p.subjects = append(p.subjects, s)
		ends[s] = at.Add(time.Minute)
	}
	return ends
}

const tenantOfList = "acme"

// typesOfList are the types of the custom fields of package filtertest.
var typesOfList = map[string]string{filtertest.Select: field.TypeSelect, filtertest.Cascade: field.TypeCascade, filtertest.Note: field.TypeText,
	filtertest.Score: field.TypeNumber, filtertest.Date: field.TypeDate}

// sortsOfList are all orders of the list.
func sortsOfList() []string {
	sorts := Sorts()
	for _, key := range []string{filtertest.Note, filtertest.Score, filtertest.Date} {
		sorts = append(sorts, field.Prefix+key, "-"+field.Prefix+key)
	}
	return sorts
}

// life is the history of a customer, who is changed where no history could make them.
func life(s *filter.Subject) (log []recorded) {
	at := s.CreatedAt
	add := func(stream string, occurred time.Time, payload any) {
		log = append(log, recorded{at, s.ID, stream, occurred, payload})
	}
	own := customer.Stream(s.ID)
	custom := map[string]any{}
	for key, v := range s.Custom {
		switch {
		case v.Text != "":
			custom[key] = v.Text
		case v.Date != "":
			custom[key] = v.Date
		case v.Number != "":
			custom[key] = string(v.Number)
		case key == filtertest.Select && len(v.Options) == 1:
			custom[key] = optionIDs[v.Options[0]]
		default:
			var options []any
			for _, option := range v.Options {
				options = append(options, optionIDs[option])
			}
			custom[key] = options
		}
		for i, option := range v.Options {
			if i == 0 {
				v.Options = slices.Clone(v.Options)
			}
			v.Options[i] = optionIDs[option]
		}
		s.Custom[key] = v
	}
	later := s.UpdatedAt.After(at)
	profile := customer.Profile{Nickname: s.Nickname, Name: s.Name, Phone: s.Phone, QQ: s.QQ, WechatID: s.WechatID, Email: s.Email, Company: s.Company,
		Description: s.Description, Custom: custom}
	if later {
		profile.Name, profile.Nickname = "before", "之前"
	}
	add(own, time.Time{}, customer.Created{Association: s.Association, Channel: s.Channel, ExternalID: s.ExternalID, Via: s.CreatedVia, Generation: 1,
		Profile: profile, Tags: slices.Clone(s.Tags)})

	for i := range s.SessionCount {
		id, first := uuid.NewSHA1(s.ID, []byte{byte(i)}), s.LastSessionAt
		if i == 0 {
			first = s.FirstSessionAt
		}
		if s.SessionCount == 1 {
			s.LastSessionAt = s.FirstSessionAt
		}
		add(own, first, customer.SessionOpened{Session: id, Initiator: domain.PartyCustomer})
		if i < s.SessionCount-1 || !s.SessionOpen {
			add(own, first, customer.SessionClosed{Session: id})
		}
	}
	talk := session.Stream(uuid.NewSHA1(s.ID, []byte("talk")))
	if s.EverServed {
		if s.RatingCount > 0 {
			add(talk, at, session.Accepted{Agent: "first agent"})
		}
		add(talk, at, session.Accepted{Agent: s.LastAgent})
	}
	for i := range s.MessageCount {
		add(talk, s.LastMessageAt.Add(-time.Duration(i)*time.Hour), session.MessageRecorded{Message: strconv.Itoa(i), Sender: session.Sender{Kind: domain.PartyCustomer}, Kind: session.KindText, Text: "x"})
	}
	left := s.RatingSum
	for n := s.RatingCount; n > 0; n-- {
		score := s.RatingLast
		if n > 1 { // whatever leaves between 1 and 5 for each of the others
			score = min(5, left-s.RatingLast-(n-2))
		}
		left -= score
		add(talk, at, session.Rated{Score: score})
	}
	for i := range s.SuppressedCount {
		add(suppressed.Stream(s.ID), at, suppressed.MessageRecorded{Message: strconv.Itoa(i), Kind: session.KindText, Text: "x"})
	}
	if later {
		at = s.UpdatedAt
		add(own, time.Time{}, customer.ProfileChanged{Fields: map[string]customer.Change{"name": {Old: "before", New: orNil(s.Name)}, "nickname": {Old: "之前", New: orNil(s.Nickname)}}})
	} else {
		s.UpdatedAt = s.CreatedAt
	}
	if !s.ListedAt.IsZero() {
		if at = s.ListedAt; at.Before(s.UpdatedAt) {
			at = s.UpdatedAt
		}
		s.ListedAt, s.UpdatedAt = at, at
		e := customer.Blacklisted{Reason: "spam"}
		if !s.ListedUntil.IsZero() {
			e.ExpiresAt = &s.ListedUntil
		}
		add(own, time.Time{}, e)
	}
	return log
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// groups keeps the subjects' groups as the read model of groups does.
func (p *population) groups(t *testing.T) groupSets {
	t.Helper()
	const schema = "groups_of_test"
	facets := map[uuid.UUID]int64{}
	if _, err := p.store.Pool().Exec(t.Context(), `create schema `+schema+`;
		create table `+schema+`.group_bits (tenant text, facet bigint, bucket int, bits bit(16384), primary key (tenant, facet, bucket));
		create table `+schema+`.group_bits_written (tenant text, number bigint, token uuid, changes int, sets bigint[], buckets int[], primary key (tenant, number));
		select isolate_schema('`+schema+`')`); err != nil {
		t.Fatal(err)
	}
	for i, id := range filtertest.Groups {
		var members []int64
		for at, s := range p.subjects {
			if s == nil || slices.Contains(s.Groups, id) { // that read model is behind: whoever was withdrawn is still there
				members = append(members, int64(at+1))
			}
		}
		facets[id] = int64(i)
		if _, err := p.store.Pool().Exec(t.Context(), `insert into `+schema+`.group_bits select $1, $2, o / 16384, bit_or(set_bit(B'0'::bit(16384), (o % 16384)::int, 1))
			from unnest($3::bigint[]) o group by o / 16384`, tenantOfList, i, members); err != nil {
			t.Fatal(err)
		}
	}
	of := func(_ context.Context, _ reader, _ string, ids []uuid.UUID) (string, map[uuid.UUID]int64, error) {
		if ids == nil {
			return schema, facets, nil
		}
		some := map[uuid.UUID]int64{}
		for _, id := range ids {
			some[id] = facets[id]
		}
		return schema, some, nil
	}
	return func(context.Context) (groupFacets, error) { return of, nil }
}

// language is that of package filtertest with the ids of options.
func (p *population) language() *filter.Language {
	l := filtertest.Language(true)
	for i := range l.Custom {
		if of := l.Custom[i].Options; of != nil {
			options := map[string]string{}
			for name, label := range of {
				options[optionIDs[name]] = label
			}
			l.Custom[i].Options = options
		}
	}
	return l
}

// matching are the ordinals of who matches, as the subjects say.
func (p *population) matching(f *filter.Filter, at time.Time, cal filter.Calendar) (ordinals []int64) {
	for i, s := range p.subjects {
		if s != nil && f.Match(s, at, cal) {
			ordinals = append(ordinals, int64(i+1))
		}
	}
	return ordinals
}

// sorted puts ordinals into an order of the list.
func (p *population) sorted(ordinals []int64, sort string) []int64 {
	o, err := orderOf(sort)
	if err != nil {
		panic(err)
	}
	out, texts := slices.Clone(ordinals), newNicknameOrder()
	slices.SortFunc(out, func(a, b int64) int {
		x, y := p.subjects[a-1], p.subjects[b-1]
		by := 0
		switch o.column {
		case "last_session_at":
			by = x.LastSessionAt.Compare(y.LastSessionAt)
		case "updated_at":
			by = x.UpdatedAt.Compare(y.UpdatedAt)
		case "nickname_key":
			by = slices.Compare(p.keys[a-1], p.keys[b-1])
		case "key":
			of := custom(strings.TrimPrefix(sort, "-"))
			v, has := x.Custom[of]
			w, had := y.Custom[of]
			if has != had && has == o.ascending { // those without a value are last in both directions
				return -1
			} else if has != had {
				return 1
			}
			switch {
			case !has:
			case of == filtertest.Score:
				by = v.Number.Compare(w.Number)
			case of == filtertest.Date:
				by = cmp.Compare(v.Date, w.Date)
			default:
				by = bytes.Compare(texts.key(v.Text), texts.key(w.Text))
			}
		}
		return cmp.Or(by, cmp.Compare(a, b))
	})
	if !o.ascending {
		slices.Reverse(out)
	}
	return out
}

func ordinalsOf(page Page) (ordinals []int64) {
	for _, c := range page.Items {
		ordinals = append(ordinals, c.ordinal)
	}
	return ordinals
}

// What the list answers, page by page in every order, there and back, counts, and counts by facets, is what Match says of every customer.
func TestListIsMatch(t *testing.T) {
	p := newPopulation(t, 500, 17_000)
	p.check(t, p.language())
}

func (p *population) check(t *testing.T, l *filter.Language) {
	rapid.Check(t, func(t *rapid.T) {
		f, cal, at := filtertest.Filter(t, l), filtertest.Calendar(t), filtertest.Instant(t)
		ctx := context.Background()
		want := p.matching(f, at, cal)

		q := ListQuery{Filter: f, Calendar: cal, At: at, Limit: rapid.SampledFrom([]int{1, 7, 50, 200}).Draw(t, "limit"),
			Sort: rapid.SampledFrom(sortsOfList()).Draw(t, "sort")}
		p.walks(t, &q, want)
		if count, err := p.customers.CountOf(ctx, tenantOfList, q, time.Hour); err != nil || count != (Count{Value: int64(len(want)), Exact: true}) {
			t.Fatalf("%s: counted %+v, want %d, %v", f.JSON(), count, len(want), err)
		}
		q.Facets = rapid.SliceOfNDistinct(rapid.SampledFrom(Facets()), 0, 3, rapid.ID[string]).Draw(t, "facets")
		p.pages(t, q, p.sorted(want, q.Sort), p.facets(q.Facets, want, at))
	})
}

// walks goes through the answer as the pages and the bulk do, in both directions, with and without the index of terms.
func (p *population) walks(t *rapid.T, q *ListQuery, want []int64) {
	for _, ascending := range []bool{true, false} {
		l := listing{query: q}
		err := p.customers.ask(context.Background(), tenantOfList, &l, func() error {
			w := l.answer.walk(ascending, 0)
			w.seek = rapid.Bool().Draw(t, "search first")
			if w.seek {
				w.searching.cost = 1 // less than to judge anybody
			}
			w.judging.size = rapid.SampledFrom([]int{1, 100, 20_000}).Draw(t, "chunk")
			size := rapid.SampledFrom([]int{1, 50, 100_000}).Draw(t, "piece")
			if len(want) > 500 { // only time would be lost
				size = max(size, 5_000)
			}
			var got []int64
			for !w.ended() {
				some, err := w.next(size, budget{})
				if err != nil {
					return err
				}
				got = append(got, some...)
			}
			if !ascending {
				slices.Reverse(got)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%s at %s in %s, ascending %v, search first %v: %s", q.Filter.JSON(), q.At, q.Calendar.Zone, ascending, w.seek, p.difference(got, want))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (p *population) difference(got, want []int64) string {
	tell := func(what string, in, notIn []int64) string {
		for _, o := range in {
			if !slices.Contains(notIn, o) {
				s, _ := json.Marshal(p.subjects[o-1])
				return fmt.Sprintf("; %s %d: %s", what, o, s)
			}
		}
		return ""
	}
	return fmt.Sprintf("%d instead of %d%s%s", len(got), len(want), tell("wrongly", got, want), tell("missing", want, got))
}

// pages reads some pages forward, and the same backward.
func (p *population) pages(t *rapid.T, q ListQuery, want []int64, facets map[string]map[string]int64) {
	ctx := context.Background()
	var pages [][]int64
	var last Page
	seen := 0
	for len(pages) < 4 {
		page, err := p.customers.List(ctx, tenantOfList, q)
		if err != nil {
			t.Fatal(err)
		}
		got := ordinalsOf(page)
		if page.Partial || !slices.Equal(got, want[seen:min(len(want), seen+q.Limit)]) {
			t.Fatalf("%s by %s, page %d: %v, want %v, partial %v", q.Filter.JSON(), q.Sort, len(pages), got, want[seen:min(len(want), seen+q.Limit)], page.Partial)
		}
		seen += len(got)
		if page.Count.Exact && page.Count.Value != int64(len(want)) || page.Count.Value > int64(len(want)) {
			t.Fatalf("%s: count %+v, want %d", q.Filter.JSON(), page.Count, len(want))
		}
		if (page.Next != "") != (seen < len(want)) || (page.Prev != "") != (len(pages) > 0) {
			t.Fatalf("%s: next %q, prev %q at %d of %d", q.Filter.JSON(), page.Next, page.Prev, seen, len(want))
		}
		if len(q.Facets) > 0 && page.Facets == nil && page.Count.Exact {
			t.Fatalf("%s: no facets of an answer that is known", q.Filter.JSON())
		}
		if page.Facets != nil && !maps.EqualFunc(page.Facets, facets, maps.Equal) {
			t.Fatalf("%s: facets %v, want %v", q.Filter.JSON(), page.Facets, facets)
		}
		pages, last, q.Cursor = append(pages, got), page, page.Next
		if page.Next == "" {
			break
		}
	}
	for i := len(pages) - 2; i >= 0; i-- {
		q.Cursor = last.Prev
		page, err := p.customers.List(ctx, tenantOfList, q)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(ordinalsOf(page), pages[i]) || (page.Prev == "") != (i == 0) || page.Next == "" {
			t.Fatalf("%s by %s: page %d on the way back is %v, want %v", q.Filter.JSON(), q.Sort, i, ordinalsOf(page), pages[i])
		}
		last = page
	}
}

// facets counts as the subjects say.
func (p *population) facets(names []string, ordinals []int64, at time.Time) map[string]map[string]int64 {
	if len(names) == 0 {
		return nil
	}
	counts := map[string]map[string]int64{}
	for _, name := range names {
		of := map[string]int64{}
		counts[name] = of
		for _, o := range ordinals {
			s := p.subjects[o-1]
			switch name {
			case FacetTags:
				for _, id := range s.Tags {
					of[id.String()]++
				}
			case FacetGroups:
				for _, id := range s.Groups {
					of[id.String()]++
				}
			case FacetChannel:
				of[s.Channel]++
			case FacetAssociation:
				if s.Association != 0 {
					of[strconv.Itoa(s.Association)]++
				}
			case FacetCreatedVia:
				of[s.CreatedVia]++
			case FacetBlacklisted:
				of[strconv.FormatBool(s.Blacklisted(at))]++
			case FacetSessionOpen:
				of[strconv.FormatBool(s.SessionOpen)]++
			case FacetEverServed:
				of[strconv.FormatBool(s.EverServed)]++
			}
		}
	}
	return counts
}

// A search that runs out of its budget leads on to where it stopped, forward and back, so that all pages together have everybody, once.
func TestPartialPagesLeadOn(t *testing.T) {
	p := newPopulation(t, 200, 5_000)
	p.customers.patience = time.Nanosecond
	partial := 0
	for _, raw := range []string{`{"field":"description","op":"contains","value":"王"}`, `{"field":"session_count","op":"gte","value":2}`} {
		f, err := filter.Parse([]byte(raw), p.language(), "filter")
		if err != nil {
			t.Fatal(err)
		}
		at := time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)
		for _, sort := range []string{SortCreatedDesc, SortCreated, SortNickname, SortLastSessionDesc, "custom.score", "-custom.birthday"} {
			want := p.sorted(p.matching(f, at, filter.Calendar{}), sort)
			q := ListQuery{Filter: f, At: at, Sort: sort, Limit: 200}
			var there, back []int64
			for {
				page, err := p.customers.List(t.Context(), tenantOfList, q)
				if err != nil {
					t.Fatal(err)
				}
				there = append(there, ordinalsOf(page)...)
				if page.Partial {
					partial++
				}
				if page.Next == "" {
					q.Cursor = page.Prev
					back = ordinalsOf(page)
					break
				}
				q.Cursor = page.Next
			}
			if !slices.Equal(there, want) {
				t.Errorf("%s by %s: %d of %d", raw, sort, len(there), len(want))
			}
			if len(back) == 0 { // an empty page after a partial one leads nowhere
				continue
			}
			for q.Cursor != "" {
				page, err := p.customers.List(t.Context(), tenantOfList, q)
				if err != nil {
					t.Fatal(err)
				}
				back, q.Cursor = append(ordinalsOf(page), back...), page.Prev
			}
			if !slices.Equal(back, want) {
				t.Errorf("%s by %s, on the way back: %d of %d", raw, sort, len(back), len(want))
			}
		}
	}
	if partial < 4 {
		t.Errorf("%d pages were partial", partial)
	}
}

// Who has left the list is not counted as a member of a group, although the read model of groups may not have heard of it yet.
func TestListByGroupsThatAreBehind(t *testing.T) {
	p := newPopulation(t, 100, 100)
	at := time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)
	for _, raw := range []string{
		`{"field":"groups","op":"has_any","value":[%q]}`, `{"field":"groups","op":"has_all","value":[%q,%q]}`,
		`{"any":[{"field":"groups","op":"has_any","value":[%q]},{"field":"session_open","op":"is","value":true}]}`,
		`{"all":[{"field":"groups","op":"has_any","value":[%q]},{"not":{"field":"description","op":"is_set"}}]}`,
	} {
		values := []any{filtertest.Groups[0], filtertest.Groups[1]}
		f, err := filter.Parse(fmt.Appendf(nil, raw, values[:strings.Count(raw, "%q")]...), p.language(), "filter")
		if err != nil {
			t.Fatal(err)
		}
		want := p.matching(f, at, filter.Calendar{})
		page, err := p.customers.List(t.Context(), tenantOfList, ListQuery{Filter: f, At: at, Limit: 200, Facets: []string{FacetGroups}})
		if err != nil {
			t.Fatal(err)
		}
		if got := p.sorted(ordinalsOf(page), SortCreated); !slices.Equal(got, want) || page.Count != (Count{Value: int64(len(want)), Exact: true}) {
			t.Errorf("%s: %d listed, %+v counted, want %d", raw, len(got), page.Count, len(want))
		}
		if facets := p.facets([]string{FacetGroups}, want, at); !maps.EqualFunc(page.Facets, facets, maps.Equal) {
			t.Errorf("%s: facets %v, want %v", raw, page.Facets, facets)
		}
	}
}
