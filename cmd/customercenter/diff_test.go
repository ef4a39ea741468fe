package main

import (
	"bytes"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/api"
	"customercenter/internal/pgtest"
	"customercenter/projections"
)

// A script is a script whatever people are called, also if it is fed where its schema is already: nothing of it is done then.
func TestTheScriptOfADiff(t *testing.T) {
	const name = "x'; rollback; drop table precious; --\\'\t\n:name \\N"
	group := projections.Named{ID: uuid.New(), Name: name}
	id := uuid.New()
	line := api.DiffLine{Kind: "changed", CustomerID: &id, ExternalID: name, Tags: &api.NamedDiff{Added: []projections.Named{group}}}
	end := api.DiffLine{Kind: "summary", Summary: &api.DiffSummary{
		Groups: []api.GroupTraffic{{ID: group.ID, Name: name, Gained: 7}}, Flows: []api.GroupFlow{{To: &group, Customers: 3}},
	}}

	var script bytes.Buffer
	d := diffScript{out: &script, schema: "user"} // a word of SQL
	if err := d.begin(); err != nil {
		t.Fatal(err)
	}
	const customers = scriptRows + 1
	for range customers {
		if err := d.customer(&line, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.end(&end, nil); err != nil {
		t.Fatal(err)
	}
	db, err := pgx.Connect(t.Context(), pgtest.DSN(t, pgtest.Template{Name: "empty"}))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	if _, err := db.Exec(t.Context(), `create table precious ()`); err != nil {
		t.Fatal(err)
	}
	feed := func() error {
		_, err := db.PgConn().Exec(t.Context(), script.String()).ReadAll()
		return err
	}
	if err := feed(); err != nil {
		t.Fatal(err)
	}
	if feed() == nil {
		t.Error("it was fed twice")
	}
	if _, err := db.PgConn().Exec(t.Context(), `rollback`).ReadAll(); err != nil {
		t.Fatal(err)
	}
	var rows, named, gained, flowed, precious int
	if err := db.QueryRow(t.Context(), `select count(*), count(*) filter (where external_id = $1 and (what = 'customer' or name = $1)),
		(select sum(gained) from "user".group_traffic where name = $1), (select sum(customers) from "user".group_flow where from_name is null and to_name = $1),
		(select count(*) from precious) from "user".difference`, name).Scan(&rows, &named, &gained, &flowed, &precious); err != nil {
		t.Fatal(err)
	}
	if rows != 2*customers || named != rows || gained != 7 || flowed != 3 {
		t.Errorf("%d rows, %d of them named, %d gained, %d flowed", rows, named, gained, flowed)
	}
}
