package projections

import (
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/field"
	"customercenter/domain/filter"
	"customercenter/domain/group"
	"customercenter/domain/settings"
	"customercenter/domain/tag"
	"customercenter/eventstore"
	"customercenter/projections/projector"
)

// This file knows which rules were in force when. A change of rules is called an epoch: a rule that is new, revised or gone, or a change
// of the calendar or the tags that some rules read. Epochs are numbered from 1 in the order of the log; 0 is before the first.

type groupCatalogueRow struct {
	Position int64
	At       time.Time
	Type     string
	Data     string // JSON
}

func newGroupCatalogueRows() *projector.Rows[int64, groupCatalogueRow] {
	type r = groupCatalogueRow
	return projector.NewRows("group_catalogue", "position", "bigint", func(r *r) *int64 { return &r.Position },
		projector.Value("at", "timestamptz", func(r *r) *time.Time { return &r.At }),
		projector.Value("type", "text", func(r *r) *string { return &r.Type }),
		projector.JSON("data", func(r *r) *string { return &r.Data }),
	).Whole()
}

// ruleEvent reads an event back that says what rules there are, or what they mean.
func ruleEvent(kind string, data []byte) (domain.Event, error) {
	switch kind {
	case "group.defined":
		return parsed[group.Defined](data)
	case "group.revised":
		return parsed[group.Revised](data)
	case "group.deleted":
		return parsed[group.Deleted](data)
	case "settings.time_zone_set":
		return parsed[settings.TimeZoneSet](data)
	case "settings.week_start_set":
		return parsed[settings.WeekStartSet](data)
	case "tag.deleted":
		return parsed[tag.Deleted](data)
	case "field.added":
		return parsed[field.Added](data)
	case "field.changed":
		return parsed[field.Changed](data)
	case "field.enabled":
		return parsed[field.Enabled](data)
	case "field.disabled":
		return parsed[field.Disabled](data)
	case "field.removed":
		return parsed[field.Removed](data)
	}
	return nil, fmt.Errorf("%s is not about rules", kind)
}

func parsed[E domain.Event](data []byte) (domain.Event, error) {
	var e E
	err := json.Unmarshal(data, &e)
	return e, err
}

// groupRule is a rule of a group. It is never changed.
type groupRule struct {
	group    uuid.UUID
	revision int
	filter   *filter.Filter
	fields   []string // that it reads, sorted
	timed    bool     // the clock alone can change its answer
	calendar bool     // it depends on zone or week
}

func newGroupRule(id uuid.UUID, revision int, f *filter.Filter) *groupRule {
	r := &groupRule{group: id, revision: revision, filter: f, fields: f.Fields()}
	r.look(f.Root())
	return r
}

// look finds out what the rule depends on.
func (r *groupRule) look(n filter.Node) {
	switch n := n.(type) {
	case filter.All:
		for _, part := range n {
			r.look(part)
		}
	case filter.Any:
		for _, part := range n {
			r.look(part)
		}
	case filter.Not:
		r.look(n.Node)
	case *filter.Condition:
		moving := n.Op == filter.In || n.Op == filter.Within || n.Op == filter.OlderThan
		r.timed = r.timed || n.Kind == filter.Time && moving || n.Field == "blacklisted" || n.Field == "blacklisted_at"
		r.calendar = r.calendar || n.Kind == filter.Time && (n.Op == filter.In || strings.HasPrefix(n.Field, "custom."))
	}
}

func (r *groupRule) reads(field string) bool {
	_, found := slices.BinarySearch(r.fields, field)
	return found
}

// inForce is a rule and the epoch since which its members are counted.
type inForce struct {
	*groupRule
	epoch int
}

// epoch is what holds from a change of rules on until the next one.
type epoch struct {
	number   int
	position int64
	at       time.Time
	calendar filter.Calendar
	affected []uuid.UUID // the groups it concerns
	rules    []inForce   // sorted by group
	moving   []inForce   // those whose answer the clock alone can change
}

// rule is the rule of a group.
func (e *epoch) rule(id uuid.UUID) (inForce, bool) {
	i, found := slices.BinarySearchFunc(e.rules, id, func(r inForce, id uuid.UUID) int { return slices.Compare(r.group[:], id[:]) })
	if !found {
		return inForce{}, false
	}
	return e.rules[i], true
}

// ruleBook is all epochs of a tenant.
type ruleBook struct {
	epochs   []*epoch // number n is at n-1
	fields   field.State
	settings settings.State
	calendar filter.Calendar
	gone     map[uuid.UUID]int // deleted tags: the epoch from which on nobody has them

	byField map[string][]inForce // of the latest epoch; nil: not asked for yet
}

// readRuleBook reads the rules from what was kept of the log.
func readRuleBook(rows iter.Seq[*groupCatalogueRow]) (*ruleBook, error) {
	b := &ruleBook{gone: map[uuid.UUID]int{}}
	if err := b.setCalendar(); err != nil {
		return nil, err
	}
	sorted := slices.SortedFunc(rows, func(a, b *groupCatalogueRow) int { return cmp.Compare(a.Position, b.Position) })
	for _, row := range sorted {
		e, err := ruleEvent(row.Type, []byte(row.Data))
		if err == nil {
			err = b.apply(e, row.Position, row.At.UTC())
		}
		if err != nil {
			return nil, fmt.Errorf("the rules at %d cannot be read: %w", row.Position, err)
		}
	}
	return b, nil
}

// latest is the number of the last epoch.
func (b *ruleBook) latest() int { return len(b.epochs) }

// at is an epoch by its number.
func (b *ruleBook) at(number int) *epoch {
	if number == 0 {
		return &epoch{}
	}
	return b.epochs[number-1]
}

// before is how many epochs began before a position of the log.
func (b *ruleBook) before(position int64) int {
	n := len(b.epochs)
	for n > 0 && b.epochs[n-1].position >= position {
		n--
	}
	return n
}

// apply takes in what happened to the rules.
func (b *ruleBook) apply(e domain.Event, position int64, at time.Time) error {
	b.fields.Apply(e, at)
	b.settings.Apply(e, at)
	switch e := e.(type) {
	case group.Defined:
		return b.revise(e.Group, 1, e.Rule, position, at)
	case group.Revised:
		return b.revise(e.Group, e.Revision, e.Rule, position, at)
	case group.Deleted:
		b.begin(position, at, []uuid.UUID{e.Group}, b.without(e.Group))
	case settings.TimeZoneSet, settings.WeekStartSet:
		if err := b.setCalendar(); err != nil {
			return err
		}
		b.touch(position, at, func(r *groupRule) bool { return r.calendar })
	case tag.Deleted:
		since := b.latest() + 1 // should no rule in force read tags, then later ones do not know it
		b.touch(position, at, func(r *groupRule) bool { return r.reads("tags") })
		b.gone[e.Tag] = since
	}
	return nil
}

func (b *ruleBook) revise(id uuid.UUID, revision int, raw json.RawMessage, position int64, at time.Time) error {
	f, err := filter.Parse(raw, &filter.Language{Custom: b.fields.Filterable()}, "rule")
	if err != nil {
		return err
	}
	b.adopt(newGroupRule(id, revision, f), position, at)
	return nil
}

// adopt begins an epoch in which a group has this rule.
func (b *ruleBook) adopt(rule *groupRule, position int64, at time.Time) {
	rules := append(b.without(rule.group), inForce{rule, b.latest() + 1})
	slices.SortFunc(rules, byGroup)
	b.begin(position, at, []uuid.UUID{rule.group}, rules)
}

// without are the rules in force but for one group's.
func (b *ruleBook) without(id uuid.UUID) []inForce {
	return slices.DeleteFunc(slices.Clone(b.at(b.latest()).rules), func(r inForce) bool { return r.group == id })
}

// touch begins an epoch in which some rules mean something else, if there are any.
func (b *ruleBook) touch(position int64, at time.Time, which func(*groupRule) bool) {
	rules := slices.Clone(b.at(b.latest()).rules)
	var affected []uuid.UUID
	for i, r := range rules {
		if which(r.groupRule) {
			rules[i].epoch = b.latest() + 1
			affected = append(affected, r.group)
		}
	}
	if len(affected) > 0 {
		b.begin(position, at, affected, rules)
	}
}

func (b *ruleBook) begin(position int64, at time.Time, affected []uuid.UUID, rules []inForce) {
	moving := slices.DeleteFunc(slices.Clone(rules), func(r inForce) bool { return !r.timed })
	b.epochs = append(b.epochs, &epoch{
		number: b.latest() + 1, position: position, at: at, calendar: b.calendar, affected: affected, rules: rules, moving: moving,
	})
	b.byField = nil
}

func (b *ruleBook) setCalendar() error {
	zone, err := time.LoadLocation(b.settings.TimeZone())
	if err != nil {
		return fmt.Errorf("the time zone %s is not known", b.settings.TimeZone())
	}
	b.calendar = filter.Calendar{Zone: zone, WeekStart: b.settings.FirstWeekday()}
	return nil
}

// inForce are all rules of an epoch.
func (b *ruleBook) inForce(number int) []inForce { return b.at(number).rules }

// reading are the rules of an epoch that read one of these fields, sorted by group: the order in which they judge is the order of the changes.
func (b *ruleBook) reading(number int, fields []string) []inForce {
	var found []inForce
	if number != b.latest() { // a customer that is folded anew
		for _, r := range b.at(number).rules {
			if slices.ContainsFunc(fields, r.reads) {
				found = append(found, r)
			}
		}
		return found
	}
	if b.byField == nil {
		b.byField = map[string][]inForce{}
		for _, r := range b.at(number).rules {
			for _, name := range r.fields {
				b.byField[name] = append(b.byField[name], r)
			}
		}
	}
	if len(fields) == 1 {
		return b.byField[fields[0]]
	}
	for _, name := range fields {
		found = append(found, b.byField[name]...)
	}
	if len(found) > 1 {
		slices.SortFunc(found, byGroup)
		found = slices.Compact(found)
	}
	return found
}

func byGroup(a, b inForce) int { return slices.Compare(a.group[:], b.group[:]) }

// tagsAt are those of a customer's tags that are in the catalogue during an epoch.
func (b *ruleBook) tagsAt(tags []uuid.UUID, number int) []uuid.UUID {
	gone := func(id uuid.UUID) bool {
		since, deleted := b.gone[id]
		return deleted && since <= number
	}
	if len(b.gone) == 0 || !slices.ContainsFunc(tags, gone) {
		return tags
	}
	return slices.DeleteFunc(slices.Clone(tags), gone)
}

// catalogued takes in an event that concerns no customer. Customers are brought to where the rules are one after the other, see Gather.
func (f *groupsFold) catalogued(e *eventstore.Decoded) error {
	if err := f.open(); err != nil {
		return err
	}
	payload, ok := e.Payload.(domain.Event)
	if !ok {
		return fmt.Errorf("%s is not an event of the domain", e.Type)
	}
	data, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("%s cannot be written as JSON", e.Type)
	}
	book := f.book
	f.book = nil // should this fail, it is read anew
	latest, at := book.latest(), micros(e.RecordedAt)
	if err := book.apply(payload, e.Position, at); err != nil {
		return err
	}
	f.catalogue.Put(groupCatalogueRow{Position: e.Position, At: at, Type: e.Type, Data: string(data)})
	for _, ep := range book.epochs[latest:] {
		for _, id := range ep.affected {
			row, found := f.rules.Edit(id)
			if !found {
				row = f.rules.Create(groupRuleRow{Group: id})
			}
			row.Epoch, row.Revision = ep.number, 0
			if rule, inForce := ep.rule(id); inForce {
				row.Revision = rule.revision
			}
		}
	}
	f.book = book
	return nil
}
