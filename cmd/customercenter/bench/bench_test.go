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
		"append":     {"append 1 writers", "append 128 writers", "500-event batches", "10 % conflicting"},
		"relay":      {"relay"},
		"project":    {"customers live", "customers rebuild", "sessions live", "sessions rebuild"},
		"pipeline":   {"append to visible", "channel event to visible", "queue to visible"},
		"list":       {"default", "all", "deep page", "channel", "tag of every third", "1 common character", "3 characters", "nobody", "id"},
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
