package projector

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"customercenter/eventstore"
)

// Definition says what a projection is. A change that gives other rows, or other tables, needs a new Version: read models are
// never migrated, the new version is built beside the old one.
type Definition struct {
	Name    string // [a-z][a-z_]{0,30}; with the version it names the schema
	Version int    // from 1
	// Types are the event types that the projection hears. All others pass by unread.
	//
	// At customer.erased, heard or not, the customer is folded anew if any of these has personal fields: from then on the rows are what the events say
	// without them, as in a build that is made later. A fold that hears it ends the life then.
	Types []string
	// Blind are those of Types whose personal fields the fold does not look at. They are not opened, which saves time.
	Blind []string
	// Tables creates the tables and their primary keys. It runs with search_path set to the build's schema. Every table has a
	// column tenant, first in its primary key.
	Tables string
	// Aside are columns, as "table.column", and whole tables that do not follow from the log and the clock alone, such as the order in which
	// rows came to be. Builds may differ in them.
	Aside []string
	// Indexes creates all other indexes: last when there is a log to fold first.
	Indexes string
	// New returns a fold for one tenant of one build.
	New func() Fold
}

// Fold turns events of one tenant, in the order of the log, into rows. It is used by one goroutine at a time and must be a pure
// function of the events: the same log gives the same rows, whatever the batches.
type Fold interface {
	// Tables are the fold's tables, always the same ones.
	Tables() []Table
	// Touch names the rows that Apply or Skip will need, so that they are loaded for a whole batch at once. The payload is nil
	// when the event could not be decoded.
	Touch(e *eventstore.Decoded)
	// Apply folds one event into the rows. An error (or a panic) parks the event's customer, but see ErrStop; what the call had changed is undone.
	// The error must not hold personal data.
	Apply(e *eventstore.Decoded) error
	// Skip is told of an event that is not applied, because its customer is parked.
	Skip(e *eventstore.Event)
	// Recall is Touch for folding one customer anew: events are all of the customer's up to the checkpoint.
	Recall(customer uuid.UUID, events []eventstore.Decoded)
	// Forget deletes the customer's rows, before all of these events are applied again. It is called once, on a fold of its own. An
	// error leaves the customer parked; it must not hold personal data.
	Forget(customer uuid.UUID, events []eventstore.Decoded) error
}

const indexesMark = "-- indexes"

// Sections splits the SQL file of a read model at the line "-- indexes" into Tables and Indexes.
func Sections(sql string) (tables, indexes string) {
	tables, indexes, _ = strings.Cut(sql, "\n"+indexesMark+"\n")
	return tables, indexes
}

var namePattern = regexp.MustCompile(`^[a-z][a-z_]{0,30}$`)

func (d *Definition) valid() bool {
	for _, t := range d.Blind {
		if !slices.Contains(d.Types, t) {
			return false
		}
	}
	return namePattern.MatchString(d.Name) && d.Version > 0 && len(d.Types) > 0 && d.New != nil && d.Tables != ""
}

// aside is Aside, never nil.
func (d *Definition) aside() []string { return append([]string{}, d.Aside...) }

// fingerprint tells two meanings of one version apart, as far as their tables differ.
func (d *Definition) fingerprint() string {
	return shortHash(d.Tables + "\x00" + d.Indexes)
}

func shortHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}
