package eventstore

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"customercenter/eventstore/keyring"
)

// Payload is what the codec stores: a struct that knows its stored name.
//
// A top-level field tagged `personal:"true"` is sealed. A payload whose shape has changed also implements Versioned.
type Payload interface{ EventType() string }

// Versioned is a payload whose stored shape has changed. The current version is len(Upcasters())+1.
type Versioned interface {
	// Upcasters turn older payloads into the current one: element i turns version i+1 into version i+2, in place.
	// They see the payload with its personal fields opened and must leave fields they do not know.
	Upcasters() []func(fields map[string]json.RawMessage) error
}

// Destroyer is a payload with which all keys of its customer up to a generation are destroyed: by the database, in the transaction that brings the event
// into the log.
type Destroyer interface {
	DestroysKeys() (generation int)
}

// Codec turns payloads into stored JSON and back. It is safe for concurrent use.
type Codec struct{ types map[string]*eventType }

type eventType struct {
	name      string
	version   int
	goType    reflect.Type
	upcasters []func(map[string]json.RawMessage) error
	// open and personal are structs with the fields of goType that are stored as they are and sealed; personal is nil if none is.
	open, personal             reflect.Type
	openFields, personalFields []int
	destroys                   bool // a Destroyer
}

// ErrUnknownType is returned for an event type, or a version of it, that this binary does not know.
var ErrUnknownType = errors.New("eventstore: unknown event type")

// NewCodec returns a codec for these types of payload, given as zero values. Two with one name are a mistake and panic.
func NewCodec[P Payload](payloads ...P) *Codec {
	c := &Codec{types: map[string]*eventType{}}
	for _, p := range payloads {
		t := describe(p)
		if c.types[t.name] != nil {
			panic("eventstore: two payloads are called " + t.name)
		}
		c.types[t.name] = t
	}
	return c
}

func describe(p Payload) *eventType {
	t := &eventType{name: p.EventType(), version: 1, goType: reflect.TypeOf(p)}
	if v, ok := p.(Versioned); ok {
		t.upcasters = v.Upcasters()
		t.version = len(t.upcasters) + 1
	}
	_, t.destroys = p.(Destroyer)
	var open, personal []reflect.StructField
	for i := range t.goType.NumField() {
		f := t.goType.Field(i)
		if !f.IsExported() || f.Anonymous {
			panic(fmt.Sprintf("eventstore: %s: field %s must be exported and not embedded", t.name, f.Name))
		}
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name == "" || name == "sealed" {
			panic(fmt.Sprintf("eventstore: %s: field %s needs a JSON name other than sealed", t.name, f.Name))
		}
		if f.Tag.Get("personal") == "true" {
			personal, t.personalFields = append(personal, f), append(t.personalFields, i)
		} else {
			open, t.openFields = append(open, f), append(t.openFields, i)
		}
	}
	t.open = reflect.StructOf(open)
	if len(personal) > 0 {
		t.personal = reflect.StructOf(personal)
	}
	return t
}

// Types lists the stored names the codec knows, sorted.
func (c *Codec) Types() []string {
	names := make([]string, 0, len(c.types))
	for n := range c.types {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// PersonalFields lists the JSON names of the sealed fields of a type.
func (c *Codec) PersonalFields(name string) []string {
	t := c.types[name]
	if t == nil {
		return nil
	}
	var fields []string
	for _, i := range t.personalFields {
		n, _, _ := strings.Cut(t.goType.Field(i).Tag.Get("json"), ",")
		fields = append(fields, n)
	}
	return fields
}

// sealedMember begins the last member of a stored payload. Inside a JSON string the quotes would be escaped, so the sequence
// cannot come from a value.
const sealedMember = `"sealed":"`

// encode returns the stored form. key is only used when the payload has personal fields.
func (c *Codec) encode(payload any, at at, key func() (keyring.Key, error)) (data []byte, name string, version int, err error) {
	p, ok := payload.(Payload)
	if !ok {
		return nil, "", 0, fmt.Errorf("%w: %T", ErrUnknownType, payload)
	}
	t := c.types[p.EventType()]
	if t == nil || t.goType != reflect.TypeOf(payload) {
		return nil, "", 0, fmt.Errorf("%w: %s (%T)", ErrUnknownType, p.EventType(), payload)
	}
	v := reflect.ValueOf(payload)
	if t.personal == nil {
		data, err = json.Marshal(payload)
		return data, t.name, t.version, err
	}
	if data, err = json.Marshal(pick(v, t.open, t.openFields)); err != nil {
		return nil, "", 0, err
	}
	secret, err := json.Marshal(pick(v, t.personal, t.personalFields))
	if err != nil {
		return nil, "", 0, err
	}
	if len(secret) == 2 { // {}: nothing personal in this one
		return data, t.name, t.version, nil
	}
	k, err := key()
	if err != nil {
		return nil, "", 0, err
	}
	sealed := k.Seal(secret, at.appendPlace(nil, t.name))
	out := make([]byte, 0, len(data)+len(sealedMember)+base64.RawStdEncoding.EncodedLen(len(sealed))+3)
	out = append(out, data[:len(data)-1]...)
	if len(data) > 2 {
		out = append(out, ',')
	}
	out = append(out, sealedMember...)
	out = base64.RawStdEncoding.AppendEncode(out, sealed)
	return append(out, `"}`...), t.name, t.version, nil
}

// pick copies the named fields of v into a new value of type t and returns a pointer to it.
func pick(v reflect.Value, t reflect.Type, fields []int) any {
	out := reflect.New(t)
	for to, from := range fields {
		out.Elem().Field(to).Set(v.Field(from))
	}
	return out.Interface()
}

// at is where an event stands. The stream's version stands for the position, which is not known before the append.
type at struct {
	tenant, stream string
	version        int64
}

// appendPlace appends to what a ciphertext is bound, so that it cannot be moved to another event.
func (a at) appendPlace(b []byte, name string) []byte {
	b = append(append(append(append(b, a.tenant...), 0), a.stream...), 0)
	return append(append(strconv.AppendInt(b, a.version, 10), 0), name...)
}

// cutSealed splits a stored payload before its sealed member: into what is open, without its last brace, and what is sealed, in base64; nil if nothing is.
func cutSealed(data []byte) (open, sealed []byte) {
	i := bytes.LastIndex(data, []byte(sealedMember))
	if i < 1 || !bytes.HasSuffix(data[i+len(sealedMember):], []byte(`"}`)) || (data[i-1] != ',' && data[i-1] != '{') {
		return data, nil
	}
	end := i
	if data[i-1] == ',' {
		end--
	}
	return data[:end], data[i+len(sealedMember) : len(data)-2]
}

// opener opens events one after the other, in memory that the next one uses again. The zero value is ready.
type opener struct{ place, sealed, open, secret []byte }

// decode opens and parses one event. A nil key means that the customer's key is gone.
func (c *Codec) decode(o *opener, e Event, key func(generation int) (keyring.Key, bool)) (Decoded, error) {
	d := Decoded{Event: e}
	if err := json.Unmarshal(e.Meta, &d.Envelope); err != nil {
		return d, fmt.Errorf("eventstore: envelope of %s at %d: %w", e.Type, e.Position, err)
	}
	t := c.types[e.Type]
	if t == nil || e.TypeVersion < 1 || e.TypeVersion > t.version {
		return d, fmt.Errorf("%w: %s version %d at %d", ErrUnknownType, e.Type, e.TypeVersion, e.Position)
	}
	open, secret, erased, err := o.unseal(t.name, &e, key)
	if err != nil {
		return d, err
	}
	d.Erased = erased
	v := reflect.New(t.goType)
	if e.TypeVersion < t.version {
		if open, err = upcast(t, e.TypeVersion, open, secret); err != nil {
			return d, fmt.Errorf("eventstore: upcast %s version %d at %d: %w", e.Type, e.TypeVersion, e.Position, err)
		}
		secret = nil
	}
	for _, part := range [][]byte{open, secret} {
		if part == nil {
			continue
		}
		if err := json.Unmarshal(part, v.Interface()); err != nil {
			return d, fmt.Errorf("eventstore: payload of %s at %d: %w", e.Type, e.Position, scrub(err))
		}
	}
	d.Payload = v.Elem().Interface()
	return d, nil
}

// unseal returns the open and the personal part of an event's payload, both JSON objects, until the next call.
func (o *opener) unseal(name string, e *Event, key func(generation int) (keyring.Key, bool)) (open, secret []byte, erased bool, err error) {
	open, sealed := cutSealed(e.Data)
	if sealed == nil {
		return open, nil, false, nil
	}
	o.open = append(append(o.open[:0], open...), '}')
	if o.sealed, err = base64.RawStdEncoding.AppendDecode(o.sealed[:0], sealed); err != nil {
		return nil, nil, false, fmt.Errorf("eventstore: sealed member: %w", err)
	}
	generation, err := keyring.Generation(o.sealed)
	if err != nil {
		return nil, nil, false, fmt.Errorf("eventstore: %s at %d: %w", name, e.Position, err)
	}
	k, ok := key(generation)
	if !ok {
		return o.open, nil, true, nil
	}
	o.place = at{e.Tenant, e.Stream, e.Version}.appendPlace(o.place[:0], name)
	if o.secret, err = k.AppendOpen(o.secret[:0], o.sealed, o.place); err != nil {
		return nil, nil, false, fmt.Errorf("eventstore: %s at %d: %w", name, e.Position, err)
	}
	return o.open, o.secret, false, nil
}

// upcast merges both parts and brings them to the current version.
func upcast(t *eventType, from int, open, secret []byte) ([]byte, error) {
	fields, err := merge(open, secret)
	if err != nil {
		return nil, err
	}
	for _, up := range t.upcasters[from-1:] {
		if err := up(fields); err != nil {
			return nil, err
		}
	}
	return json.Marshal(fields)
}

func merge(parts ...[]byte) (map[string]json.RawMessage, error) {
	fields := map[string]json.RawMessage{}
	for _, p := range parts {
		if p == nil {
			continue
		}
		if err := json.Unmarshal(p, &fields); err != nil {
			return nil, scrub(err)
		}
		if fields == nil { // null empties the map
			return nil, errors.New("it is no object")
		}
	}
	return fields, nil
}

// scrub removes the offending value from a JSON error: it may be personal.
func scrub(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Errorf("field %s cannot hold this JSON %s", wrong.Field, strings.SplitN(wrong.Value, " ", 2)[0])
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("broken JSON at byte %d", syntax.Offset)
	}
	return errors.New("broken JSON")
}
