package bench

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"iter"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/association"
	"customercenter/domain/customer"
	"customercenter/domain/filter"
	"customercenter/domain/group"
	"customercenter/domain/session"
	"customercenter/domain/tag"
	"customercenter/eventstore"
	"customercenter/internal/traffic"
)

// A year of a customer center, as commands would have recorded it: customers who write or are imported, tags, sessions, ratings, the blacklist.
// Everything follows from the tenant's secret, the number of customers and the end, but keys and seals.

const (
	yearLength    = 365 * 24 * time.Hour
	catalogueTags = 200
	serving       = 40 // agents
)

// yearOptions are the people of the list and whom they write to.
func yearOptions() traffic.Options {
	o := traffic.Defaults()
	o.Tenant, o.Start = "bench", time.Unix(0, 0)
	o.Associations = []traffic.Association{
		{ID: 1, Channel: domain.ChannelApp, Account: "bench#shop"}, {ID: 2, Channel: domain.ChannelApp, Account: "bench#mall"},
		{ID: 3, Channel: domain.ChannelApp, Account: "bench#club"}, {ID: 4, Channel: domain.ChannelWeb, Account: "bench-web"},
		{ID: 5, Channel: domain.ChannelWechat, Account: "gh_bench"}, {ID: 6, Channel: domain.ChannelWechat, Account: "gh_service"},
		{ID: 7, Channel: domain.ChannelWeibo, Account: "bench-weibo"},
	}
	return o
}

// year generates the log.
type year struct {
	secret    []byte // the tenant's
	customers int
	from, to  time.Time
	people    *traffic.People
	random    *rand.Rand
	tags      []uuid.UUID // the first is the most common
	tagOf     []float64   // cumulated shares
	steps     steps
	err       error
}

// newYear returns the year that ends at to.
func newYear(secret []byte, customers int, to time.Time) (*year, error) {
	people, err := traffic.NewPeople(yearOptions())
	if err != nil {
		return nil, err
	}
	y := &year{secret: secret, customers: customers, from: to.Add(-yearLength), to: to, people: people, random: rand.New(rand.NewPCG(1, 4))}
	sum := 0.0
	for i := range catalogueTags {
		y.tags = append(y.tags, y.id(y.from))
		sum += math.Pow(float64(i+1), -1.1) // Zipf
		y.tagOf = append(y.tagOf, sum)
	}
	return y, nil
}

// id draws a UUIDv7 of that instant.
func (y *year) id(at time.Time) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:8], uint64(at.UnixMilli())<<16|7<<12|y.random.Uint64()&0xfff)
	binary.BigEndian.PutUint64(id[8:], 1<<63|y.random.Uint64()>>2)
	return id
}

func (y *year) chance(percent float64) bool { return y.random.Float64()*100 < percent }

// log is everything that happened, in order. If it breaks off, err says why.
func (y *year) log() iter.Seq[eventstore.Past] {
	return func(yield func(eventstore.Past) bool) {
		var catalogues []eventstore.StreamAppend
		if catalogues, y.err = y.catalogues(); y.err != nil {
			return
		}
		if !yield(y.past(y.from, "system", uuid.Nil, catalogues...)) {
			return
		}
		gap := y.to.Sub(y.from) / time.Duration(y.customers+1)
		for i := 0; i < y.customers || len(y.steps) > 0; {
			arrives := y.from.Add(time.Duration(i+1) * gap)
			var more bool
			if i < y.customers && (len(y.steps) == 0 || arrives.Before(y.steps[0].at)) {
				more = y.arrive(i, arrives, yield)
				i++
			} else {
				more = y.take(heap.Pop(&y.steps).(*step), yield)
			}
			if !more {
				return
			}
		}
	}
}

// past is an append of that instant; fresh is whom it creates, if anybody.
func (y *year) past(at time.Time, actor string, fresh uuid.UUID, streams ...eventstore.StreamAppend) eventstore.Past {
	a := eventstore.Append{ID: y.id(at), Now: at, Actor: eventstore.Actor{Kind: actor, ID: "bench"}, Streams: streams}
	if fresh != uuid.Nil {
		a.NewCustomers = []eventstore.NewCustomer{{ID: fresh, Generation: 1}}
	}
	return eventstore.Past{Append: a, At: at.Truncate(time.Microsecond)} // as the log counts time
}

// catalogues are the events that come first: associations, tags and groups.
func (y *year) catalogues() ([]eventstore.StreamAppend, error) {
	accounts, tags := eventstore.StreamAppend{Stream: association.Stream}, eventstore.StreamAppend{Stream: tag.Stream}
	var connected association.State
	for _, a := range yearOptions().Associations {
		events, err := connected.Register(a.Channel, a.Account, a.Account)
		if err != nil {
			return nil, fmt.Errorf("bench: association: %w", err)
		}
		for _, e := range events {
			connected.Apply(e, y.from)
			accounts.Events = append(accounts.Events, eventstore.NewEvent{Payload: e})
		}
	}
	var known tag.State
	for i, id := range y.tags {
		events, err := known.Create(id, fmt.Sprintf("tag %03d", i+1))
		if err != nil {
			return nil, fmt.Errorf("bench: tag: %w", err)
		}
		for _, e := range events {
			known.Apply(e, y.from)
			tags.Events = append(tags.Events, eventstore.NewEvent{Payload: e})
		}
	}
	groups, err := y.groups(known.Known)
	return []eventstore.StreamAppend{accounts, tags, groups}, err
}

// Groups of the year, by name.
const (
	groupRegulars = "regulars"
	groupQuiet    = "quiet for 90 days"
	groupTagged   = "one of two tags"
	groupNoPhone  = "wechat without a phone"
)

// rules are the groups' conditions as of an instant.
func (y *year) rules(at time.Time) map[string]condition {
	return map[string]condition{
		groupRegulars: is("session_count", "gte", 3, "session_count >= 3"),
		groupQuiet: is("last_session_at", "older_than", map[string]int{"days": 90}, "(last_session_at > '0002-01-01' and last_session_at < ?)",
			at.Add(-90*24*time.Hour)),
		groupTagged:  tagged("has_any", y.tags[0], y.tags[4]),
		groupNoPhone: all(channel(domain.ChannelWechat), is("phone", "not_set", nil, "phone = ''")),
	}
}

// groups are defined before there is anybody, so that nobody has to be filled in.
func (y *year) groups(known func(uuid.UUID) bool) (eventstore.StreamAppend, error) {
	defined := eventstore.StreamAppend{Stream: group.Stream}
	var taken group.State
	rules := y.rules(y.from)
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		rule, err := filter.Parse([]byte(rules[name].json), nil, "rule")
		if err != nil {
			return defined, fmt.Errorf("bench: group: %w", err)
		}
		events, err := taken.Define(y.id(y.from), name, group.Rule{Filter: rule, Tags: known}, true)
		if err != nil {
			return defined, fmt.Errorf("bench: group: %w", err)
		}
		for _, e := range events {
			taken.Apply(e, y.from)
			defined.Events = append(defined.Events, eventstore.NewEvent{Payload: e})
		}
	}
	return defined, nil
}

// visitor is a customer to whom something will still happen.
type visitor struct {
	id          uuid.UUID
	association traffic.Association
	version     int64 // of the customer's stream
	tags        []int
	left        int // sessions to come
	session     uuid.UUID
	said        int64 // version of the session's stream
	agent       string
	spoke       time.Time
	description string
}

func (v *visitor) own(at time.Time, events ...customer.Event) eventstore.StreamAppend {
	s := eventstore.StreamAppend{Stream: customer.Stream(v.id), Version: v.version}
	for _, e := range events {
		s.Events = append(s.Events, eventstore.NewEvent{Payload: e, Customer: v.id, OccurredAt: at})
	}
	v.version += int64(len(events))
	return s
}

func (v *visitor) talk(at time.Time, events ...session.Event) eventstore.StreamAppend {
	s := eventstore.StreamAppend{Stream: session.Stream(v.session), Version: v.said}
	for _, e := range events {
		s.Events = append(s.Events, eventstore.NewEvent{Payload: e, Customer: v.id, OccurredAt: at})
	}
	v.said += int64(len(events))
	return s
}

// oneImport is the import by which all imported customers came.
var oneImport = uuid.UUID{15: 1}

// arrive creates the i-th customer: imported with tags, or by a message that begins a session.
func (y *year) arrive(i int, at time.Time, yield func(eventstore.Past) bool) bool {
	p := y.people.At(i)
	n := customer.New{Association: p.Association.ID, Channel: p.Association.Channel, ExternalID: p.ExternalID, Via: customer.ViaInbound,
		Profile: customer.Profile{Nickname: p.Nickname, Phone: p.Phone, QQ: p.QQ, WechatID: p.WechatID,
			Email: p.Email, Company: p.Company, Description: p.Description}}
	v := &visitor{association: p.Association, description: p.Description}
	name := y.rareName(p.FullName)
	if p.Name != "" {
		n.Profile.Name = name
	}
	if p.Association.Channel == domain.ChannelApp && y.chance(65) {
		n.Via, n.Import = customer.ViaImport, oneImport
		if y.chance(10) {
			n.Via, n.Import = customer.ViaAPI, uuid.Nil
		}
		n.Profile.Name = name
		for y.chance(60) && len(v.tags) < 6 {
			v.tag(y.tag())
		}
		for _, t := range v.tags {
			n.Tags = append(n.Tags, y.tags[t])
		}
	}
	var nobody customer.State
	events, err := nobody.Create(n, func(uuid.UUID) bool { return true }, nil)
	if err != nil {
		y.err = fmt.Errorf("bench: customer: %w", err)
		return false
	}
	v.id = customer.ID(y.secret, n.Association, n.Channel, n.ExternalID)
	if n.Via != customer.ViaInbound {
		if y.chance(15) {
			v.left = 1 + y.more()
			y.later(at, v)
		}
		return yield(y.past(at, "admin", v.id, v.own(time.Time{}, events...)))
	}
	v.left = y.more()
	return yield(y.open(at, v, v.id, events...))
}

// rareName gives some of the Chinese names a last character that few names have, as there are thousands of those.
func (y *year) rareName(name string) string {
	runes := []rune(name)
	if len(runes) < 2 || !chinese(runes[0]) || !y.chance(1) {
		return name
	}
	runes[len(runes)-1] = 0x4e00 + rune(math.Floor(5000*y.random.Float64()*y.random.Float64()))
	return string(runes)
}

// tag draws one by its share.
func (y *year) tag() int {
	draw := y.random.Float64() * y.tagOf[len(y.tagOf)-1]
	for i, sum := range y.tagOf {
		if draw < sum {
			return i
		}
	}
	return len(y.tagOf) - 1
}

// tag notes a tag and reports whether the customer did not have it.
func (v *visitor) tag(t int) bool {
	if slices.Contains(v.tags, t) {
		return false
	}
	v.tags = append(v.tags, t)
	return true
}

// more draws how often somebody comes back: most never, a few very often.
func (y *year) more() int {
	if !y.chance(15) {
		return 0
	}
	return int(min(math.Pow(1-y.random.Float64(), -0.9), 120))
}

// later plans when the customer comes back: they spread their sessions over what is left of the year.
func (y *year) later(at time.Time, v *visitor) {
	gap := y.to.Sub(at).Hours() / float64(v.left+1) * y.random.ExpFloat64()
	y.in(at, time.Duration(gap*float64(time.Hour))+time.Minute, stepOpen, v)
}

// open begins a session by a message; before are the customer's own events of the same append.
func (y *year) open(at time.Time, v *visitor, fresh uuid.UUID, before ...customer.Event) eventstore.Past {
	v.session, v.said, v.agent = y.id(at), 0, ""
	said := spoken(at)
	own := v.own(said, append(before, customer.SessionOpened{Session: v.session, Initiator: domain.PartyCustomer})...)
	talk := v.talk(said, session.Started{Customer: v.id, Association: v.association.ID, Channel: v.association.Channel, Initiator: domain.PartyCustomer}, y.message(v, said))
	if y.chance(8) {
		y.in(at, 10*time.Minute, stepAbort, v)
	} else {
		y.in(at, time.Duration(y.random.ExpFloat64()*float64(time.Minute)), stepAccept, v)
	}
	return y.past(at, "channel", fresh, own, talk)
}

// spoken is when a message was written that is recorded now.
func spoken(at time.Time) time.Time {
	return at.Add(-800 * time.Millisecond).Truncate(time.Millisecond)
}

func (y *year) message(v *visitor, at time.Time) session.MessageRecorded {
	v.spoke = at
	return session.MessageRecorded{Message: fmt.Sprintf("m%x", y.random.Uint64()), Sender: session.Sender{Kind: domain.PartyCustomer}, Kind: session.KindText,
		Text: "你好，请问我的订单到哪里了？"}
}
