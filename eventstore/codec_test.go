package eventstore

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/catalog"
	"customercenter/domain/customer"
	"customercenter/domain/exports"
	"customercenter/eventstore/keyring"
)

var update = flag.Bool("update", false, "write the golden files anew; only for payloads that were never stored")

func testKey(t testing.TB) keyring.Key {
	t.Helper()
	master, err := keyring.NewMaster(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	k, _ := keyring.New(nil, master).Create("acme", uuid.Nil, 1)
	return k
}

// fill sets every exported field to something that is not its zero value, the same in every run.
func fill(v reflect.Value, name string) {
	switch v.Interface().(type) {
	case uuid.UUID:
		v.Set(reflect.ValueOf(uuid.MustParse("0198c0de-0000-7000-8000-000000000001")))
		return
	case json.RawMessage:
		v.Set(reflect.ValueOf(json.RawMessage(`{"field":"` + strings.ToLower(name) + `"}`)))
		return
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 11, 22, 14, 5, 6, 789000000, time.UTC)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(strings.ToLower(name) + " 王 <&>")
	case reflect.Int, reflect.Int64:
		v.SetInt(3)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), name)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), name)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		e := reflect.New(v.Type().Elem()).Elem()
		fill(e, name)
		v.SetMapIndex(reflect.ValueOf("key"), e)
	case reflect.Interface:
		v.Set(reflect.ValueOf(strings.ToLower(name)))
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), v.Type().Field(i).Name)
		}
	default:
		panic(fmt.Sprintf("fill: %s", v.Kind()))
	}
}

// Every payload version that was ever stored must be read for ever. The golden file of a type holds its open and its personal part;
// a changed payload gets an upcaster and a new file, the old file stays. A new field that may be absent is no change: what has none is stored
// as ever, programs that do not know it pass over it, and older events are read without it, see TestAnOlderPayloadHasNoneOfTheNewFields.
func TestEveryPayloadVersionIsGolden(t *testing.T) {
	codec := NewCodec(catalog.Events()...)
	key := testKey(t)
	expected := map[string]bool{}
	for _, zero := range catalog.Events() {
		et := codec.types[zero.EventType()]
		name := fmt.Sprintf("%s.v%d.json", et.name, et.version)
		t.Run(name, func(t *testing.T) {
			v := reflect.New(et.goType).Elem()
			fill(v, et.name)
			where := at{"acme", "stream-1", 1}
			data, _, version, err := codec.encode(v.Interface(), where, func() (keyring.Key, error) { return key, nil })
			if err != nil {
				t.Fatal(err)
			}
			e := Event{Tenant: "acme", Stream: "stream-1", Version: 1, Type: et.name, TypeVersion: version, Data: data, Meta: []byte(`{}`)}
			find := func(int) (keyring.Key, bool) { return key, true }
			open, secret, _, err := new(opener).unseal(et.name, &e, find)
			if err != nil {
				t.Fatal(err)
			}
			got := string(open) + "\n" + string(secret) + "\n"
			path := filepath.Join("testdata", "events", name)
			if *update {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the stored form changed:\n got %s\nwant %s\nGive the type an upcaster instead of changing what is stored.", got, want)
			}
			d, err := codec.decode(new(opener), e, find)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(d.Payload, v.Interface()) {
				t.Errorf("decoded %+v, encoded %+v", d.Payload, v.Interface())
			}
			for _, f := range codec.PersonalFields(et.name) {
				if strings.Contains(string(open), `"`+f+`":`) {
					t.Errorf("personal field %s is stored open", f)
				}
			}
		})
		for version := 1; version <= et.version; version++ {
			expected[fmt.Sprintf("%s.v%d.json", et.name, version)] = true
		}
	}
	files, err := filepath.Glob("testdata/events/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !expected[filepath.Base(f)] {
			t.Errorf("%s: the type is gone, but its events are stored for ever", f)
		}
		delete(expected, filepath.Base(f))
	}
	for f := range expected {
		t.Errorf("no golden file %s", f)
	}
}

// Payloads as they were stored before their type got another field, which was no new version.
func TestAnOlderPayloadHasNoneOfTheNewFields(t *testing.T) {
	codec := NewCodec(catalog.Events()...)
	for stored, want := range map[string]domain.Event{
		`{"association":3,"channel":"app","tags":["0198c0de-0000-7000-8000-000000000001"],"via":"import","generation":1}`: customer.Created{
			Association: 3, Channel: "app", Tags: []uuid.UUID{uuid.MustParse("0198c0de-0000-7000-8000-000000000001")}, Via: "import", Generation: 1},
		`{}`: exports.Expired{},
	} {
		e := Event{Tenant: "acme", Stream: "s", Version: 1, Type: want.EventType(), TypeVersion: 1, Data: []byte(stored), Meta: []byte(`{}`)}
		if d, err := codec.decode(new(opener), e, nil); err != nil || !reflect.DeepEqual(d.Payload, want) {
			t.Errorf("%s is read as %+v, %v", stored, d.Payload, err)
		}
		key := testKey(t)
		data, _, version, err := codec.encode(want, at{"acme", "s", 1}, func() (keyring.Key, error) { return key, nil })
		open, sealed := cutSealed(data)
		if sealed != nil {
			open = append(slices.Clone(open), '}')
		}
		if err != nil || version != 1 || string(open) != stored {
			t.Errorf("%s is stored as %s in version %d, %v", stored, open, version, err)
		}
	}
}

// greeted is in its third version: v1 {"who"}, v2 {"name"}, v3 {"name", "language"}.
type greeted struct {
	Name     string `json:"name" personal:"true"`
	Language string `json:"language"`
}

func (greeted) EventType() string { return "test.greeted" }
func (greeted) Upcasters() []func(map[string]json.RawMessage) error {
	return []func(map[string]json.RawMessage) error{
		func(f map[string]json.RawMessage) error { f["name"] = f["who"]; delete(f, "who"); return nil },
		func(f map[string]json.RawMessage) error { f["language"] = json.RawMessage(`"zh"`); return nil },
	}
}

type greetedV1 struct {
	Who string `json:"who" personal:"true"`
}

func (greetedV1) EventType() string { return "test.greeted" }

func TestUpcastersBringOldPayloadsToTheCurrentVersion(t *testing.T) {
	key := testKey(t)
	data, _, _, err := NewCodec(greetedV1{}).encode(greetedV1{Who: "王芳"}, at{"acme", "s", 1}, func() (keyring.Key, error) { return key, nil })
	if err != nil {
		t.Fatal(err)
	}
	e := Event{Tenant: "acme", Stream: "s", Version: 1, Type: "test.greeted", TypeVersion: 1, Data: data, Meta: []byte(`{}`)}
	d, err := NewCodec(greeted{}).decode(new(opener), e, func(int) (keyring.Key, bool) { return key, true })
	if err != nil {
		t.Fatal(err)
	}
	if d.Payload != (greeted{Name: "王芳", Language: "zh"}) {
		t.Errorf("got %+v", d.Payload)
	}
	e.TypeVersion = 4
	if _, err := NewCodec(greeted{}).decode(new(opener), e, nil); err == nil {
		t.Error("a version of the future was decoded")
	}
}

func TestSealedFieldsStayShutWithoutTheirKeyAndPlace(t *testing.T) {
	codec, key := NewCodec(greeted{}), testKey(t)
	where := at{"acme", "s", 1}
	data, _, _, err := codec.encode(greeted{Name: `evil ","sealed":"AAAA"} 王芳`, Language: `","sealed":"x`}, where, func() (keyring.Key, error) { return key, nil })
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "王芳") {
		t.Fatal("stored in the clear")
	}
	e := Event{Tenant: "acme", Stream: "s", Version: 1, Type: "test.greeted", TypeVersion: 3, Data: data, Meta: []byte(`{}`)}
	right := func(int) (keyring.Key, bool) { return key, true }
	if d, err := codec.decode(new(opener), e, right); err != nil || d.Payload.(greeted).Name != `evil ","sealed":"AAAA"} 王芳` || d.Payload.(greeted).Language != `","sealed":"x` {
		t.Fatalf("%+v %v", d.Payload, err)
	}
	gone, err := codec.decode(new(opener), e, func(int) (keyring.Key, bool) { return keyring.Key{}, false })
	if err != nil || !gone.Erased || gone.Payload.(greeted).Name != "" || gone.Payload.(greeted).Language != `","sealed":"x` {
		t.Errorf("without the key: %+v %v", gone, err)
	}
	other := testKey(t)
	if _, err := codec.decode(new(opener), e, func(int) (keyring.Key, bool) { return other, true }); err == nil {
		t.Error("opened with another customer's key")
	}
	for _, moved := range []Event{{Tenant: "evil", Stream: "s", Version: 1}, {Tenant: "acme", Stream: "t", Version: 1}, {Tenant: "acme", Stream: "s", Version: 2}} {
		moved.Type, moved.TypeVersion, moved.Data, moved.Meta = e.Type, e.TypeVersion, e.Data, e.Meta
		if _, err := codec.decode(new(opener), moved, right); err == nil {
			t.Errorf("opened after it was moved to %s %s %d", moved.Tenant, moved.Stream, moved.Version)
		}
	}
	for i := range data { // no change of a byte may go unnoticed in the sealed part, or crash anywhere
		broken := slices.Clone(data)
		broken[i] ^= 1
		e.Data = broken
		if d, err := codec.decode(new(opener), e, right); err == nil && !d.Erased && strings.Contains(d.Payload.(greeted).Name, "王芳") && string(broken[:20]) == string(data[:20]) && i > 40 && i < len(data)-2 {
			t.Errorf("byte %d was changed and nobody noticed", i)
		}
	}
}

func FuzzDecode(f *testing.F) {
	codec := NewCodec(catalog.Events()...)
	key := testKey(f)
	for _, e := range catalog.Events() {
		v := reflect.New(reflect.TypeOf(e)).Elem()
		fill(v, "x")
		data, name, _, err := codec.encode(v.Interface(), at{"acme", "s", 1}, func() (keyring.Key, error) { return key, nil })
		if err != nil {
			f.Fatal(err)
		}
		f.Add(name, data)
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		e := Event{Tenant: "acme", Stream: "s", Version: 1, Type: name, TypeVersion: 1, Data: data, Meta: []byte(`{}`)}
		d, err := codec.decode(new(opener), e, func(int) (keyring.Key, bool) { return key, true })
		if err == nil && d.Payload.(domain.Event).EventType() != name {
			t.Errorf("%s decoded as %T", name, d.Payload)
		}
	})
}

// Whatever was stored as an older version is refused, or comes out as the current one with what the upcasters add.
func FuzzUpcast(f *testing.F) {
	key := testKey(f)
	open := func(int) (keyring.Key, bool) { return key, true }
	old, _, _, err := NewCodec(greetedV1{}).encode(greetedV1{Who: "王芳"}, at{"acme", "s", 1}, func() (keyring.Key, error) { return key, nil })
	if err != nil {
		f.Fatal(err)
	}
	for version, data := range map[int]string{1: string(old), 2: `{"name":"x"}`, 3: `{"language":"en"}`, 0: `{}`, 4: `{}`, -1: `{"who":null}`} {
		f.Add(version, []byte(data))
	}
	for _, data := range []string{`null`, `[]`, `{"who":{}}`, `{"who":"a","who":1}`, `{"language":[]}`, `{"sealed":"AAAA"}`, `{"a":1,"sealed":""}`} {
		f.Add(1, []byte(data))
	}
	codec := NewCodec(greeted{})
	f.Fuzz(func(t *testing.T, version int, data []byte) {
		e := Event{Tenant: "acme", Stream: "s", Version: 1, Type: "test.greeted", TypeVersion: version, Data: data, Meta: []byte(`{}`)}
		d, err := codec.decode(new(opener), e, open)
		if err != nil {
			return
		}
		now, is := d.Payload.(greeted)
		if !is || version < 1 || version > 3 || version < 3 && now.Language != "zh" {
			t.Errorf("version %d of %q became %#v", version, data, d.Payload)
		}
	})
}

func TestReservedAndWrongPayloadsAreRefused(t *testing.T) {
	codec := NewCodec(greeted{})
	if _, _, _, err := codec.encode(struct{ X int }{1}, at{}, nil); err == nil {
		t.Error("a struct without a type was encoded")
	}
	if _, _, _, err := codec.encode(greetedV1{}, at{}, nil); err == nil {
		t.Error("another struct of the same name was encoded")
	}
}
