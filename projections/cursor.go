package projections

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
)

// ErrCursor says that a cursor is not one that this list gave, or belongs to another order.
var ErrCursor = errors.New("projections: the cursor does not belong to this list")

// cursor says where a page ends. It holds nothing personal: numbers, times and ids.
type cursor struct {
	Sort string `json:"s"`
	// Back is set in a cursor that leads to the page before.
	Back    bool      `json:"b,omitempty"`
	Ordinal int64     `json:"o,omitempty"`
	At      time.Time `json:"t,omitzero"`
	ID      uuid.UUID `json:"i,omitzero"`
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

// Count is how many there are; not exact if counting stopped at a bound.
type Count struct {
	Value int64 `json:"value"`
	Exact bool  `json:"exact"`
}
