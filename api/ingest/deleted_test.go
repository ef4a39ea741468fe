package ingest

import (
	"fmt"
	"testing"
)

// Streams that somebody deletes under a running consumer are made again by it; nobody has to start it anew.
func TestDeletedStreamsAreMadeAgain(t *testing.T) {
	w := newWorld(t)
	w.consume()
	said := func(n int) string {
		return event("message.received", fmt.Sprintf(`{"external_id":"visitor","message":{"id":"m%[1]d","kind":"text","text":"%[1]d"}}`, n), map[string]any{"id": fmt.Sprint(n)})
	}
	w.publish("1", said(0))
	w.drained()
	for _, stream := range []string{StreamDead, StreamIn} {
		if err := w.js.DeleteStream(t.Context(), stream); err != nil {
			t.Fatal(err)
		}
	}
	w.until("the queue is not made again", func() bool {
		_, err := w.js.Stream(t.Context(), StreamIn)
		return err == nil
	})
	w.publish("1", said(1))
	w.drained()
	w.inOrder(1, 2)

	if err := w.js.DeleteStream(t.Context(), StreamDead); err != nil {
		t.Fatal(err)
	}
	w.publish("1", event("nothing.known", `{}`, map[string]any{"id": "2"}))
	w.drained()
	if dead := w.dead(); len(dead) != 1 {
		t.Errorf("dead letters %v", dead)
	}
}
