package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"customercenter/api"
)

// told gets all that is known of her, by the command, and holds it against its description.
func (w *eraseWorld) told() (text []byte, all api.Everything) {
	w.t.Helper()
	file := fmt.Sprintf("everything-%d.json", w.n)
	w.n++
	if printed, code := w.p.run("customercenter customers everything " + w.id + " -o " + file); code != 0 || !strings.Contains(printed, file) {
		w.t.Fatal(printed)
	}
	text, err := os.ReadFile(filepath.Join(w.p.dir, file))
	if err != nil {
		w.t.Fatal(err)
	}
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&all); err != nil {
		w.t.Fatalf("%v: %.2000s", err, text)
	}
	if !all.Complete || all.CustomerID.String() != w.id || all.At.IsZero() || all.By.Kind != "admin" {
		w.t.Errorf("complete %v, of %s at %s for %+v", all.Complete, all.CustomerID, all.At, all.By)
	}
	position := int64(0)
	for _, e := range all.Events {
		if e.Position <= position || e.Text == "" || len(e.Data) == 0 || e.Unreadable {
			w.t.Errorf("event %d, behind %d: %q", e.Position, position, e.Text)
		}
		position = e.Position
	}
	if n := w.count(`select count(*) from events where customer = $1 and position <= $2`, w.id, all.Position); n != len(all.Events) || position != all.Position {
		w.t.Errorf("%d of %d events, the last at %d of %d", len(all.Events), n, position, all.Position)
	}
	return text, all
}

// everything has all that is known of her told: every word that she has left is there, and each part of it.
func (w *eraseWorld) everything() {
	w.t.Helper()
	text, all := w.told()
	if len(w.words) < 18 {
		w.t.Errorf("she has left only %q", w.words)
	}
	for _, word := range append(w.words, herID) {
		if !bytes.Contains(text, []byte(`"`+word+`"`)) {
			w.t.Errorf("%s is not told by itself", word)
		}
	}
	if all.Customer == nil || all.Erasure != nil || len(all.Profile) != 9 || len(all.Lives) != 1 || all.Lives[0].ExternalID != herID || all.Lives[0].EndedAt != nil {
		w.t.Errorf("customer %v, erasure %v, profile %v, lives %+v", all.Customer != nil, all.Erasure, all.Profile, all.Lives)
	}
	if len(all.Groups) != 1 || len(all.Groups[0].Evidence) == 0 || len(all.GroupMoves) != 1 || !all.GroupMoves[0].Entered || all.GroupMoves[0].Group.Name != "who is named" {
		w.t.Errorf("groups %+v, moves %+v", all.Groups, all.GroupMoves)
	}
	if len(all.Sessions) != 2 || len(all.Sessions[0].Items) != 4 || all.Sessions[0].Rating == nil || all.Sessions[0].Web == nil || len(all.Sessions[1].Items) != 3 {
		w.t.Errorf("sessions %+v", all.Sessions)
	}
	if len(all.Blacklistings) != 1 || all.Blacklistings[0].LiftedAt != nil || len(all.Suppressed) != 1 {
		w.t.Errorf("blacklistings %+v, suppressed %+v", all.Blacklistings, all.Suppressed)
	}
	if len(all.AutoMessages) != 1 || all.AutoMessages[0].Text != "How are you?" || all.AutoMessages[0].ListedAt == nil {
		w.t.Errorf("auto messages %+v", all.AutoMessages)
	}
	if len(all.BulkActions) != 1 || !all.BulkActions[0].Changed || all.BulkActions[0].Tag == nil || all.BulkActions[0].Tag.Name != "known" {
		w.t.Errorf("bulk actions %+v", all.BulkActions)
	}
	if len(all.Imports) != 1 || len(all.Imports[0].Rows) != 1 || all.Imports[0].Rows[0].Row != 2 || len(all.Exports) != 1 || len(all.DeadLetters) != 1 {
		w.t.Errorf("imports %+v, exports %+v, dead letters %d", all.Imports, all.Exports, len(all.DeadLetters))
	}
	// It is recorded: the next one who asks is told of this one.
	if _, again := w.told(); again.Events[len(again.Events)-2].Type != "customer.disclosed" || again.Position <= all.Position {
		w.t.Errorf("that it was given out is not among the events")
	}
}
