package eventstore

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// An envelope is written as encoding/json would.
func TestEnvelopesAreJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z0-9-]{0,12}`), rapid.SampledFrom([]string{`"`, `\`, "<b>&", "\x00\x7f", "王\xff"}))
		m := Meta{Append: uuid.New(), Actor: Actor{Kind: text.Draw(t, "kind"), ID: text.Draw(t, "id")}, Cause: text.Draw(t, "cause"), Correlation: text.Draw(t, "correlation")}
		if rapid.Bool().Draw(t, "outside") {
			at := time.UnixMicro(rapid.Int64Range(0, 1<<52).Draw(t, "at")).UTC()
			m.OccurredAt = &at
		}
		want, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := m.appendJSON(nil); err != nil || string(got) != string(want) {
			t.Fatalf("%s, %v; want %s", got, err, want)
		}
	})
}
