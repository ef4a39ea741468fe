package projections

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"

	"customercenter/projections/projector"
)

// ErrCursor says that a cursor is not one that this list gave, or belongs to another order.
var ErrCursor = errors.New("projections: the cursor does not belong to this list")

// cursor says where a page ends. It holds nothing personal: numbers, times and ids.
type cursor struct {
	Sort string `json:"s"`
	// Back is set in a cursor that leads to the page before.
	Back bool `json:"b,omitempty"`
	// Unset is set among those who have no value of the field that is sorted by.
	Unset   bool      `json:"u,omitempty"`
	Ordinal int64     `json:"o,omitempty"`
	At      time.Time `json:"t,omitzero"`
	ID      uuid.UUID `json:"i,omitzero"`
	// Judged is the instant as of which the first page was judged, and so are all others.
	Judged time.Time `json:"j,omitzero"`
	// Count is that of the first page, where it was asked for.
	Count *Count `json:"c,omitempty"`
	// Past is the moment that the list is of; nil: it is of now.
	Past *projector.Moment `json:"p,omitempty"`
}

// CursorMoment is the moment that a list of the past is of to which a cursor belongs; false if it is none.
func CursorMoment(s string) (m projector.Moment, past bool) {
	var c cursor
	if b, err := base64.RawURLEncoding.DecodeString(s); err != nil || json.Unmarshal(b, &c) != nil || c.Past == nil {
		return m, false
	}
	return *c.Past, true
}

// of reports whether the cursor belongs to a list of that moment, or of now.
func (c *cursor) of(past *projector.Moment) bool {
	if c.Past == nil || past == nil {
		return c.Past == past
	}
	return c.Past.Position == past.Position && c.Past.At.Equal(past.At)
}

func (c cursor) String() string {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // a time out of range, which the database cannot hold either
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// parseCursor reads a cursor of a list in this order; false if there is none.
func parseCursor(s, sort string) (c cursor, given bool, err error) {
	if s == "" {
		return c, false, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) > 500 || json.Unmarshal(b, &c) != nil || c.Sort != sort {
		return cursor{}, false, ErrCursor
	}
	return c, true, nil
}

// links are the cursors to the next page and to the one before, of a page that from led to, if it was given. n is how many are on the
// page, more whether there are more beyond it in the direction of the search, and partial whether the search was given up before it was
// full. at makes the cursor to what lies beyond an item; beyond where the search was given up for -1.
func links(from cursor, given bool, n int, more, partial bool, at func(i int, back bool) string) (next, prev string) {
	after, before := more, given // is there anything beyond either end?
	if from.Back {
		after, before = true, more
	}
	if n > 0 {
		if after {
			next = at(n-1, false)
		}
		if before {
			prev = at(0, true)
		}
	}
	switch {
	case partial && from.Back:
		prev = at(-1, true)
	case partial:
		next = at(-1, false)
	}
	return next, prev
}

// Count is how many there are; not exact if counting stopped at a bound.
type Count struct {
	Value int64 `json:"value"`
	Exact bool  `json:"exact"`
}
