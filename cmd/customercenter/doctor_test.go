package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"customercenter/internal/natstest"
	"customercenter/internal/pgtest"
)

// The doctor finds what an operator would have to know, one thing after the other, and says how to mend each.
func TestDoctorFinds(t *testing.T) {
	cluster := pgtest.NewCluster(t, true)
	if err := cluster.EnsureDatabase(t.Context(), "center"); err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	environment := []string{"DATABASE_URL=" + cluster.DSN("center"), "NATS_URL=" + natstest.Start(t).URL(), "CUSTOMERCENTER_DATA=" + data, "CUSTOMERCENTER_PUBLIC_URL=" + secure.URL,
		"CUSTOMERCENTER_OIDC_ISSUER=" + secure.URL + "/staff"}
	conn, err := pgx.Connect(t.Context(), cluster.DSN("center"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	sql := func(statement string) func() {
		return func() {
			t.Helper()
			if _, err := conn.Exec(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
	}
	key := filepath.Join(data, "master.key")
	mode := func(m os.FileMode) func() {
		return func() {
			if err := os.Chmod(key, m); err != nil {
				t.Fatal(err)
			}
		}
	}
	look := func() string {
		t.Helper()
		p := startWith(t, environment, "doctor", "--wait", "0s")
		var said strings.Builder
		for line := range p.lines {
			said.WriteString(line + "\n")
		}
		if code := p.ended(); code != exitFailed {
			t.Fatalf("exit code %d: %s", code, &said)
		}
		return said.String()
	}
	if said := look(); !strings.Contains(said, "ILL   database schema: there are no tables\n      → run `customercenter migrate`") {
		t.Errorf("of an empty database: %s", said)
	}
	runWith(t, environment, "tenant", "create", "acme")
	newest := `(select max(version_id) from goose_db_version)`
	for _, c := range []struct {
		what       string
		make, undo func()
		finding    string
		mend       string
	}{
		{"nobody works", nil, nil, "ILL   workers: no process of this version has the role relay, projector, policies", "customercenter serve --role"},
		{"nobody made the streams", nil, nil, "ILL   stream CC_IN: ", "have relay and policies run"},
		{"a certificate of nobody's", nil, nil, "ILL   certificate of 127.0.0.1", "renew it"},
		{"a provider of accounts that is none", nil, nil, "ILL   company accounts: ", "exactly what it calls itself"},
		{"a key that others may read", mode(0o644), mode(0o600), "ILL   master.key: others may read it (mode 0644)", "chmod 600"},
		{"a slot that nobody follows", sql(`select pg_create_physical_replication_slot('gone', true)`), sql(`select pg_drop_replication_slot('gone')`), "ILL   replication slots: nobody follows gone", "pg_drop_replication_slot"},
		{"commits that wait for nothing", sql(`alter database center set synchronous_commit = off`), sql(`alter database center reset synchronous_commit`), "ILL   what is acknowledged is on the disk: synchronous_commit = off", "set them to on"},
		{"a rotation that was left alone", sql(`update master_keys set wraps = false; insert into master_keys (id, wraps) values ('new', true)`), sql(`delete from master_keys where id = 'new'; update master_keys set wraps = true`),
			"look  keys wrapped by an older master key: there are 1", "customercenter keys rotate"},
		{"a schema that is older", sql(`update goose_db_version set is_applied = false where version_id = ` + newest), sql(`update goose_db_version set is_applied = true`), "ILL   database schema: version ", "customercenter migrate"},
		{"a schema that is newer", sql(`insert into goose_db_version (version_id, is_applied) values (99999, true)`), sql(`delete from goose_db_version where version_id = 99999`), "look  database schema: version 99999 is newer", "finish the upgrade"},
	} {
		t.Run(c.what, func(t *testing.T) {
			if c.make != nil {
				if said := look(); strings.Contains(said, c.finding) {
					t.Fatalf("it says so before: %s", said)
				}
				c.make()
				defer c.undo()
			}
			said := look()
			_, after, found := strings.Cut(said, c.finding)
			_, after, _ = strings.Cut(after, "\n")
			if mend, _, _ := strings.Cut(after, "\n"); !found || !strings.HasPrefix(mend, "      → ") || !strings.Contains(mend, c.mend) {
				t.Errorf("it says\n%s\nand not %q with %q", said, c.finding, c.mend)
			}
		})
	}
}
