package eventfiles

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"customercenter/internal/flock"
)

const recorded = "2026-11-26T23:59:59.999999Z"

// line is an event as the API tells it.
func line(position int, at, stream, kind, data string) []byte {
	return fmt.Appendf(nil, `{"tenant":"acme","position":%d,"stream":%q,"version":7,"type":%q,"type_version":2,"customer":null,"data":%s,`+
		`"meta":{"append":"x","actor":{"kind":"agent","id":"li.na"},"cause":"c","correlation":"r","occurred_at":"2026-11-03T01:02:03.5+08:00"},"recorded_at":%q}`, position, stream, kind, data, at)
}

func open(t *testing.T, dir, about string) *Directory {
	t.Helper()
	d, err := Open(dir, "acme", about)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// files are those that there are, by their names below the directory, hidden ones too.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, at os.DirEntry, err error) error {
		if err == nil && !at.IsDir() {
			name, err = filepath.Rel(dir, name)
			names = append(names, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestEachDayHasItsFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "[prod] *?") // as somebody may call it
	d := open(t, dir, "all")
	d.Epoch = "e1"
	for i, at := range []string{"2026-11-25T10:00:00Z", recorded, recorded, "2026-11-27T00:00:00Z"} {
		if err := d.Add(line(i+1, at, "tags", "tag.created", `{"tag":"t"}`)); err != nil {
			t.Fatal(err)
		}
	}
	d.part.failed = errors.New("no space") // for its rows: now there is some again
	if err := errors.Join(d.Keep(), d.Keep()); err == nil {
		t.Error("a file without its rows is complete")
	}
	if d.Last() != 3 || d.Files() != 2 {
		t.Errorf("%d in %d files", d.Last(), d.Files())
	}
	if err := d.Close(); err != nil { // the fourth was not kept
		t.Fatal(err)
	}
	want := []string{"tenant=acme/.lock", "tenant=acme/day=2026-11-25/part-000000000001-000000000001.parquet", "tenant=acme/day=2026-11-26/part-000000000002-000000000003.parquet"}
	if got := files(t, dir); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	// What somebody who was killed has left goes; what is there stays.
	left := filepath.Join(dir, "tenant=acme", "day=2026-11-26", ".123.part")
	if err := os.WriteFile(left, []byte("PAR1"), 0o600); err != nil {
		t.Fatal(err)
	}
	d = open(t, dir, "all")
	if got := files(t, dir); d.Last() != 3 || d.Epoch != "e1" || !slices.Equal(got, want) {
		t.Errorf("%d of %s, %v", d.Last(), d.Epoch, got)
	}
	if _, err := Open(dir, "acme", "all"); !errors.Is(err, flock.ErrLocked) {
		t.Errorf("two at a time: %v", err)
	}
	if err := errors.Join(d.Add(line(4, "2026-11-27T00:00:00Z", "tags", "tag.created", `{}`)), d.Keep(), d.Keep(), d.Close()); err != nil {
		t.Fatal(err)
	}
	if got := files(t, dir); len(got) != 4 || got[3] != "tenant=acme/day=2026-11-27/part-000000000004-000000000004.parquet" {
		t.Errorf("got %v", got)
	}
	if _, err := Open(dir, "acme", "some"); !errors.Is(err, ErrOther) {
		t.Errorf("other events: %v", err)
	}
	if _, err := Open(dir, "acme", "all"); err != nil { // it was given free
		t.Error(err)
	}
}

// Files are put on the disk many at a time; whoever is killed begins behind them.
func TestFilesAppearTogether(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, "all")
	first := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range wholeParts + 3 {
		if want := i / (wholeParts + 1) * wholeParts; d.Last() != int64(want) || len(files(t, dir)) < want+1 {
			t.Fatalf("before day %d: %d of %d files", i, d.Last(), len(files(t, dir)))
		}
		if err := d.Add(line(i+1, first.AddDate(0, 0, i).Format(time.RFC3339), "tags", "tag.created", `{}`)); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil { // the last three were not kept
		t.Fatal(err)
	}
	got := files(t, dir)
	if len(got) != wholeParts+1 || slices.ContainsFunc(got, func(name string) bool { return strings.HasSuffix(name, ".part") }) {
		t.Errorf("%d files: %v", len(got), got)
	}
	for i, name := range got[1:] {
		if all, err := parquet.ReadFile[event](filepath.Join(dir, name)); err != nil || len(all) != 1 || all[0].Position != int64(i+1) {
			t.Errorf("%s: %d events, %v", name, len(all), err)
		}
	}
}

// One that cannot be put on the disk takes those behind it away, and leaves those before it.
func TestWhatCannotAppearIsDroppedWithAllBehindIt(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, "all")
	for i, at := range []string{"2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z", "2026-11-26T00:00:00Z"} {
		if err := d.Add(line(i+1, at, "tags", "tag.created", `{}`)); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.whole[1].file.Close(); err != nil { // so it can be neither synced nor closed
		t.Fatal(err)
	}
	if err := d.Keep(); err == nil {
		t.Error("a file that cannot be put on the disk is kept")
	}
	want := []string{"tenant=acme/.lock", "tenant=acme/day=2026-11-23/part-000000000001-000000000001.parquet"}
	if got := files(t, dir); d.Last() != 1 || d.Files() != 1 || !slices.Equal(got, want) {
		t.Errorf("%d in %d files: %v", d.Last(), d.Files(), got)
	}
}

// A file is compressed, has groups of rows, and says what it has.
func TestAFileHasGroups(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, "all")
	const n = groupRows + 17
	for i := range n {
		if err := d.Add(line(i+1, recorded, "tags", "tag.created", `{"tag":"t"}`)); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Keep(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, files(t, dir)[1])
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	at, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	file, err := parquet.OpenFile(f, at.Size())
	if err != nil {
		t.Fatal(err)
	}
	if about, _ := file.Lookup(aboutKey); about != "all" || file.NumRows() != n || len(file.RowGroups()) != 2 || file.RowGroups()[0].NumRows() != groupRows {
		t.Errorf("%q, %d rows in %d groups", about, file.NumRows(), len(file.RowGroups()))
	}
	if all, err := parquet.ReadFile[event](name); err != nil || len(all) != n || all[n-1].Position != n {
		t.Errorf("%d rows: %v", len(all), err)
	}
}

func TestRowsOfEvents(t *testing.T) {
	occurred := time.Date(2026, 11, 2, 17, 2, 3, 5e8, time.UTC).UnixMicro()
	at := time.Date(2026, 11, 26, 23, 59, 59, 999999000, time.UTC).UnixMicro()
	for _, c := range []struct {
		stream, kind, data string
		want               event
	}{
		{"session-s1", "session.message_recorded", `{"message":"m","sender":{"kind":"agent","id":"a"},"kind":"text","text":"你好"}`,
			event{Session: "s1", Message: "m", MessageKind: "text", Sender: "agent", Agent: "a", Text: "你好"}},
		{"session-s1", "session.message_recorded", `{"message":"m","sender":{"kind":"customer"},"kind":"image"}`, event{Session: "s1", Message: "m", MessageKind: "image", Sender: "customer"}},
		{"suppressed-c", "suppressed.message_recorded", `{"message":"m","kind":"text"}`, event{Message: "m", MessageKind: "text"}},
		{"session-s1", "session.started", `{"customer":"c","association":3,"channel":"web","initiator":"customer"}`, event{Session: "s1", Association: 3, Channel: "web"}},
		{"session-s1", "session.transferred", `{"from":"a","to":"b"}`, event{Session: "s1", Agent: "b"}},
		{"session-s1", "session.accepted", `{"agent":"a"}`, event{Session: "s1", Agent: "a"}},
		{"session-s1", "session.rated", `{"score":4}`, event{Session: "s1", Score: 4}},
		{"customer-c", "customer.session_opened", `{"session":"s2"}`, event{Session: "s2"}},
		{"customer-c", "customer.tagged", `{"tag":"t"}`, event{Tag: "t"}},
		{"customer-c", "customer.created", `{"association":1,"channel":"app","import":"j","tags":["t"]}`, event{Association: 1, Channel: "app", Job: "j"}},
		{"groups", "group.renamed", `{"group":"g","name":"VIP"}`, event{Group: "g"}},
		{"job-j", "import.failed", `{"code":"INTERNAL"}`, event{Job: "j", Code: "INTERNAL"}},
		{"auto-messages", "auto_message.started", `{"auto_message":"m"}`, event{AutoMessage: "m"}},
		{"x", "x.y", `{"tag":["of","another","type"],"code":"C"}`, event{Code: "C"}},
		{"x", "x.y", `null`, event{}},
	} {
		c.want.Position, c.want.Stream, c.want.Version, c.want.Type, c.want.TypeVersion, c.want.Data = 9, c.stream, 7, c.kind, 2, c.data
		c.want.ActorKind, c.want.ActorID, c.want.Cause, c.want.Correlation, c.want.OccurredAt, c.want.RecordedAt = "agent", "li.na", "c", "r", occurred, at
		got, err := new(told).read(line(9, recorded, c.stream, c.kind, c.data))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v\ngot  %+v\nwant %+v", c.kind, err, got, c.want)
		}
	}
	d := open(t, t.TempDir(), "all")
	for _, text := range []string{"", "{", "{}", "[]", `{"position":1}`, `{"position":1,"type":"x","recorded_at":"` + recorded + `","tenant":"other","data":{}}`} {
		if err := d.Add([]byte(text)); !errors.Is(err, ErrUnreadable) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAbout(t *testing.T) {
	if got := About("from", "", "of the types", "a.b c.d", "of the stream", "tags"); got != "of the types a.b c.d, of the stream tags" {
		t.Errorf("got %q", got)
	}
	if got := About("from", ""); got != "all events" {
		t.Errorf("got %q", got)
	}
}
