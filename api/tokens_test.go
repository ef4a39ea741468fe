package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"customercenter/api/access"
)

func TestTheListOfTokensTellsWhoMadeThemAndWhoseTheyAre(t *testing.T) {
	w := start(t, options{})
	boss := w.token(access.New{Tenant: "acme", Role: access.Admin, Actor: "boss", Name: "from before"})
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	made := w.do(call{as: boss, method: "POST", path: "/v1/tokens", body: TokenInput{Role: "agent", ActorID: "小王", Name: "Desk 3", ExpiresAt: &expires}}).want(http.StatusCreated)
	path := made.header.Get("Location")
	one := w.do(call{as: boss, method: "GET", path: path}).want(http.StatusOK)
	if one.get("id") != made.get("id") || one.get("actor_id") != "小王" || one.get("name") != "Desk 3" || one.get("created_by.kind") != "admin" ||
		one.get("created_by.id") != "boss" || one.get("expires_at") != expires.Format(time.RFC3339) || one.get("last_used_at") != nil || one.get("token") != nil {
		t.Errorf("made %s, shown %s", made.body, one.body)
	}
	text := made.get("token").(string)
	w.do(call{as: text, method: "GET", path: "/v1/sessions"}).want(http.StatusOK)
	list := w.do(call{as: boss, method: "GET", path: "/v1/tokens"}).want(http.StatusOK)
	used, err := time.Parse(time.RFC3339, fmt.Sprint(list.get("items.0.last_used_at")))
	if err != nil || time.Since(used) > time.Minute {
		t.Errorf("used %v (%v): %s", used, err, list.body)
	}
	if list.get("items.0.current") != false || list.get("items.1.current") != true || list.get("items.1.actor_id") != "boss" || list.get("items.1.created_by") != nil {
		t.Errorf("list %s", list.body)
	}
	w.do(call{as: "other/admin", method: "GET", path: path}).refused(http.StatusNotFound, "NOT_FOUND", "")
}

// TestNoTokenMakesAMightierOne tries what would reach further than the admin who asks.
func TestNoTokenMakesAMightierOne(t *testing.T) {
	w := start(t, options{})
	for location, body := range map[string]map[string]any{
		"role":       {"role": "operator", "actor_id": "x"},
		"tenant":     {"role": "admin", "actor_id": "x", "tenant": "other"},
		"actor_kind": {"role": "agent", "actor_id": "x", "actor_kind": "admin"},
	} {
		w.admin("POST", "/v1/tokens", body).refused(http.StatusUnprocessableEntity, "VALIDATION", location)
	}
	// Who makes tokens for others is an admin; nobody else gets there, for oneself neither.
	for _, role := range []string{"agent", "analyst", "channel", "operator"} {
		for _, as := range []string{"agent", "analyst", "channel", "admin"} {
			w.do(call{as: "acme/" + role, method: "POST", path: "/v1/tokens", body: TokenInput{Role: as, ActorID: role + "-1"}}).refused(http.StatusForbidden, "FORBIDDEN", "")
		}
	}
}

func TestOnesOwnTokenCanBeRevoked(t *testing.T) {
	w := start(t, options{})
	made := w.admin("POST", "/v1/tokens", TokenInput{Role: "admin", ActorID: "leaving"}).want(http.StatusCreated)
	c := call{as: made.get("token").(string), method: "DELETE", path: "/v1/tokens/" + made.get("id").(string)}
	w.do(c).want(http.StatusNoContent)
	w.do(c).refused(http.StatusUnauthorized, "UNAUTHENTICATED", "")
	shown := w.admin("GET", "/v1/tokens/"+made.get("id").(string), nil).want(http.StatusOK)
	if shown.get("revoked_at") == nil {
		t.Errorf("shown %s", shown.body)
	}
}

// TestATokenIsShownOnceAndKeptNowhere makes tokens in every way, uses them, and looks for their texts in all tables, logs and answers.
func TestATokenIsShownOnceAndKeptNowhere(t *testing.T) {
	w := start(t, options{})
	w.associations("acme/admin")
	texts := []string{w.bearer["acme/admin"]}
	for i, key := range []string{"", "a-key"} {
		c := call{as: "acme/admin", method: "POST", path: "/v1/tokens", body: TokenInput{Role: "admin", ActorID: fmt.Sprint("a", i)}, headers: map[string]string{}}
		if key != "" {
			c.headers["Idempotency-Key"] = key
		}
		made := w.do(c).want(http.StatusCreated)
		text := made.get("token").(string)
		texts = append(texts, text)
		if len(text) != 46 || !strings.HasPrefix(text, "cc_") { // 32 random bytes
			t.Errorf("a token of %d characters", len(text))
		}
		for _, after := range []reply{
			w.do(call{as: text, method: "GET", path: "/v1/tokens"}).want(http.StatusOK),
			w.do(call{as: text, method: "GET", path: "/v1/tokens/" + made.get("id").(string)}).want(http.StatusOK),
			w.do(call{as: text, method: "GET", path: "/v1/events"}).want(http.StatusOK),
			w.do(call{as: text, method: "POST", path: "/v1/tags", body: TagInput{fmt.Sprint("tag ", i)}}).want(http.StatusCreated),
			w.do(call{method: "GET", path: "/metrics"}).want(http.StatusOK),
		} {
			if strings.Contains(string(after.body), text[3:]) {
				t.Errorf("an answer holds the token: %s", after.body)
			}
		}
		w.do(call{as: text, method: "DELETE", path: "/v1/tokens/" + made.get("id").(string)}).want(http.StatusNoContent)
		w.do(call{as: text, method: "GET", path: "/v1/tokens"}).refused(http.StatusUnauthorized, "UNAUTHENTICATED", "")
	}
	for _, text := range texts {
		if strings.Contains(w.log.String(), text[3:]) {
			t.Error("a log holds a token")
		}
	}
	rows := 0
	for _, table := range w.tables() {
		found, err := w.store.Pool().Query(t.Context(), "select t::text from "+table+" t")
		if err != nil {
			t.Fatal(err)
		}
		all, err := pgx.CollectRows(found, pgx.RowTo[string])
		if err != nil {
			t.Fatalf("%s: %v", table, err)
		}
		rows += len(all)
		for _, row := range all {
			for _, text := range texts {
				if strings.Contains(row, text[3:]) || strings.Contains(row, fmt.Sprintf("%x", text)) {
					t.Errorf("%s holds a token", table)
				}
			}
		}
	}
	if rows < 20 { // tenants, tokens, events, answers, read models
		t.Errorf("only %d rows were looked at", rows)
	}
}

// tables are the names of all tables, quoted.
func (w *world) tables() []string {
	w.t.Helper()
	found, err := w.store.Pool().Query(w.t.Context(), `select format('%I.%I', table_schema, table_name) from information_schema.tables
		where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`)
	if err != nil {
		w.t.Fatal(err)
	}
	names, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		w.t.Fatal(err)
	}
	return names
}
