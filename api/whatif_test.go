package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/job"
	"customercenter/projections"
)

// whatIf starts a look at history.
func (w *world) whatIf(as, rule string, from time.Time) reply {
	w.t.Helper()
	return w.do(call{as: as, method: "POST", path: "/v1/groups/whatif", body: WhatIfInput{Rule: json.RawMessage(rule), From: from}})
}

// movesOf reads who would have entered and left.
func movesOf(t *testing.T, r reply) (moves []GroupMove) {
	t.Helper()
	if kind := r.header.Get("Content-Type"); kind != "application/x-ndjson" {
		t.Errorf("Content-Type %s", kind)
	}
	for line := range bytes.Lines(r.body) {
		var m GroupMove
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&m); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		moves = append(moves, m)
	}
	return moves
}

func TestWhatARuleWouldHaveDone(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	vip := w.admin("POST", "/v1/tags", TagInput{"VIP"}).want(http.StatusCreated).get("id").(string)
	first, second := w.customer("acme/admin", "v1", "小王"), w.customer("acme/admin", "v2", "小李")
	w.admin("PUT", "/v1/customers/"+first+"/tags/"+vip, nil).want(http.StatusNoContent)
	w.admin("PUT", "/v1/customers/"+second+"/tags/"+vip, nil).want(http.StatusNoContent)
	w.seen(w.admin("DELETE", "/v1/customers/"+second+"/tags/"+vip, nil).want(http.StatusNoContent).position())

	begun := w.whatIf("acme/admin", string(hasTag(vip)), longAgo).want(http.StatusAccepted)
	id := begun.get("id").(string)
	if begun.get("kind") != "whatif" || begun.get("created_by.id") != "admin-1" || begun.get("description") == "" {
		t.Errorf("%s", begun.body)
	}
	found := w.looked("acme/admin", id)
	if found.get("status") != "completed" || found.get("result.customers") != 2.0 || found.get("result.start") != 0.0 || found.get("result.entered") != 2.0 || found.get("result.left") != 1.0 ||
		found.get("result.members") != 1.0 || found.get("progress.done") != 2.0 || found.get("progress.total") != 2.0 || found.get("finished_at") == nil || found.get("result.days.0.members") != 1.0 {
		t.Errorf("%s", found.body)
	}
	path := "/v1/groups/whatif/" + id
	moves := movesOf(t, w.admin("GET", path+"/moves", nil).want(http.StatusOK))
	of := map[string][]GroupMove{}
	for _, m := range moves {
		of[m.CustomerID.String()] = append(of[m.CustomerID.String()], m)
	}
	if len(moves) != 3 || len(of[first]) != 1 || len(of[second]) != 2 || !of[second][0].Entered || of[second][1].Entered ||
		of[first][0].Nickname != "小王" || of[first][0].Cause.Kind != "event" || of[first][0].Evidence[0].Text == "" {
		t.Errorf("%+v", moves)
	}
	// The same, to somebody of the tenant who sees masks; not at all, to others.
	masks := movesOf(t, w.do(call{as: "acme/analyst", method: "GET", path: path + "/moves"}).want(http.StatusOK))
	if len(masks) != 3 || masks[0].Nickname != mask || masks[0].ExternalID != mask {
		t.Errorf("%+v", masks)
	}
	w.do(call{as: "other/admin", method: "GET", path: path}).refused(http.StatusNotFound, "WHATIF_GONE", "")
	// It has ended, so there is nothing to stop.
	if stopped := w.admin("POST", path+"/cancel", nil).want(http.StatusOK); stopped.get("status") != "completed" {
		t.Errorf("%s", stopped.body)
	}
	// Nothing of this is in the log.
	head := w.head("acme")
	w.looked("acme/admin", w.whatIf("acme/admin", string(hasTag(vip)), time.Now()).want(http.StatusAccepted).get("id").(string))
	if w.head("acme") != head {
		t.Errorf("the log went from %d to %d", head, w.head("acme"))
	}
}

func TestWhatIfIsRefusedAsAGroupIs(t *testing.T) {
	w := start(t, options{idle: true})
	for rule, at := range map[string]string{
		`{}`: "rule", `{"all":[{"field":"shoe_size","op":"is_set"}]}`: "rule.all[0].field", `{"field":"groups","op":"is_empty"}`: "rule.field",
	} {
		w.whatIf("acme/admin", rule, longAgo).refused(http.StatusUnprocessableEntity, "VALIDATION", at)
	}
	w.whatIf("acme/admin", listed, time.Now().Add(time.Hour)).refused(http.StatusUnprocessableEntity, "VALIDATION", "from")
	w.whatIf("acme/admin", listed, time.Time{}).want(http.StatusAccepted)
	// Who sees masks would find out what is under them.
	w.whatIf("acme/analyst", `{"field":"name","op":"contains","value":"王"}`, longAgo).refused(http.StatusForbidden, "FORBIDDEN", "rule")
}

// held keeps work that is asked for until a test does it.
func (w *world) held() *[]func(context.Context) {
	var works []func(context.Context)
	w.core.Background = func(work func(context.Context)) { works = append(works, work) }
	return &works
}

func TestSoManyLooksAtHistory(t *testing.T) {
	w := start(t, options{})
	works := w.held()
	first := w.whatIf("acme/admin", listed, longAgo).want(http.StatusAccepted).get("id").(string)
	path := "/v1/groups/whatif/" + first
	w.admin("GET", path+"/moves", nil).refused(http.StatusConflict, "ALREADY_RUNNING", "")
	// One at a time for a tenant, but that one's own makes room.
	w.whatIf("acme/analyst", listed, longAgo).refused(http.StatusConflict, "ALREADY_RUNNING", "")
	second := w.whatIf("acme/admin", listed, longAgo).want(http.StatusAccepted).get("id").(string)
	if a := w.admin("GET", path, nil).want(http.StatusOK); a.get("status") != "canceled" || a.get("result") != nil {
		t.Errorf("%s", a.body)
	}
	w.admin("GET", path+"/moves", nil).refused(http.StatusNotFound, "WHATIF_GONE", "")
	// What was stopped before it began finds nothing; the others are worked on.
	for _, work := range *works {
		work(t.Context())
	}
	if a := w.admin("GET", path, nil).want(http.StatusOK); a.get("status") != "canceled" {
		t.Errorf("%s", a.body)
	}
	if a := w.admin("GET", "/v1/groups/whatif/"+second, nil).want(http.StatusOK); a.get("status") != "completed" {
		t.Errorf("%s", a.body)
	}
}

func TestTwoLooksAtHistoryInAProcess(t *testing.T) {
	one := func(tenant string) *analysis {
		return &analysis{id: uuid.New(), tenant: tenant, by: projections.Actor{Kind: "admin", ID: "a"}, now: analysisState{status: job.Running}}
	}
	var as analyses
	first := one("acme")
	for _, a := range []*analysis{first, one("other"), one("acme")} { // the last one takes the place of the first
		if err := as.begin(a); err != nil {
			t.Fatal(err)
		}
	}
	if err := as.begin(one("third")); !errors.Is(err, commands.ErrBusy) {
		t.Errorf("got %v", err)
	}
	as.all[1].cancel()
	if err := as.begin(one("third")); err != nil || first.state().status != job.Canceled {
		t.Errorf("got %v; the first is %s", err, first.state().status)
	}
}

func TestALookAtHistoryIsStopped(t *testing.T) {
	w := start(t, options{})
	works := w.held()
	id := w.whatIf("acme/admin", listed, longAgo).want(http.StatusAccepted).get("id").(string)
	if a := w.admin("POST", "/v1/groups/whatif/"+id+"/cancel", nil).want(http.StatusOK); a.get("status") != "canceled" || a.get("finished_at") == nil {
		t.Errorf("%s", a.body)
	}
	(*works)[0](t.Context())
	if a := w.looked("acme/admin", id); a.get("status") != "canceled" {
		t.Errorf("%s", a.body)
	}
}

// What is wrong on the way is told; what is kept is not kept for ever, and leaves no file.
func TestLooksAtHistoryEnd(t *testing.T) {
	w := start(t, options{})
	works := w.held()
	dir := t.TempDir()
	id := w.whatIf("acme/admin", listed, longAgo).want(http.StatusAccepted).get("id").(string)
	t.Setenv("TMPDIR", dir+"/none")
	(*works)[0](t.Context())
	if a := w.admin("GET", "/v1/groups/whatif/"+id, nil).want(http.StatusOK); a.get("status") != "failed" || a.get("code") == "" || a.get("detail") == "" {
		t.Errorf("%s", a.body)
	}
	t.Setenv("TMPDIR", dir)
	for range analysesKept + 1 {
		id = w.whatIf("acme/admin", listed, longAgo).want(http.StatusAccepted).get("id").(string)
		(*works)[len(*works)-1](t.Context())
	}
	if n := len(w.core.analyses.all); n != analysesKept {
		t.Errorf("%d are kept", n)
	}
	a, err := w.core.analyses.find("acme", uuid.MustParse(id))
	if err != nil {
		t.Fatal(err)
	}
	a.mu.Lock()
	a.now.finished = time.Now().Add(-analysisKept - time.Minute)
	a.mu.Unlock()
	gone := w.admin("GET", "/v1/groups/whatif/"+id, nil)
	gone.refused(http.StatusNotFound, "WHATIF_GONE", "")
	if !strings.Contains(string(gone.body), "for an hour") {
		t.Errorf("%s", gone.body)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}

// What was found is gone after an hour though nobody asks any more, and the oldest of too much at once.
func TestWhatWasFoundIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var as analyses
		for range 3 {
			a := &analysis{id: uuid.New(), tenant: "acme", now: analysisState{status: job.Running}}
			if err := as.begin(a); err != nil {
				t.Fatal(err)
			}
			as.ended(t.Context(), a, projections.Hindsight{}, &spool{size: analysesBytes / 2}, nil)
			time.Sleep(time.Minute)
		}
		if len(as.all) != 2 || as.bytes() != analysesBytes {
			t.Errorf("%d are kept, %d bytes", len(as.all), as.bytes())
		}
		time.Sleep(analysisKept)
		as.mu.Lock()
		defer as.mu.Unlock()
		if len(as.all) != 0 {
			t.Errorf("%d are kept", len(as.all))
		}
	})
}

func TestASpoolHasABound(t *testing.T) {
	s, err := newSpool()
	if err != nil {
		t.Fatal(err)
	}
	s.size = maxSpool + 1
	var refusal *domain.Refusal
	if err := s.add(projections.GroupMove{}); !errors.As(err, &refusal) || refusal.Code != codeWhatIfTooLarge {
		t.Errorf("got %v", err)
	}
}
