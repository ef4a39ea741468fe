package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
)

func TestAnObjectIsWrittenPieceByPiece(t *testing.T) {
	type item struct{ Text string }
	type object struct {
		Name        string
		None, Items []item
		Last        bool
	}
	want := object{"王 <>", []item{}, []item{{"a"}, {"\"\n"}}, true}
	var text bytes.Buffer
	w := newObjectWriter(&text)
	w.member("Name", want.Name)
	w.begin("None")
	w.end()
	w.begin("Items")
	for _, i := range want.Items {
		w.item(i)
	}
	w.end()
	w.member("Last", true)
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	var got object
	if err := json.Unmarshal(text.Bytes(), &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v %+v: %s", err, got, &text)
	}
	if w := newObjectWriter(full{}); w.close() == nil {
		t.Error("what could not be written is no error")
	}
}

// full is a place where nothing can be put.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("full") }
