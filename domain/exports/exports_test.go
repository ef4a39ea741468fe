package exports_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/domaintest"
	"customercenter/domain/exports"
	"customercenter/domain/field"
	"customercenter/domain/filter"
	"customercenter/domain/job"
)

type (
	testCase = domaintest.Case[exports.State, exports.Event]
	events   = []exports.Event
	given    = []domain.Event
	when     = func(*exports.State) ([]exports.Event, error)
)

var (
	a     = uuid.UUID{15: 0xa}
	vip   = uuid.UUID{15: 0xc1}
	other = uuid.UUID{15: 0xc2}
)

// fields has custom fields: one that is shown, first in the order, one that is hidden, one that is disabled, one without an order, one that is gone;
// and a system field that is hidden.
var fields = domaintest.Fold[field.State](
	field.Added{Field: "level", Type: field.TypeText, Label: "Level"}, field.Shown{Field: "level"},
	field.Added{Field: "secret", Type: field.TypeNumber, Label: "Secret"},
	field.Added{Field: "old", Type: field.TypeText, Label: "Old"}, field.Shown{Field: "old"}, field.Disabled{Field: "old"},
	field.Added{Field: "likes", Type: field.TypeMultiSelect, Label: "Likes", Options: []field.Option{{ID: "o1", Label: "tea"}}},
	field.Added{Field: "gone", Type: field.TypeText, Label: "Gone"}, field.Removed{Field: "gone"},
	field.Hidden{Field: "qq"},
	field.Reordered{Order: []string{"external_id", "level", "nickname", "name", "phone", "qq", "wechat_id", "email", "company", "description", "secret", "old", "likes"}},
)

func parsed(text string) *filter.Filter {
	f, err := filter.Parse([]byte(text), &filter.Language{Custom: fields.Filterable(), Groups: true}, "filter")
	if err != nil {
		panic(err)
	}
	return f
}

func known(id uuid.UUID) bool { return id == vip }

func TestDecisions(t *testing.T) {
	request := func(d exports.Draft) when {
		return func(s *exports.State) ([]exports.Event, error) {
			if d.Filter == nil {
				d.Filter = parsed(`{}`)
			}
			return s.Request(a, d, fields, known, known)
		}
	}
	times := []string{"tags", "channel", "association", "created_at", "updated_at", "first_session_at", "last_session_at", "session_count"}
	defaults := append([]string{"external_id", "custom.level", "nickname", "name", "phone", "wechat_id", "email", "company", "description"}, times...)
	asked := func(change func(*exports.Requested)) exports.Requested {
		e := exports.Requested{Export: a, Filter: parsed(`{}`).JSON(), Sort: "-created_at", Columns: defaults, Format: "csv", Language: "zh"}
		if change != nil {
			change(&e)
		}
		return e
	}
	var many []string
	for i := range exports.MaxColumns + 1 {
		many = append(many, fmt.Sprint("c", i))
	}
	tagged := `{"field":"tags","op":"has_any","value":["` + vip.String() + `"]}`
	untagged := `{"any":[{"field":"name","op":"is_set"},{"field":"tags","op":"has_any","value":["` + vip.String() + `","` + other.String() + `"]}]}`
	grouped := `{"field":"groups","op":"has_any","value":["` + other.String() + `"]}`
	const invalid = domain.CodeValidation

	ends := domaintest.Start.Add(time.Hour)
	file := exports.Completed{Position: 7, Rows: 3, Bytes: 900, ExpiresAt: ends}
	tooLarge := exports.Failed{Code: domain.CodeExportTooLarge, Args: map[string]any{"max": exports.MaxBytes, "over": 12}}
	discard := func(from, to int64) func(*exports.State) ([]exports.Event, error) {
		return func(s *exports.State) ([]exports.Event, error) { return s.Discard("X", from, to), nil }
	}
	complete := func(s *exports.State) ([]exports.Event, error) { return s.Complete(file), nil }
	fail := func(s *exports.State) ([]exports.Event, error) { return s.Fail(tooLarge), nil }
	cancel := func(s *exports.State) ([]exports.Event, error) { return s.Cancel() }
	download := func(at time.Time) when {
		return func(s *exports.State) ([]exports.Event, error) { return s.Download(at) }
	}
	expire := func(at time.Time) when {
		return func(s *exports.State) ([]exports.Event, error) { return s.Expire(at), nil }
	}
	running, done := given{asked(nil)}, given{asked(nil), file}
	failed, canceled, expired := given{asked(nil), tooLarge}, given{asked(nil), exports.Canceled{}}, given{asked(nil), file, exports.Downloaded{}, exports.Expired{}}
	before, got, gone := ends.Add(-time.Nanosecond), events{exports.Downloaded{}}, events{exports.Expired{}}
	const status, missing = domain.CodeJobStatus, domain.CodeNotFound

	domaintest.Run(t, []testCase{
		{Name: "request everything there is by default", When: request(exports.Draft{}), Then: events{asked(nil)}},
		{Name: "request all that can be said", When: request(exports.Draft{Filter: parsed(tagged), Sort: "custom.secret", Columns: []string{"custom.likes", "groups", "phone", "custom.secret"}, Format: "xlsx", Language: "en"}),
			Then: events{asked(func(e *exports.Requested) {
				e.Filter, e.Sort, e.Columns, e.Format, e.Language = parsed(tagged).JSON(), "custom.secret", []string{"custom.likes", "groups", "phone", "custom.secret"}, "xlsx", "en"
			})}},
		{Name: "request the other way round", When: request(exports.Draft{Sort: "-custom.level"}), Then: events{asked(func(e *exports.Requested) { e.Sort = "-custom.level" })}},
		{Name: "request under an id that is taken", Given: running, When: request(exports.Draft{}), Refused: domain.CodeConflict},
		{Name: "unknown format", When: request(exports.Draft{Format: "pdf"}), Refused: invalid, At: "format"},
		{Name: "unknown language", When: request(exports.Draft{Language: "fr"}), Refused: invalid, At: "language"},
		{Name: "unknown order", When: request(exports.Draft{Sort: "phone"}), Refused: invalid, At: "sort"},
		{Name: "order twice the other way round", When: request(exports.Draft{Sort: "--created_at"}), Refused: invalid, At: "sort"},
		{Name: "order by what has none", When: request(exports.Draft{Sort: "custom.likes"}), Refused: invalid, At: "sort"},
		{Name: "order by what is disabled", When: request(exports.Draft{Sort: "-custom.old"}), Refused: invalid, At: "sort"},
		{Name: "unknown column", When: request(exports.Draft{Columns: []string{"phone", "shoe_size"}}), Refused: invalid, At: "columns[1]"},
		{Name: "column of a disabled field", When: request(exports.Draft{Columns: []string{"custom.old"}}), Refused: invalid, At: "columns[0]"},
		{Name: "column of a removed field", When: request(exports.Draft{Columns: []string{"custom.gone"}}), Refused: invalid, At: "columns[0]"},
		{Name: "column of a system field as a custom one", When: request(exports.Draft{Columns: []string{"custom.phone"}}), Refused: invalid, At: "columns[0]"},
		{Name: "column twice", When: request(exports.Draft{Columns: []string{"phone", "tags", "phone"}}), Refused: invalid, At: "columns[2]"},
		{Name: "too many columns", When: request(exports.Draft{Columns: many}), Refused: invalid, At: "columns"},
		{Name: "unknown tag", When: request(exports.Draft{Filter: parsed(untagged)}), Refused: domain.CodeTagUnknown, At: "filter.any[1].value[1]"},
		{Name: "unknown group", When: request(exports.Draft{Filter: parsed(grouped)}), Refused: domain.CodeGroupUnknown, At: "filter.value[0]"},

		{Name: "complete", Given: running, When: complete, Then: events{file}},
		{Name: "complete what is not there", When: complete},
		{Name: "complete again", Given: done, When: complete},
		{Name: "complete what failed", Given: failed, When: complete},
		{Name: "complete what was canceled", Given: canceled, When: complete},
		{Name: "complete what has expired", Given: expired, When: complete},

		{Name: "fail", Given: running, When: fail, Then: events{tooLarge}},
		{Name: "fail what is not there", When: fail},
		{Name: "fail again", Given: failed, When: fail},
		{Name: "fail what is done", Given: done, When: fail},
		{Name: "fail what was canceled", Given: canceled, When: fail},

		{Name: "cancel", Given: running, When: cancel, Then: events{exports.Canceled{}}},
		{Name: "cancel again", Given: canceled, When: cancel},
		{Name: "cancel what is not there", When: cancel, Refused: missing},
		{Name: "cancel what is done", Given: done, When: cancel, Refused: status},
		{Name: "cancel what failed", Given: failed, When: cancel, Refused: status},
		{Name: "cancel what has expired", Given: expired, When: cancel, Refused: status},

		{Name: "download", Given: done, When: download(domaintest.Start), Then: got},
		{Name: "download again", Given: append(done[:2:2], exports.Downloaded{}), When: download(domaintest.Start), Then: got},
		{Name: "download at the last instant", Given: done, When: download(before), Then: got},
		{Name: "download when the time is over", Given: done, When: download(ends), Refused: domain.CodeExportExpired},
		{Name: "download what was deleted", Given: expired, When: download(before), Refused: domain.CodeExportExpired},
		{Name: "download what is not there", When: download(before), Refused: missing},
		{Name: "download what is not ready", Given: running, When: download(before), Refused: status},
		{Name: "download what failed", Given: failed, When: download(ends), Refused: status},
		{Name: "download what was canceled", Given: canceled, When: download(before), Refused: status},

		{Name: "expire", Given: done, When: expire(ends), Then: gone},
		{Name: "expire before the time", Given: done, When: expire(before)},
		{Name: "expire again", Given: expired, When: expire(ends.Add(time.Hour))},
		{Name: "expire what is not there", When: expire(ends)},
		{Name: "expire what is not ready", Given: running, When: expire(ends)},
		{Name: "expire what failed", Given: failed, When: expire(ends)},
		{Name: "expire what was canceled", Given: canceled, When: expire(ends)},

		{Name: "discard", Given: done, When: discard(7, 8), Then: events{exports.Expired{Code: "X"}}},
		{Name: "discard what was so before", Given: done, When: discard(1, 7)},
		{Name: "discard what was so afterwards", Given: done, When: discard(8, 9)},
		{Name: "discard what is being made", Given: running, When: discard(1, 2), Then: events{exports.Failed{Code: "X"}}},
		{Name: "discard what has expired", Given: expired, When: discard(7, 8)},
		{Name: "discard what failed", Given: failed, When: discard(7, 8)},
		{Name: "discard what was canceled", Given: canceled, When: discard(7, 8)},
		{Name: "discard what is not there", When: discard(7, 8)},
	})
}

func TestHowItStands(t *testing.T) {
	asked := exports.Requested{Export: a, Format: "csv"}
	file := exports.Completed{Position: 7, Rows: 3, Bytes: 900, ExpiresAt: domaintest.Minute(10)}
	at, args := domaintest.Minute, map[string]any{"max": 1}
	for _, c := range []struct {
		story given
		want  exports.State
		over  bool // at the end of its time
	}{
		{given{asked}, exports.State{Status: job.Running}, false},
		{given{asked, file}, exports.State{Status: job.Completed, File: file, EndedAt: at(1)}, true},
		{given{asked, file, exports.Downloaded{}, exports.Downloaded{}}, exports.State{Status: job.Completed, File: file, EndedAt: at(1), Downloads: 2}, true},
		{given{asked, file, exports.Expired{}}, exports.State{Status: job.Completed, File: file, EndedAt: at(1), Expired: true}, true},
		{given{asked, exports.Failed{Code: "X", Args: args}}, exports.State{Status: job.Failed, Code: "X", Args: args, EndedAt: at(1)}, false},
		{given{asked, exports.Canceled{}}, exports.State{Status: job.Canceled, EndedAt: at(1)}, false},
	} {
		c.want.Asked, c.want.RequestedAt = asked, at(0)
		got := *domaintest.Fold[exports.State](c.story...)
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("after %d events:\n got %+v\nwant %+v", len(c.story), got, c.want)
		}
		if got.Over(at(10)) != c.over || got.Over(at(9)) != c.want.Expired {
			t.Errorf("%+v: over is %v then, and %v before", got, got.Over(at(10)), got.Over(at(9)))
		}
	}
	s := domaintest.Fold[exports.State](asked, file)
	c := s.Clone()
	c.Apply(exports.Expired{}, at(3))
	if s.Expired {
		t.Error("the clone's event reached the original")
	}
}

func TestColumns(t *testing.T) {
	got := exports.Columns(new(field.State))
	want := []string{"external_id", "nickname", "name", "phone", "qq", "wechat_id", "email", "company", "description",
		"tags", "channel", "association", "created_at", "updated_at", "first_session_at", "last_session_at", "session_count"}
	if !slices.Equal(got, want) {
		t.Errorf("by default %q, want %q", got, want)
	}
}
