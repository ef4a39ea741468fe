package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/bulk"
	"customercenter/domain/job"
)

// bulk begins something with many customers, and returns its address.
func (w *world) bulk(body any) (id, path string) {
	w.t.Helper()
	id = w.admin("POST", "/v1/customers/bulk", body).want(http.StatusAccepted).get("id").(string)
	return id, "/v1/customers/bulk/" + id
}

// refusals are the customers in a list of a bulk action, with their codes, and the details as they come.
func (w *world) refusals(path, language string) (codes map[string]string, details []string) {
	w.t.Helper()
	codes = map[string]string{}
	for cursor := ""; ; {
		r := w.read("acme/admin", path+"?limit=2"+cursor, 0, language).want(http.StatusOK)
		var page List[BulkRefusal]
		r.into(&page)
		for _, one := range page.Items {
			codes[one.CustomerID.String()] = one.Code
			details = append(details, one.Detail)
		}
		if page.Next == "" {
			return codes, details
		}
		cursor = "&cursor=" + page.Next
	}
}

// tagged reports which customers carry a tag.
func (w *world) tagged(tag string, customers ...string) (are []bool) {
	w.t.Helper()
	for _, id := range customers {
		are = append(are, strings.Contains(string(w.shown("/v1/customers/"+id).body), tag))
	}
	return are
}

func TestManyAreTaggedByAFilter(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	vip := w.admin("POST", "/v1/tags", TagInput{"VIP"}).want(http.StatusCreated).get("id").(string)
	var people []string
	for i, name := range []string{"gold a", "gold b", "gold c", "silver"} {
		people = append(people, w.customer("acme/admin", fmt.Sprint("v", i), name))
	}
	put := func(method, customer string) {
		t.Helper()
		w.admin(method, "/v1/customers/"+customer+"/tags/"+vip, nil).want(http.StatusNoContent)
	}
	put("PUT", people[0]) // who has it before
	asked := map[string]any{"action": "tag", "tag_id": vip, "filter": map[string]any{"field": "nickname", "op": "starts_with", "value": "gold"}}
	keyed := call{as: "acme/admin", method: "POST", path: "/v1/customers/bulk", body: asked, headers: map[string]string{"Idempotency-Key": "k", "Accept-Language": "zh"}}
	made := w.do(keyed).want(http.StatusAccepted)
	id := made.get("id").(string)
	path := "/v1/customers/bulk/" + id
	if made.header.Get("Location") != path || made.position() != w.head("acme") || made.get("kind") != "bulk" || made.get("status") != "queued" || made.get("action") != "tag" || made.get("tag_id") != vip || made.get("filter.field") != "nickname" ||
		!strings.Contains(made.get("description").(string), "昵称") || made.get("selected") != 0.0 || made.get("position") != nil || made.get("reason") != nil || made.get("created_by.id") != "admin-1" {
		t.Errorf("asked for: %v %s", made.header, made.body)
	}
	w.admin("POST", path+"/undo", nil).refused(http.StatusConflict, "JOB_STATUS", "")
	events := w.follow("acme/admin", id)
	if name, told := events.next(); name != "progress" || told.get("bulk.status") != "queued" {
		t.Errorf("%s %s", name, told.body)
	}
	for chosen := false; !chosen; { // it may wait for the list
		w.step(id)
		chosen = w.shown(path).get("status") == "running"
	}
	if name, told := events.next(); name != "progress" || told.get("bulk.status") != "running" || told.get("bulk.selected") != 3.0 || told.get("bulk.progress.total") != 3.0 || told.get("bulk.position") == nil {
		t.Errorf("%s %s", name, told.body)
	}
	// Who comes to match is not meant; who matches no more is.
	late := w.customer("acme/admin", "late", "gold d")
	w.admin("PATCH", "/v1/customers/"+people[2], edit(map[string]*string{"nickname": ptr("tin")})).want(http.StatusOK)
	w.finish(id)
	if name, told := events.next(); name != "end" || told.get("bulk.status") != "completed" || told.get("bulk.changed") != 2.0 || told.get("bulk.refused") != 0.0 || told.get("bulk.progress.done") != 3.0 {
		t.Errorf("%s %s", name, told.body)
	}
	everybody := append(slices.Clone(people), late)
	if are := w.tagged(vip, everybody...); !slices.Equal(are, []bool{true, true, true, false, false}) {
		t.Errorf("tagged are %v", are)
	}
	if again := w.do(keyed).want(http.StatusAccepted); again.get("id") != id || again.position() != made.position() || again.get("status") != "completed" {
		t.Errorf("asked for again: %s", again.body)
	}
	keyed.body = map[string]any{"action": "untag", "tag_id": vip, "filter": map[string]any{}}
	w.do(keyed).refused(http.StatusUnprocessableEntity, "IDEMPOTENCY_KEY_REUSED", "")
	w.admin("POST", path+"/cancel", nil).refused(http.StatusConflict, "JOB_STATUS", "")

	// One is untagged and tagged again by hand: that is not undone.
	put("DELETE", people[1])
	put("PUT", people[1])
	undoing := w.admin("POST", path+"/undo", nil).want(http.StatusAccepted)
	if undoing.get("status") != "running" || undoing.get("undoing") != true || undoing.get("finished_at") != nil || undoing.get("progress.done") != 0.0 {
		t.Errorf("begun to be undone: %s", undoing.body)
	}
	w.admin("POST", path+"/cancel", nil).refused(http.StatusConflict, "JOB_STATUS", "")
	w.finish(id)
	if undone := w.shown(path); undone.get("status") != "reverted" || undone.get("undone") != 1.0 || undone.get("kept") != 1.0 || undone.get("undoing") != false || undone.get("finished_at") == nil {
		t.Errorf("undone: %s", undone.body)
	}
	if are := w.tagged(vip, everybody...); !slices.Equal(are, []bool{true, true, false, false, false}) {
		t.Errorf("tagged are %v", are)
	}
	for language, words := range map[string]string{"en": "changed again since", "zh": "此后又被修改"} {
		if codes, details := w.refusals(path+"/kept", language); len(codes) != 1 || codes[people[1]] != "CHANGED_SINCE" || !strings.Contains(details[0], words) {
			t.Errorf("kept: %v %q", codes, details)
		}
	}
	w.admin("POST", path+"/undo", nil).refused(http.StatusConflict, "JOB_STATUS", "")
	history := string(w.read("acme/admin", "/v1/customers/"+people[2]+"/history", 0, "en").want(http.StatusOK).body)
	if strings.Count(history, `"customer.tagged"`) != 1 || strings.Count(history, `"customer.untagged"`) != 1 || !strings.Contains(history, "VIP") {
		t.Errorf("a history: %s", history)
	}
}

func TestManyAreNamed(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	w.associations("other/admin")
	vip := w.admin("POST", "/v1/tags", TagInput{"VIP"}).want(http.StatusCreated).get("id").(string)
	var people []string
	for i := range 4 {
		people = append(people, w.customer("acme/admin", fmt.Sprint("v", i), "x"))
	}
	stranger, theirs := uuid.NewString(), w.customer("other/admin", "v", "x")
	headOfOthers := w.head("other")
	done := func(body map[string]any) (path string, r reply) {
		t.Helper()
		id, path := w.bulk(body)
		w.finish(id)
		return path, w.shown(path)
	}
	undone := func(path string) reply {
		t.Helper()
		w.admin("POST", path+"/undo", nil).want(http.StatusAccepted)
		w.finish(strings.TrimPrefix(path, "/v1/customers/bulk/"))
		return w.shown(path)
	}
	path, r := done(map[string]any{"action": "tag", "tag_id": vip, "ids": []string{people[0], stranger, people[1], people[0], theirs}})
	if r.get("selected") != 4.0 || r.get("changed") != 2.0 || r.get("refused") != 2.0 || r.get("filter") != nil || r.get("description") != nil {
		t.Errorf("tagged: %s", r.body)
	}
	for language, words := range map[string]string{"en": "There is no such customer", "zh": "该客户不存在"} {
		codes, details := w.refusals(path+"/refused", language)
		if len(codes) != 2 || codes[stranger] != "NOT_FOUND" || codes[theirs] != "NOT_FOUND" || !strings.Contains(details[0], words) {
			t.Errorf("refused: %v %q", codes, details)
		}
	}
	path, r = done(map[string]any{"action": "untag", "tag_id": vip, "ids": people[:3]})
	if r.get("selected") != 3.0 || r.get("changed") != 2.0 || r.get("refused") != 0.0 {
		t.Errorf("untagged: %s", r.body)
	}
	if r := undone(path); r.get("undone") != 2.0 || r.get("kept") != 0.0 || !slices.Equal(w.tagged(vip, people...), []bool{true, true, false, false}) {
		t.Errorf("undone: %s, tagged are %v", r.body, w.tagged(vip, people...))
	}

	listed := func() (reasons []any) {
		for _, id := range people {
			list := w.shown("/v1/blacklist?limit=200")
			var reason any
			for i := 0; list.get(fmt.Sprintf("items.%d", i)) != nil; i++ {
				if list.get(fmt.Sprintf("items.%d.customer.id", i)) == id {
					reason = list.get(fmt.Sprintf("items.%d.reason", i))
				}
			}
			reasons = append(reasons, reason)
		}
		return reasons
	}
	w.admin("PUT", "/v1/customers/"+people[0]+"/blacklist", BlacklistInput{Reason: "before"}).want(http.StatusOK)
	ends := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	path, r = done(map[string]any{"action": "blacklist", "reason": " 骚扰 ", "expires_at": ends, "filter": map[string]any{}})
	if r.get("changed") != 3.0 || r.get("refused") != 1.0 || r.get("reason") != "骚扰" || r.get("expires_at") != ends.Format(time.RFC3339) || fmt.Sprint(r.get("filter")) != "map[]" {
		t.Errorf("blacklisted: %s", r.body)
	}
	if codes, _ := w.refusals(path+"/refused", "en"); len(codes) != 1 || codes[people[0]] != "ALREADY_BLACKLISTED" || fmt.Sprint(listed()) != "[before 骚扰 骚扰 骚扰]" {
		t.Errorf("refused: %v, listed: %v", codes, listed())
	}
	w.admin("DELETE", "/v1/customers/"+people[1]+"/blacklist", nil).want(http.StatusNoContent)
	if r := undone(path); r.get("undone") != 2.0 || r.get("kept") != 1.0 || fmt.Sprint(listed()) != "[before <nil> <nil> <nil>]" {
		t.Errorf("undone: %s, listed: %v", r.body, listed())
	}
	path, r = done(map[string]any{"action": "unblacklist", "ids": people})
	if codes, _ := w.refusals(path+"/refused", "zh"); r.get("changed") != 1.0 || r.get("refused") != 3.0 || len(codes) != 3 || codes[people[3]] != "NOT_BLACKLISTED" {
		t.Errorf("taken off: %s, %v", r.body, codes)
	}
	if r := undone(path); r.get("undone") != 1.0 || fmt.Sprint(listed()) != "[before <nil> <nil> <nil>]" {
		t.Errorf("undone: %s, listed: %v", r.body, listed())
	}

	// One that nothing has come of cannot be undone, and nobody can be meant.
	path, r = done(map[string]any{"action": "untag", "tag_id": vip, "filter": map[string]any{"field": "nickname", "op": "eq", "value": "nobody"}})
	if r.get("status") != "completed" || r.get("selected") != 0.0 || r.get("progress.total") != 0.0 {
		t.Errorf("done to nobody: %s", r.body)
	}
	w.admin("POST", path+"/undo", nil).refused(http.StatusConflict, "JOB_STATUS", "")
	// A tag that is deleted meanwhile is refused of everybody.
	id, path := w.bulk(map[string]any{"action": "tag", "tag_id": vip, "ids": people[2:]})
	w.admin("DELETE", "/v1/tags/"+vip, nil).want(http.StatusNoContent)
	w.finish(id)
	if codes, details := w.refusals(path+"/refused", "zh"); len(codes) != 2 || codes[people[2]] != "TAG_UNKNOWN" || strings.ContainsAny(details[0], "{}?") {
		t.Errorf("refused: %v %q", codes, details)
	}
	if w.head("other") != headOfOthers {
		t.Error("another tenant's log has grown")
	}
	first := w.shown("/v1/customers/bulk?limit=3")
	second := w.admin("GET", "/v1/customers/bulk?limit=3&cursor="+first.get("next").(string), nil).want(http.StatusOK)
	if first.get("items.0.id") != id || second.get("items.2.action") != "tag" || second.get("next") != nil {
		t.Errorf("the list: %s, %s", first.body, second.body)
	}
	// One that its filter names makes the whole fail: whoever was left out for having it would be meant.
	spare := w.admin("POST", "/v1/tags", TagInput{"勿扰"}).want(http.StatusCreated).get("id").(string)
	spared, sparedPath := w.bulk(map[string]any{"action": "blacklist", "reason": "x", "filter": map[string]any{"field": "tags", "op": "has_none", "value": []string{spare}}})
	w.admin("DELETE", "/v1/tags/"+spare, nil).want(http.StatusNoContent)
	w.finish(spared)
	if r := w.shown(sparedPath); r.get("status") != "failed" || r.get("code") != "TAG_UNKNOWN" || r.get("progress.done") != 0.0 {
		t.Errorf("of a filter that names a deleted tag: %s", r.body)
	}
}

// TestABulkActionIsCanceled cancels after some, and undoes what was done.
func TestABulkActionIsCanceled(t *testing.T) {
	w := uploading(t)
	const everybody = job.Chunk + 100 // more than go into one append
	var b strings.Builder
	b.WriteString("ID,关联ID\n")
	for i := range everybody {
		fmt.Fprintf(&b, "u%d,2\n", i)
	}
	w.imported("a.csv", b.String())
	vip := w.admin("POST", "/v1/tags", TagInput{"VIP"}).want(http.StatusCreated).get("id").(string)
	id, path := w.bulk(map[string]any{"action": "tag", "tag_id": vip, "filter": map[string]any{}})
	for w.shown(path).get("changed") == 0.0 {
		w.step(id)
		w.seen(w.head("acme"))
	}
	canceled := w.admin("POST", path+"/cancel", nil).want(http.StatusOK)
	some, _ := canceled.get("changed").(float64)
	if canceled.get("status") != "canceled" || canceled.get("selected") != float64(everybody) || some == everybody || canceled.get("progress.done") != some || canceled.get("finished_at") == nil {
		t.Errorf("canceled: %s", canceled.body)
	}
	if again := w.admin("POST", path+"/cancel", nil).want(http.StatusOK); again.position() != canceled.position() {
		t.Errorf("canceled again: %s", again.body)
	}
	w.finish(id)
	count := func() any { return w.shown("/v1/tags").get("items.0.customers") }
	if count() != some {
		t.Errorf("%v are tagged, want %v", count(), some)
	}
	w.admin("POST", path+"/undo", nil).want(http.StatusAccepted)
	w.finish(id)
	if shown := w.shown(path); shown.get("status") != "reverted" || shown.get("undone") != some || count() != 0.0 {
		t.Errorf("undone: %s, tagged are %v", shown.body, count())
	}
	// One that waits.
	id, path = w.bulk(map[string]any{"action": "tag", "tag_id": vip, "filter": map[string]any{}})
	if canceled := w.admin("POST", path+"/cancel", nil).want(http.StatusOK); canceled.get("status") != "canceled" {
		t.Errorf("canceled: %s", canceled.body)
	}
	w.finish(id)
	if count() != 0.0 {
		t.Errorf("%v are tagged", count())
	}
	w.admin("POST", path+"/undo", nil).refused(http.StatusConflict, "JOB_STATUS", "")
}

func TestWhatNoBulkActionCanBe(t *testing.T) {
	w := start(t, options{idle: true})
	w.associations("acme/admin")
	vip := w.admin("POST", "/v1/tags", TagInput{"VIP"}).want(http.StatusCreated).get("id").(string)
	theirTag := w.do(call{as: "other/admin", method: "POST", path: "/v1/tags", body: TagInput{"VIP"}}).want(http.StatusCreated).get("id").(string)
	theirGroup := w.do(call{as: "other/admin", method: "POST", path: "/v1/groups", body: groupInput("theirs", listed)}).want(http.StatusCreated).get("id").(string)
	head := w.head("acme")
	one := `["` + uuid.NewString() + `"]`
	ids := make([]string, bulk.MaxNamed+1)
	for i := range ids {
		ids[i] = uuid.NewString()
	}
	tooMany, err := json.Marshal(ids)
	if err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)
	for what, c := range map[string]struct{ body, code, at, rule string }{
		"no body":                 {"", "VALIDATION", "body", "required"},
		"no action":               {`{"ids":` + one + `}`, "VALIDATION", "action", "required"},
		"an unknown action":       {`{"action":"erase","ids":` + one + `}`, "VALIDATION", "action", "one_of"},
		"an action in capitals":   {`{"action":"TAG","tag_id":"` + vip + `","ids":` + one + `}`, "VALIDATION", "action", "one_of"},
		"an unknown member":       {`{"action":"unblacklist","id":` + one + `}`, "VALIDATION", "id", "unknown"},
		"no tag":                  {`{"action":"tag","ids":` + one + `}`, "VALIDATION", "tag_id", "required"},
		"a tag that is no id":     {`{"action":"tag","tag_id":"VIP","ids":` + one + `}`, "VALIDATION", "tag_id", "uuid"},
		"an unknown tag":          {`{"action":"untag","tag_id":"` + uuid.NewString() + `","ids":` + one + `}`, "TAG_UNKNOWN", "tag_id", ""},
		"another tenant's tag":    {`{"action":"tag","tag_id":"` + theirTag + `","ids":` + one + `}`, "TAG_UNKNOWN", "tag_id", ""},
		"no reason":               {`{"action":"blacklist","reason":" ","ids":` + one + `}`, "VALIDATION", "reason", "required"},
		"a reason too long":       {`{"action":"blacklist","reason":"` + strings.Repeat("因", 151) + `","ids":` + one + `}`, "VALIDATION", "reason", "too_long"},
		"a reason of control":     {`{"action":"blacklist","reason":"a\u0007","ids":` + one + `}`, "VALIDATION", "reason", "characters"},
		"an end in the past":      {`{"action":"blacklist","reason":"x","expires_at":"` + past + `","ids":` + one + `}`, "VALIDATION", "expires_at", "future"},
		"an end that is no time":  {`{"action":"blacklist","reason":"x","expires_at":"tomorrow","ids":` + one + `}`, "VALIDATION", "expires_at", "time"},
		"nobody":                  {`{"action":"unblacklist"}`, "VALIDATION", "ids", "required"},
		"an empty list":           {`{"action":"unblacklist","ids":[]}`, "VALIDATION", "ids", "required"},
		"null for a list":         {`{"action":"unblacklist","ids":null}`, "VALIDATION", "ids", "required"},
		"null for a filter":       {`{"action":"blacklist","reason":"x","filter":null}`, "VALIDATION", "ids", "required"}, // not everybody
		"names beside a filter":   {`{"action":"unblacklist","filter":{},"ids":` + one + `}`, "VALIDATION", "ids", "unknown"},
		"too many":                {`{"action":"unblacklist","ids":` + string(tooMany) + `}`, "VALIDATION", "ids", "too_many"},
		"one that is no id":       {`{"action":"unblacklist","ids":["` + uuid.NewString() + `","x"]}`, "VALIDATION", "ids[1]", "uuid"},
		"a filter that is a text": {`{"action":"unblacklist","filter":"{}"}`, "VALIDATION", "filter", "type_object"},
		"an unknown field":        {`{"action":"unblacklist","filter":{"any":[` + listed + `,{"field":"shoe_size","op":"is_set"}]}}`, "VALIDATION", "filter.any[1].field", ""},
		"a filter's unknown tag":  {`{"action":"unblacklist","filter":` + string(hasTag(theirTag)) + `}`, "TAG_UNKNOWN", "filter.value[0]", ""},
		"another tenant's group":  {`{"action":"unblacklist","filter":{"not":{"field":"groups","op":"has_any","value":["` + theirGroup + `"]}}}`, "GROUP_UNKNOWN", "filter.not.value[0]", ""},
	} {
		t.Run(what, func(t *testing.T) {
			w := *w
			w.t = t
			for _, language := range []string{"en", "zh"} {
				r := w.do(call{as: "acme/admin", method: "POST", path: "/v1/customers/bulk", body: c.body, headers: map[string]string{"Accept-Language": language}})
				r.refused(http.StatusUnprocessableEntity, c.code, c.at)
				if p := r.problem(); c.rule != "" && (len(p.Errors) != 1 || p.Errors[0].Rule != c.rule) {
					t.Errorf("got %s, want the rule %s", r.body, c.rule)
				}
			}
		})
	}
	if w.head("acme") != head {
		t.Error("what was refused left something in the log")
	}
	// As many as can be named, in a body that is not too large.
	most, err := json.Marshal(map[string]any{"action": "untag", "tag_id": vip, "ids": ids[1:]})
	if err != nil {
		t.Fatal(err)
	}
	w.admin("POST", "/v1/customers/bulk", most).want(http.StatusAccepted)
}
