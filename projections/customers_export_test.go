package projections

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"customercenter/domain/filter"
	"customercenter/domain/filter/filtertest"
	"customercenter/domain/group"
	"customercenter/domain/view"
	"customercenter/eventstore"
)

// columnsOfTest are all columns, those of a custom field of each kind and one of a field that is gone.
func columnsOfTest() []string {
	columns := view.Columns()
	for _, key := range []string{filtertest.Select, filtertest.Cascade, filtertest.Note, filtertest.Score, filtertest.Date, "gone"} {
		columns = append(columns, "custom."+key)
	}
	return columns
}

func wordOfTest(kind, value string) string { return kind + " " + value }

// cell is what a column says of a subject.
func cell(s *filter.Subject, column string, at time.Time, zone *time.Location) string {
	clock := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.In(zone).Format("2006-01-02 15:04:05")
	}
	answer := func(yes bool) string { return fmt.Sprint("bool ", yes) }
	switch column {
	case "external_id":
		return s.ExternalID
	case "nickname":
		return s.Nickname
	case "name":
		return s.Name
	case "phone":
		return s.Phone
	case "qq":
		return s.QQ
	case "wechat_id":
		return s.WechatID
	case "email":
		return s.Email
	case "company":
		return s.Company
	case "description":
		return s.Description
	case "association":
		return strconv.Itoa(s.Association)
	case "channel":
		return "channel " + s.Channel
	case "created_via":
		return "via " + s.CreatedVia
	case "created_at":
		return clock(s.CreatedAt)
	case "updated_at":
		return clock(s.UpdatedAt)
	case "first_session_at":
		return clock(s.FirstSessionAt)
	case "last_session_at":
		return clock(s.LastSessionAt)
	case "last_message_at":
		return clock(s.LastMessageAt)
	case "tags":
		var names []string
		for _, id := range s.Tags {
			names = append(names, string(rune('a'+slices.Index(filtertest.Tags, id))))
		}
		return strings.Join(names, ",")
	case "groups": // whose names are those of groupsOfTest, but for the one that has ended
		var names []string
		for i, id := range filtertest.Groups[:3] {
			if slices.Contains(s.Groups, id) {
				names = append(names, groupsOfTest[i])
			}
		}
		slices.Sort(names)
		return strings.Join(names, ",")
	case "last_agent":
		return s.LastAgent
	case "session_count":
		return strconv.Itoa(s.SessionCount)
	case "message_count":
		return strconv.Itoa(s.MessageCount)
	case "suppressed_count":
		return strconv.Itoa(s.SuppressedCount)
	case "rating_avg":
		if s.RatingCount == 0 {
			return ""
		}
		return fmt.Sprint(math.Round(100*float64(s.RatingSum)/float64(s.RatingCount)) / 100)
	case "rating_last":
		if s.RatingLast == 0 {
			return ""
		}
		return strconv.Itoa(s.RatingLast)
	case "session_open":
		return answer(s.SessionOpen)
	case "ever_served":
		return answer(s.EverServed)
	case "imported":
		return answer(s.CreatedVia == "import")
	case "blacklisted":
		return answer(s.Blacklisted(at))
	case "blacklisted_at":
		if !s.Blacklisted(at) {
			return ""
		}
		return clock(s.ListedAt)
	}
	key := custom(column)
	v := s.Custom[key]
	separator := ","
	if key == filtertest.Cascade {
		separator = "/"
	}
	return v.Text + v.Date + string(v.Number) + strings.Join(v.Options, separator)
}

var groupsOfTest = []string{"南", "North, East", "west 😀"}

// nameGroups defines the groups of the subjects, in the catalogue, but for the last.
func (p *population) nameGroups(t *testing.T) {
	t.Helper()
	a := eventstore.Append{Tenant: tenantOfList, ID: uuid.New(), Now: time.Now(), Actor: eventstore.Actor{Kind: "system", ID: "test"},
		Streams: []eventstore.StreamAppend{{Stream: group.Stream}}}
	for i, name := range groupsOfTest {
		a.Streams[0].Events = append(a.Streams[0].Events, eventstore.NewEvent{Payload: group.Defined{Group: filtertest.Groups[i], Name: name, Rule: []byte(`{}`)}})
	}
	if _, err := p.store.Append(t.Context(), a); err != nil {
		t.Fatal(err)
	}
}

// Every cell of an export, of whoever it is asked for, in every order and zone, is what is known of the customer.
func TestExportIsTheList(t *testing.T) {
	p := newPopulation(t, 500, 17_000)
	p.nameGroups(t)
	l, columns := p.language(), columnsOfTest()
	rapid.Check(t, func(t *rapid.T) {
		cal, at := filtertest.Calendar(t), filtertest.Instant(t)
		q := ExportQuery{ListQuery: ListQuery{Filter: filtertest.Filter(t, l), Calendar: cal, At: at, Sort: rapid.SampledFrom(sortsOfList()).Draw(t, "sort")}, Word: wordOfTest}
		q.Columns = rapid.SliceOfNDistinct(rapid.SampledFrom(columns), 1, len(columns), rapid.ID[string]).Draw(t, "columns")
		want := p.sorted(p.matching(q.Filter, at, cal), q.Sort)
		n := 0
		position, err := p.customers.Export(context.Background(), tenantOfList, q, func(cells []string) error {
			if n == len(want) {
				return errors.New("there are too many")
			}
			s := p.subjects[want[n]-1]
			for i, column := range q.Columns {
				if is := cell(s, column, at, cal.Zone); cells[i] != is {
					return fmt.Errorf("row %d, customer %d, %s: %q, want %q", n, want[n], column, cells[i], is)
				}
			}
			n++
			return nil
		})
		if err != nil || n != len(want) || position == 0 {
			t.Fatalf("%s by %s: %d rows instead of %d at %d, %v", q.Filter.JSON(), q.Sort, n, len(want), position, err)
		}
	})
}

// Everybody is read in ranges, in other orders through the index of the order; and many who do not follow each other.
func TestExportOfEverybody(t *testing.T) {
	p := newPopulation(t, 300, 17_000)
	p.nameGroups(t)
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC)
	var all []int64 // but for those who were withdrawn
	for i, s := range p.subjects {
		if s != nil {
			all = append(all, int64(i+1))
		}
	}
	some, err := filter.Parse([]byte(`{"field":"custom.score","op":"lt","value":4}`), p.language(), "filter")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []*filter.Filter{nil, some} {
		meant := all
		if f != nil {
			meant = p.matching(f, at, filter.Calendar{Zone: zone})
		}
		for _, sort := range sortsOfList() {
			want, n := p.sorted(meant, sort), 0
			q := ExportQuery{ListQuery: ListQuery{Filter: f, Sort: sort, At: at, Calendar: filter.Calendar{Zone: zone}}, Columns: columnsOfTest(), Word: wordOfTest}
			_, err := p.customers.Export(t.Context(), tenantOfList, q, func(cells []string) error {
				s := p.subjects[want[n]-1]
				for i, column := range q.Columns {
					if is := cell(s, column, at, zone); cells[i] != is {
						return fmt.Errorf("row %d, customer %d, %s: %q, want %q", n, want[n], column, cells[i], is)
					}
				}
				n++
				return nil
			})
			if err != nil || n != len(want) {
				t.Errorf("by %s: %d rows instead of %d, %v", sort, n, len(want), err)
			}
		}
	}
}

// What is read of customers is found by their ordinals in each table.
func TestExportPlans(t *testing.T) {
	p := newPopulation(t, 400, 5_000)
	if _, err := p.store.Pool().Exec(t.Context(), `analyze`); err != nil {
		t.Fatal(err)
	}
	acquired, err := p.store.Pool().Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	db := acquired.Hijack() // it ends with its setting
	defer db.Close(context.Background())
	// With so few customers it is often right to read a table from end to end. A plan that still does so here has no index to use.
	if _, err := db.Exec(t.Context(), `set enable_seqscan = off`); err != nil {
		t.Fatal(err)
	}
	q := ExportQuery{Columns: columnsOfTest(), Word: wordOfTest}
	l := listing{query: &q.ListQuery, grouped: true}
	names, err := p.customers.exportNames(t.Context(), tenantOfList)
	if err != nil {
		t.Fatal(err)
	}
	err = p.customers.ask(t.Context(), tenantOfList, &l, func() error {
		e := &export{answer: l.answer}
		if err := e.plan(&l, &q, names); err != nil {
			return err
		}
		for name, s := range map[string]pgx.TraceQueryStartData{
			"between, ascending":  {SQL: e.betweenSQL(true), Args: append(slices.Clone(e.args), int64(100), int64(1000))},
			"between, descending": {SQL: e.betweenSQL(false), Args: append(slices.Clone(e.args), int64(100), int64(1000))},
			"some":                {SQL: e.someSQL(), Args: append(slices.Clone(e.args), []int64{7, 3000, 12})},
		} {
			used := indexes(t, db, s)
			for _, index := range []string{"customer_ordinal", "customer_activity_ordinal", "customer_listing_ordinal"} {
				if !slices.Contains(used, index) {
					t.Errorf("%s: %s is not used, but %v\n%s", name, index, used, s.SQL)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestExportRefusesWhatThereIsNot(t *testing.T) {
	p := newPopulation(t, 3, 1)
	none := func([]string) error { return nil }
	for _, columns := range [][]string{{"nickname", "shoe_size"}, {""}, {"custom."}, {"Nickname"}} {
		if _, err := p.customers.Export(t.Context(), tenantOfList, ExportQuery{Columns: columns, Word: wordOfTest}, none); !errors.Is(err, ErrColumn) {
			t.Errorf("%q: %v", columns, err)
		}
	}
	if _, err := p.customers.Export(t.Context(), tenantOfList, ExportQuery{ListQuery: ListQuery{Sort: "shoe_size"}, Word: wordOfTest}, none); !errors.Is(err, ErrSort) {
		t.Error(err)
	}
	enough := errors.New("enough")
	rows := 0
	_, err := p.customers.Export(t.Context(), tenantOfList, ExportQuery{Columns: []string{"nickname"}, Word: wordOfTest}, func([]string) error { rows++; return enough })
	if !errors.Is(err, enough) || rows != 1 {
		t.Errorf("%d rows, %v", rows, err)
	}
	rows = 0
	if _, err := p.customers.Export(t.Context(), "nobody", ExportQuery{Columns: columnsOfTest(), Word: wordOfTest}, func([]string) error { rows++; return nil }); err != nil || rows != 0 {
		t.Errorf("of a tenant without customers: %d rows, %v", rows, err)
	}
}

func TestCellClock(t *testing.T) {
	for _, name := range append(filtertest.Zones(), "Asia/Kolkata", "Africa/Monrovia") {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		clock := newCellClock(zone)
		rapid.Check(t, func(t *rapid.T) {
			at := rapid.OneOf(rapid.Int64Range(-62_135_596_800, 253_402_200_000), rapid.Int64Range(1_790_000_000, 1_800_000_000)).Draw(t, "at")
			if rapid.Bool().Draw(t, "around a change of the clocks") {
				if start, end := time.Unix(at, 0).In(zone).ZoneBounds(); !end.IsZero() {
					at = end.Unix() + rapid.Int64Range(-1, 1).Draw(t, "beside")
				} else if !start.IsZero() {
					at = start.Unix() + rapid.Int64Range(-1, 1).Draw(t, "beside")
				}
			}
			if got, want := string(clock.append([]byte("|"), at)), time.Unix(at, 0).In(zone).Format("|2006-01-02 15:04:05"); got != want {
				t.Fatalf("%d in %s: %s, want %s", at, name, got, want)
			}
		})
	}
}
