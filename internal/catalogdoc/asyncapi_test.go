package catalogdoc

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"customercenter/api/ingest"
	"customercenter/domain/catalog"
	"customercenter/domain/customer"
	"customercenter/domain/filter"
	"customercenter/eventstore"
	"customercenter/eventstore/eventstoretest"
	"customercenter/eventstore/relay"
	"customercenter/internal/natstest"
)

const patience = time.Minute

// document is docs/asyncapi.json as it is in the tree, with the schemas in it.
type document struct {
	t        testing.TB
	value    any
	compiler *jsonschema.Compiler
}

func readDocument(t testing.TB) *document {
	t.Helper()
	d := &document{t: t, value: readJSON(t, filepath.Join("..", "..", "docs", "asyncapi.json")), compiler: jsonschema.NewCompiler()}
	d.compiler.DefaultDraft(jsonschema.Draft7)
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource("asyncapi.json", d.value); err != nil {
		t.Fatal(err)
	}
	return d
}

func readJSON(t testing.TB, file string) any {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return decoded(t, text)
}

func decoded(t testing.TB, text []byte) any {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return value
}

// schema is the one at a place in the document: components/schemas/customer.created.
func (d *document) schema(at string) *jsonschema.Schema {
	d.t.Helper()
	s, err := d.compiler.Compile("asyncapi.json#/" + at)
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

func TestTheDocumentIsAsyncAPI3(t *testing.T) {
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("asyncapi-3.0.0.json", readJSON(t, filepath.Join("testdata", "asyncapi", "3.0.0.json"))); err != nil {
		t.Fatal(err)
	}
	specification, err := compiler.Compile("asyncapi-3.0.0.json")
	if err != nil {
		t.Fatal(err)
	}
	d := readDocument(t)
	if err := specification.Validate(d.value); err != nil {
		t.Errorf("%v", err)
	}
	broken := d.value.(map[string]any)
	delete(broken, "info")
	if specification.Validate(broken) == nil {
		t.Error("a document without info passes too")
	}
}

// Every type of event goes the whole way: what is on the bus, and what whoever may see personal data is shown, is as the document says.
func TestWhatIsOnTheBusIsAsDescribed(t *testing.T) {
	d, f := readDocument(t), found(t)
	examples, _ := examples(t)
	store := eventstoretest.Store(t, eventstore.NewCodec(catalog.Events()...), "acme")
	for i, e := range eventExamples {
		about := wang
		if _, erased := e.(customer.Erased); erased {
			about = li // the others are sealed with her key
		}
		a := eventstore.Append{
			Tenant: "acme", ID: uuid.New(), Now: time.Now(), Actor: eventstore.Actor{Kind: "system", ID: "test"},
			Streams: []eventstore.StreamAppend{{Stream: "example-" + e.EventType(), Events: []eventstore.NewEvent{{Payload: e, Customer: about}}}},
		}
		if i == 0 {
			a.NewCustomers = []eventstore.NewCustomer{{ID: wang, Generation: 1}}
		}
		if _, err := store.Append(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	headersOf := d.schema("components/messageTraits/event/headers")
	described := d.value.(map[string]any)["components"].(map[string]any)["messageTraits"].(map[string]any)["event"].(map[string]any)["headers"].(map[string]any)["properties"].(map[string]any)
	for _, m := range heard(t, store, len(eventExamples)) {
		kind := m.Headers().Get("ce-type")
		if want := "cc.events.acme." + kind; m.Subject() != want {
			t.Errorf("%s is on %s", kind, m.Subject())
		}
		values := map[string]any{}
		for name := range m.Headers() {
			values[name] = m.Headers().Get(name)
			if described[name] == nil {
				t.Errorf("%s: the header %s is not described", kind, name)
			}
		}
		if err := headersOf.Validate(values); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		schema := d.schema("components/schemas/" + kind)
		payload := decoded(t, m.Data())
		if err := schema.Validate(payload); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		e := f.events[slices.IndexFunc(f.events, func(e *event) bool { return e.name == kind })]
		want, err := e.onBus(examples[kind])
		if err != nil {
			t.Fatal(err)
		}
		if members := payload.(map[string]any); members["sealed"] != nil {
			members["sealed"] = sealedExample // different each time
		}
		if !reflect.DeepEqual(payload, decoded(t, want)) {
			t.Errorf("%s is on the bus as\n%s\nand described as\n%s", kind, m.Data(), want)
		}
	}

	log, err := store.ReadLog(t.Context(), "acme", 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if failed, err := store.Reveal(t.Context(), log, false); failed != nil || err != nil {
		t.Fatal(failed, err)
	}
	for _, e := range log {
		payload := decoded(t, e.Data)
		if !reflect.DeepEqual(payload, decoded(t, examples[e.Type])) {
			t.Errorf("%s is shown as\n%s\nand described as\n%s", e.Type, e.Data, examples[e.Type])
		}
		if err := d.schema("components/schemas/" + e.Type).Validate(payload); err != nil {
			t.Errorf("%s: %v", e.Type, err)
		}
	}
	if d.schema("components/schemas/customer.tagged").Validate(map[string]any{"tag": "no id"}) == nil {
		t.Error("a tag that is no id passes too")
	}
}

// heard is what a relay publishes of acme's log, n messages.
func heard(t *testing.T, store *eventstore.Store, n int) []jetstream.Msg {
	t.Helper()
	server := natstest.Start(t)
	carrier, err := relay.New(relay.Config{Store: store, NATS: natstest.Connect(t, server), Sweep: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	done := make(chan error, 1)
	go func() { done <- carrier.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	js, err := jetstream.New(natstest.Connect(t, server))
	if err != nil {
		t.Fatal(err)
	}
	var consumer jetstream.Consumer
	for ; consumer == nil; time.Sleep(5 * time.Millisecond) { // the relay makes the stream when it is its turn
		if consumer, err = js.OrderedConsumer(ctx, "CC_EVENTS", jetstream.OrderedConsumerConfig{FilterSubjects: []string{"cc.events.acme.>"}}); ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	messages, err := consumer.Messages()
	if err != nil {
		t.Fatal(err)
	}
	defer messages.Stop()
	var all []jetstream.Msg
	for range n {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			t.Fatalf("after %d messages: %v", len(all), err)
		}
		all = append(all, m)
	}
	return all
}

func TestExamplesOfOtherMessages(t *testing.T) {
	d, f := readDocument(t), found(t)
	for channel, messages := range map[string][]*message{"in": f.inputs, "out": f.outputs[:1], "groups": f.outputs[1:]} {
		for _, m := range messages {
			text := []byte(messageExamples[m.name])
			if err := d.schema("components/schemas/" + channel + "." + m.name).Validate(decoded(t, text)); err != nil {
				t.Errorf("%s: %v", m.name, err)
			}
			if _, err := ingest.Parse(text); channel == "in" && err != nil {
				t.Errorf("%s: %v", m.name, err)
			}
		}
	}
	if len(f.inputs) < 9 || len(f.outputs) != 3 {
		t.Errorf("found only %d channel events and %d others", len(f.inputs), len(f.outputs))
	}
}

// An example shows each field of its type, and its filters are some.
func TestExamplesAreWhole(t *testing.T) {
	// What excludes what else the example shows.
	excluded := []string{"bulk.started.tag", "bulk.started.customers"}
	examples, _ := examples(t)
	for _, e := range found(t).events {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(examples[e.name], &members); err != nil {
			t.Errorf("%s: %v", e.name, err)
			continue
		}
		for _, p := range e.data.Properties {
			if name := e.name + "." + p.name; (members[p.name] == nil) != slices.Contains(excluded, name) {
				t.Errorf("the example of %s has %s: %v", e.name, p.name, members[p.name] != nil)
			}
		}
		for _, name := range []string{"filter", "rule"} {
			if _, err := filter.Parse(members[name], nil, name); members[name] != nil && err != nil {
				t.Errorf("%s: %v", e.name, err)
			}
		}
	}
}

// What is personal is marked, and on the bus it is nowhere else.
func TestPersonalFieldsAreMarked(t *testing.T) {
	codec := eventstore.NewCodec(catalog.Events()...)
	marked := 0
	for _, e := range found(t).events {
		if have, want := e.personal(), codec.PersonalFields(e.name); !slices.Equal(have, want) {
			t.Errorf("%s: %v are marked, %v are sealed", e.name, have, want)
		}
		marked += len(e.personal())
		onBus, err := json.Marshal(e.payloadOnBus())
		if err != nil {
			t.Fatal(err)
		}
		if len(e.personal()) > 0 && !strings.Contains(string(onBus), `"sealed":{`) {
			t.Errorf("%s has personal fields and nothing sealed", e.name)
		}
	}
	if marked < 10 {
		t.Errorf("only %d personal fields are found", marked)
	}
}

// What is missing in the source fails the documents, by name.
func TestWhatIsNotExplainedFails(t *testing.T) {
	f := found(t)
	events, others := examples(t)
	lost := &event{name: "tag.lost", goType: f.events[0].goType, data: &schema{}, doc: "Lost.", version: 1}
	withLost := *f
	withLost.events = append(slices.Clone(f.events), lost)
	for name, write := range map[string]func() error{
		"sentence":        func() error { _, err := withLost.eventsPage(events); return err },
		"AsyncAPI":        func() error { _, err := withLost.asyncAPI(events, others); return err },
		"meaning":         func() error { _, err := f.glossary.meaning("tag.lost.colour_of_it"); return err },
		"example":         func() error { _, err := f.eventsPage(nil); return err },
		"emitter":         func() error { g := *f; g.commands = nil; _, err := g.eventsPage(events); return err },
		"hearer":          func() error { g := *f; g.models, g.policies = nil, nil; _, err := g.eventsPage(events); return err },
		"message example": func() error { _, err := f.asyncAPI(events, nil); return err },
	} {
		if err := write(); err == nil {
			t.Errorf("without %s nothing fails", name)
		}
	}
}
