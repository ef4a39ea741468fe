package api

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// appendJSON appends the event as encoding/json writes it, without its checks and copies: payload and envelope come out of columns of the type
// json, and there are a great many of them.
func (e *Event) appendJSON(b []byte) []byte {
	b = appendText(append(b, `{"tenant":`...), e.Tenant)
	b = strconv.AppendInt(append(b, `,"position":`...), e.Position, 10)
	b = appendText(append(b, `,"stream":`...), e.Stream)
	b = strconv.AppendInt(append(b, `,"version":`...), e.Version, 10)
	b = appendText(append(b, `,"type":`...), e.Type)
	b = strconv.AppendInt(append(b, `,"type_version":`...), int64(e.TypeVersion), 10)
	if b = append(b, `,"customer":`...); e.Customer == nil {
		b = append(b, "null"...)
	} else {
		b = appendText(b, e.Customer.String())
	}
	b = appendLine(append(b, `,"data":`...), e.Data)
	b = appendLine(append(b, `,"meta":`...), e.Meta)
	b = e.RecordedAt.AppendFormat(append(b, `,"recorded_at":"`...), time.RFC3339Nano)
	if b = append(b, '"'); e.Erased {
		b = append(b, `,"erased":true`...)
	}
	if e.Unreadable {
		b = append(b, `,"unreadable":true`...)
	}
	return append(b, '}')
}

// appendText appends a text as JSON. Nearly all are ids, in which nothing needs an escape.
func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			escaped, err := marshal(text)
			if err != nil {
				panic(err) // a text can always be written
			}
			return append(b, bytes.TrimSuffix(escaped, []byte("\n"))...)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}

// appendLine appends JSON as one line. What the store has written is one already.
func appendLine(b []byte, text []byte) []byte {
	if !bytes.ContainsAny(text, "\n\r") {
		return append(b, text...)
	}
	var line bytes.Buffer
	if err := json.Compact(&line, text); err != nil {
		return append(b, "null"...) // the database lets nothing else than JSON in
	}
	return append(b, line.Bytes()...)
}
