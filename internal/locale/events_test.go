package locale_test

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"customercenter/domain"
	"customercenter/domain/bulk"
	"customercenter/domain/catalog"
	"customercenter/domain/customer"
	"customercenter/domain/field"
	"customercenter/domain/job"
	"customercenter/domain/session"
	"customercenter/domain/settings"
	"customercenter/internal/locale"
	"customercenter/internal/sheet"
)

var (
	languages = []locale.Language{locale.English, locale.Chinese}
	named     = regexp.MustCompile(`\{([^}]*)\}`)
)

// values are the JSON names of what an event holds.
func values(t *testing.T, e domain.Event) []string {
	t.Helper()
	var names []string
	for f := range reflect.TypeOf(e).Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			t.Fatalf("%s: %s has no stored name", e.EventType(), f.Name)
		}
		names = append(names, name)
	}
	return names
}

// An event type without words cannot be shown in a history.
func TestEveryEventHasWords(t *testing.T) {
	known := map[string]bool{}
	for _, e := range catalog.Events() {
		known[e.EventType()] = true
		has := values(t, e)
		aggregate, _, _ := strings.Cut(e.EventType(), ".")
		for _, l := range languages {
			sentence, ok := locale.Meaning(l, e.EventType())
			if !ok || sentence == "" {
				t.Errorf("%s has no sentence in %s: add one to internal/locale/events.go", e.EventType(), l.Tag())
			}
			for _, m := range named.FindAllStringSubmatch(sentence, -1) {
				if !slices.Contains(has, m[1]) {
					t.Errorf("the sentence of %s in %s names {%s}, which the event does not have: it has %v", e.EventType(), l.Tag(), m[1], has)
				}
			}
		}
		for _, name := range has {
			if !locale.HasLabel(aggregate, name) {
				t.Errorf("%s: the value %s has no label: add one to internal/locale/fields.go", e.EventType(), name)
			}
		}
	}
	for _, name := range locale.Sentences() {
		if !known[name] {
			t.Errorf("there is a sentence for %s, which is no event", name)
		}
	}
}

// What events hold by a short word is shown by the word of the language.
func TestEveryValueHasWords(t *testing.T) {
	kinds := map[string][]string{
		"channel":     domain.Channels(),
		"via":         {customer.ViaInbound, customer.ViaImport, customer.ViaAPI},
		"party":       {domain.PartyCustomer, domain.PartyAgent, domain.PartySystem},
		"removal":     {customer.CauseManual, customer.CauseExpired},
		"entitlement": {settings.EntitlementImport},
		"message": {session.KindText, session.KindImage, session.KindVoice, session.KindVideo, session.KindFile, session.KindLocation,
			session.KindOther},
		"format":     {string(sheet.CSV), string(sheet.XLSX)},
		"language":   {locale.Chinese.Tag(), locale.English.Tag()},
		"action":     {string(bulk.Tag), string(bulk.Untag), string(bulk.Blacklist), string(bulk.Unblacklist)},
		"job_status": {string(job.Queued), string(job.Running), string(job.Completed), string(job.Failed), string(job.Canceled), string(job.Reverted)},
		"state":      {string(session.StatusWaiting), string(session.StatusProcessing), string(session.StatusClosed), string(session.StatusAborted)},
		"read_model": {"customers", "sessions", "history", "auto_messages", "groups", "jobs"},
		"field_type": field.Types(),
		"day":        {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"},
	}
	for kind, all := range kinds {
		for _, value := range all {
			if !locale.HasWord(kind, value) {
				t.Errorf("%s %s has no word", kind, value)
			}
		}
	}
	for _, f := range customer.Fields() {
		if !locale.HasLabel("customer", f.Key) {
			t.Errorf("the field %s has no label", f.Key)
		}
	}
}

func TestSentence(t *testing.T) {
	value := func(name string) string { return "<" + name + ">" }
	if got, want := locale.Sentence(locale.Chinese, "customer.tagged", value), "添加了标签“<tag>”。"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := locale.Sentence(locale.English, "session.transferred", value), "The session was transferred from <from> to <to>."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := locale.Sentence(locale.English, "no.such_event", value); got != "no.such_event" {
		t.Errorf("got %q", got)
	}
	if got, want := locale.Phrase(locale.Chinese, "from.request", "id", "r-1"), "请求 r-1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := locale.Word(locale.Chinese, "channel", "pigeon"); got != "pigeon" {
		t.Errorf("got %q", got)
	}
	if got, want := locale.Label(locale.Chinese, "tag", "name")+locale.Label(locale.Chinese, "customer", "name"), "标签名称名字"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What the domain takes for the names of system fields, which no other field may have, is what people see.
func TestSystemFieldsAreCalledAsTheDomainKnows(t *testing.T) {
	labels := field.SystemLabels()
	if len(labels) != len(customer.Fields())+1 {
		t.Errorf("there are %d system fields: the profile's and the external id are %d", len(labels), len(customer.Fields())+1)
	}
	for key, known := range labels {
		if en, zh := locale.Field(locale.English, key), locale.Field(locale.Chinese, key); known != [2]string{en, zh} {
			t.Errorf("%s is called %s and %s; the domain knows %v", key, en, zh, known)
		}
	}
}
