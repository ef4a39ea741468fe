package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"customercenter/eventstore/eventstoretest"
	"customercenter/internal/natstest"
	"customercenter/internal/pgtest"
)

// Every bench runs to its end on a little work, and prints for every case a figure beside its baseline. How large they are is for a quiet machine
// to say.
func TestBenchesMeasure(t *testing.T) {
	cases := map[string][]string{
		"append":   {"append 1 writers", "append 128 writers", "500-event batches", "10 % conflicting"},
		"relay":    {"relay"},
		"project":  {"customers live", "customers rebuild", "sessions live", "sessions rebuild"},
		"pipeline": {"append to visible", "channel event to visible", "queue to visible"},
		"list": {"created this week", "everybody", "a page from the middle", "tag, common", "1 character, rare", "3 characters", "Latin, nobody's", "id: 4 characters",
			"group: regulars", "group: quiet", "group and tag", "20 sessions or more", "rare tag or 2 characters", "by nickname", "4 clients: created this week", "all kinds mixed", "counts beside: tag, common", "page: this week", "page: 1 character", "size, everything",
			"writes: customers created", "writes: tags put on at random", "writes: a tag put on in bulk", "writes: sessions"},
		"groups": {"preview: a new group, by sets", "preview: another rule, by time", "define by sets, complete", "define by time, complete", "list pages while a rule by sets is filled",
			"until visible in groups", "revise, complete", "midnight, worked off", "commands at midnight until visible in customers", "rebuild", "live, 0 groups: alone", "live, 50 groups: with customers"},
		"jobs":       {"import csv, from its start", "commands during an import of csv", "import xlsx", "bulk tagging", "commands during a bulk action", "export csv", "export xlsx", "commands during an export of xlsx"},
		"events":     {"JSON lines", "Parquet", "commands during JSON lines", "commands during Parquet"},
		"whatif":     {"by last session", "by messages"},
		"asof":       {"schema", "customer, from the streams"},
		"flood":      {"flood: the other", "flood without limits"},
		"transcript": {"many sessions, the end", "from one of them on", "an agent's", "a long session, the end", "its beginning"},
	}
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			servers := Servers{
				Databases: func(context.Context, string) (string, error) { return pgtest.DSN(t, eventstoretest.Template()), nil },
				NATS:      natstest.Start(t),
			}
			var out bytes.Buffer
			options := Options{Rounds: 1, Each: 20 * time.Millisecond, Events: 400, Customers: 500}
			if err := Run(t.Context(), name, servers, options, &Report{Out: &out, JSON: true}); err != nil {
				t.Fatal(err)
			}
			missing := append([]string{}, cases[name]...)
			if len(missing) == 0 {
				t.Fatalf("no case of %s is expected", name)
			}
			for decoder := json.NewDecoder(&out); decoder.More(); {
				var line Line
				if err := decoder.Decode(&line); err != nil {
					t.Fatal(err)
				}
				if line.Unit == "MB" && line.Baseline == nil && line.Value > 0 {
					continue // the size of one table
				}
				if line.Value <= 0 || line.Baseline == nil || *line.Baseline <= 0 || *line.Ratio <= 0 || line.Unit == "" {
					t.Errorf("%+v: there must be a value and a baseline", line)
				}
				for i, part := range missing {
					if strings.Contains(line.Case, part) {
						missing = append(missing[:i], missing[i+1:]...)
						break
					}
				}
			}
			if len(missing) > 0 {
				t.Errorf("there is no line for %q", missing)
			}
		})
	}
}

// The list is measured without its baselines where there never were any.
func TestListMeasuresWithoutBaselines(t *testing.T) {
	servers := Servers{Databases: func(context.Context, string) (string, error) { return pgtest.DSN(t, eventstoretest.Template()), nil }, NATS: natstest.Start(t)}
	var out bytes.Buffer
	options := Options{Rounds: 1, Each: 20 * time.Millisecond, Customers: 500, Alone: true, Ungrouped: true}
	if err := Run(t.Context(), "list", servers, options, &Report{Out: &out, JSON: true}); err != nil {
		t.Fatal(err)
	}
	for _, wanted := range []string{"created this week", "all kinds mixed", "counts beside: tag, common", "size, everything", "writes: sessions"} {
		if !strings.Contains(out.String(), wanted) {
			t.Errorf("there is no line for %q:\n%s", wanted, &out)
		}
	}
}
