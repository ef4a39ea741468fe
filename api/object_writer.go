package api

import (
	"bufio"
	"encoding/json"
	"io"
)

// objectWriter writes one JSON object that need not be in memory as a whole. The first error stands: what comes after it is not written.
type objectWriter struct {
	out  *bufio.Writer
	json *json.Encoder
	err  error
	next string // what stands before the next member, or the next item of a list
}

func newObjectWriter(to io.Writer) *objectWriter {
	w := &objectWriter{out: bufio.NewWriterSize(to, filePiece), next: "{"}
	w.json = json.NewEncoder(w.out)
	w.json.SetEscapeHTML(false)
	return w
}

func (w *objectWriter) text(s string) {
	if w.err == nil {
		_, w.err = w.out.WriteString(s)
	}
}

func (w *objectWriter) value(v any) {
	if w.err == nil {
		w.err = w.json.Encode(v) // and a line break, which JSON allows
	}
}

func (w *objectWriter) name(name string) {
	w.text(w.next + `"` + name + `":`)
	w.next = ","
}

// member adds a member. Its name needs no escape.
func (w *objectWriter) member(name string, v any) {
	w.name(name)
	w.value(v)
}

// begin begins a member that is a list; item adds to it, and end ends it.
func (w *objectWriter) begin(name string) {
	w.name(name)
	w.next = "["
	w.text("")
}

func (w *objectWriter) item(v any) {
	w.text(w.next)
	w.next = ","
	w.value(v)
}

func (w *objectWriter) end() {
	if w.next == "[" {
		w.text("[")
	}
	w.text("]")
	w.next = ","
}

// close ends the object and sends what is left of it.
func (w *objectWriter) close() error {
	w.text("}\n")
	if w.err == nil {
		w.err = w.out.Flush()
	}
	return w.err
}
