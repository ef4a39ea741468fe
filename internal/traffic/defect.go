package traffic

import "strings"

// The ways in which an event can be malformed, as Event.Kind and Summary.MalformedByKind name them.
const (
	NotJSON            = "not_json"            // no JSON at all
	Truncated          = "truncated"           // JSON that ends in the middle
	NotAnEvent         = "not_an_event"        // JSON without the attributes that a CloudEvent must have
	NoID               = "no_id"               // a CloudEvent without an id
	UnknownType        = "unknown_type"        // a type that the product does not know
	NoExternalID       = "no_external_id"      // nobody is named
	BadExternalID      = "bad_external_id"     // characters that no channel's ids have
	LongExternalID     = "long_external_id"    // longer than any channel's ids
	NoMessage          = "no_message"          // message.received without a message
	EscapedNUL         = "escaped_nul"         // \u0000 in a text
	RawNUL             = "raw_nul"             // a zero byte in a text
	BrokenUTF8         = "broken_utf8"         // bytes that are not UTF-8 in a text
	FarFuture          = "far_future"          // happened decades from now
	UnknownAssociation = "unknown_association" // the subject names an association that does not exist
	TooLarge           = "too_large"           // a body over 1 MiB
)

// smallDefects take turns; TooLarge is rarer.
var smallDefects = []string{
	NotJSON, UnknownType, NoExternalID, BadExternalID, EscapedNUL, Truncated, NotAnEvent, NoID, LongExternalID, NoMessage, RawNUL, BrokenUTF8, FarFuture, UnknownAssociation,
}

// Defects lists the kinds of malformed events. They take turns, so that a few dozen contain all of them; one in fifty is TooLarge.
func Defects() []string { return append([]string{TooLarge}, smallDefects...) }

// malform makes the next malformed event. None is about somebody who also writes well-formed events: if the product
// accepted it, there would be a customer too many.
func (g *Generator) malform() Event {
	turn := g.summary.Malformed
	g.summary.Malformed++
	defect := smallDefects[turn%len(smallDefects)]
	if turn%50 == 7 {
		defect = TooLarge
	}
	g.summary.MalformedByKind[defect]++

	index := pick(g.random, g.table)
	association := g.options.Associations[index]
	nobody := externalID(g.random, association.Channel, "nobody", uint64(g.options.Customers)+uint64(turn))
	body := g.wellFormed(index, nobody)
	event := Event{Subject: g.subjects[index], Association: association.ID, Kind: defect, Malformed: true}
	replace := func(old, new string) []byte { return []byte(strings.Replace(body, old, new, 1)) }
	switch defect {
	case NotJSON:
		event.Body = []byte("<event>在吗？</event>")
	case Truncated:
		event.Body = []byte(body[:len(body)*2/3])
	case NotAnEvent:
		event.Body = []byte(`{"data":{"external_id":"` + nobody + `"}}`)
	case NoID:
		start := strings.Index(body, `"id":`)
		event.Body = []byte(body[:start] + body[strings.Index(body, `"source":`):])
	case UnknownType:
		event.Body = replace(MessageReceived, "message.recalled")
	case NoExternalID:
		event.Body = replace(`"external_id":"`+nobody+`",`, "")
	case BadExternalID:
		event.Body = replace(`"`+nobody+`"`, `"no\tbody#名"`)
	case LongExternalID:
		event.Body = replace(`"`+nobody+`"`, `"`+strings.Repeat("9", 300)+`"`)
	case NoMessage:
		event.Body = []byte(body[:strings.Index(body, `,"message":`)] + "}}")
	case EscapedNUL:
		event.Body = replace(defectiveText, `a\u0000b`)
	case RawNUL:
		event.Body = replace(defectiveText, "a\x00b")
	case BrokenUTF8:
		event.Body = replace(defectiveText, "a\xff\xfeb")
	case FarFuture:
		start := strings.Index(body, `"time":`)
		event.Body = []byte(body[:start] + `"time":"2099-12-31T23:59:59Z"` + body[strings.Index(body, `,"datacontenttype"`):])
	case UnknownAssociation:
		event.Association = g.unknownAssociation()
		event.Subject = inSubject(g.options.Tenant, event.Association)
		event.Body = []byte(body)
	case TooLarge:
		event.Body = replace(defectiveText, strings.Repeat("长", 1<<20/3+100))
	}
	return event
}

// defectiveText is the text that defects are put into.
const defectiveText = "此消息有误"

// wellFormed is the message that a malformed event would be without its defect.
func (g *Generator) wellFormed(association int, externalID string) string {
	e := envelope{g: g, association: association, externalID: externalID, at: g.now(g.queue.items[0].at)}
	e.begin(MessageReceived)
	g.raw(`,"message":{"id":"m-`)
	g.scratch = appendHex(g.scratch, mix(g.ids))
	g.raw(`","kind":"text","text":"`, defectiveText, `"}}}`)
	return string(g.scratch)
}

// unknownAssociation is an id that no association has.
func (g *Generator) unknownAssociation() int {
	highest := 0
	for _, a := range g.options.Associations {
		highest = max(highest, a.ID)
	}
	return highest + 1000
}
