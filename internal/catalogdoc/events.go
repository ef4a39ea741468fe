package catalogdoc

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"customercenter/internal/locale"
)

const eventsHead = `# Events

Generated from the source by ` + "`go test ./internal/catalogdoc -update`" + `; do not edit. A test fails when it is not current, or when a type of event has no meaning,
no golden file, no example, nobody who emits it or nobody who hears it. [asyncapi.json](asyncapi.json) says the same for programs, in AsyncAPI 3;
[consumers.md](consumers.md) is how to listen.

Every event is on ` + "`cc.events.<tenant>.<type>`" + ` of the JetStream stream ` + "`CC_EVENTS`" + `, and in ` + "`GET /v1/events`" + `. What people read in histories stands under its name in English and
Chinese, with its values where {} stand.

**Sealed fields are personal.** They are stored encrypted with the customer's own key, all of one event together as ` + "`sealed`" + `; that is what is on the bus and in every copy of it,
and it stays unreadable once the key is gone. ` + "`GET /v1/events`" + ` shows them opened to those who may see personal data. The examples are opened. On the bus, customer.created is like this:

` + "```json\n%s\n```" + `

A field that is optional is absent when it has no value. Consumers must pass over fields that they do not know: a type may get more of them without a new version.

`

// sealedExample stands in examples for sealed bytes, which are different each time. Its first two bytes are real: the format, and the generation of the key.
const sealedExample = "AQEc0uCkXr5W4vcuwsvXe9lQ1G9Kf0s2hY6b3tJm"

// eventsPage is docs/events.md. examples has a payload for each type of event, opened.
func (f *facts) eventsPage(examples map[string]json.RawMessage) ([]byte, error) {
	var b strings.Builder
	created := f.events[slices.IndexFunc(f.events, func(e *event) bool { return e.name == "customer.created" })]
	onBus, err := created.onBus(examples[created.name])
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(&b, eventsHead, onBus)
	aggregate := ""
	for _, e := range f.events {
		if of, _, _ := strings.Cut(e.name, "."); of != aggregate {
			aggregate = of
			fmt.Fprintf(&b, "## %s\n\n", aggregate)
		}
		if err := f.writeEvent(&b, e, examples[e.name]); err != nil {
			return nil, err
		}
	}
	return []byte(strings.TrimRight(b.String(), "\n") + "\n"), nil
}

func (f *facts) writeEvent(b *strings.Builder, e *event, example json.RawMessage) error {
	said, err := sentence(e)
	if err != nil {
		return err
	}
	emitters, hearers := f.emitters(e), f.hearersOf(e)
	switch {
	case len(example) == 0:
		return fmt.Errorf("%s has no example", e.name)
	case len(emitters) == 0:
		return fmt.Errorf("%s is emitted by no command", e.name)
	case len(hearers) == 0:
		return fmt.Errorf("%s is heard by no read model and no policy", e.name)
	}
	fmt.Fprintf(b, "### %s\n\n%s  \n%s\n\n%s Version %d, [%s](../%s).\n\n", e.name, said.en, said.zh, e.doc, e.version,
		path.Base(path.Dir(e.file))+"."+e.goType.Name(), e.file)
	if len(e.data.Properties) > 0 {
		b.WriteString("| field | type | | meaning | 含义 |\n|---|---|---|---|---|\n")
		e.data.rows("", func(path string, member *schema, required bool) {
			var notes []string
			switch {
			case member.Personal:
				notes = append(notes, "**sealed**")
			case !required:
				notes = append(notes, "optional")
			}
			fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", path, member.kind(), strings.Join(notes, ", "), member.meaning.en, member.meaning.zh)
		})
		b.WriteByte('\n')
	}
	var by []string
	for _, c := range emitters {
		doors := append(slices.Clone(c.routes), c.inputs...)
		said := link(c.name(), c.file)
		if len(doors) > 0 {
			said += " (" + code(doors, ", ") + ")"
		}
		by = append(by, said)
	}
	fmt.Fprintf(b, "Emitted by %s. Heard by %s.\n\n```json\n%s\n```\n\n", strings.Join(by, ", "), strings.Join(hearers, ", "), example)
	return nil
}

// sentence is how histories tell an event.
func sentence(e *event) (words, error) {
	english, inEnglish := locale.Meaning(locale.English, e.name)
	chinese, inChinese := locale.Meaning(locale.Chinese, e.name)
	if !inEnglish || !inChinese || english == "" || chinese == "" {
		return words{}, fmt.Errorf("%s has no sentence in both languages in internal/locale/events.go", e.name)
	}
	return words{english, chinese}, nil
}

// emitters are the commands that may append an event.
func (f *facts) emitters(e *event) (by []*command) {
	for _, c := range f.commands {
		if slices.Contains(c.events, e.name) {
			by = append(by, c)
		}
	}
	return by
}

// hearersOf names the read models and policies that hear an event.
func (f *facts) hearersOf(e *event) (names []string) {
	for _, m := range f.models {
		if slices.Contains(m.hears, e.name) {
			names = append(names, m.name)
		}
	}
	for _, p := range f.policies {
		if slices.Contains(p.hears, e.name) {
			names = append(names, "the policy "+p.name)
		}
	}
	return names
}

// payloadOnBus is what a message of the event holds: the personal fields are sealed together.
func (e *event) payloadOnBus() *schema {
	if len(e.personal()) == 0 {
		return e.data
	}
	onBus := *e.data
	onBus.Properties = append(slices.Clone(e.data.Properties), property{"sealed", &schema{
		Type: "string", Encoding: "base64", Personal: true,
		Description: words{
			"the fields that are marked x-personal, encrypted with the customer's own key; those fields themselves are absent on the bus",
			"标有 x-personal 的字段，用客户自己的密钥加密；总线上不出现这些字段本身",
		}.both(),
	}})
	return &onBus
}

// onBus is an example as it is on the bus. Fields that the type does not have, and optional ones without a value, are an error.
func (e *event) onBus(example json.RawMessage) (json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(example, &members); err != nil {
		return nil, fmt.Errorf("example of %s: %w", e.name, err)
	}
	var b strings.Builder
	write := func(name string, value []byte) {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:%s", name, value)
	}
	sealed := false
	for _, p := range e.data.Properties {
		value, there := members[p.name]
		switch {
		case there && p.schema.Personal:
			sealed = true
		case there:
			write(p.name, value)
		}
	}
	if sealed {
		write("sealed", []byte(`"`+sealedExample+`"`))
	}
	return json.RawMessage("{" + b.String() + "}"), nil
}
