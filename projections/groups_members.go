package projections

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"customercenter/domain/filter"
	"customercenter/eventstore"
)

// Groups asks the read model of who is in which group. While a new rule of a group is being filled, every answer is by the rule before it;
// a new group has no members until then. A group that has ended is in no answer. It is safe for concurrent use.
type Groups struct {
	store      *eventstore.Store
	pool       database
	builds     Builds
	catalogues *Catalogues
}

// NewGroups returns the queries over the build that builds says is live.
func NewGroups(store *eventstore.Store, builds Builds, catalogues *Catalogues) *Groups {
	return &Groups{store: store, pool: store.DB(), builds: builds, catalogues: catalogues}
}

// WithGroups returns the same queries with filters by groups, counts by groups, and the groups of each customer.
func (c *Customers) WithGroups(g *Groups) *Customers { return c.withGroups(g.sets, g.memberships) }

// Progress says how much of a work is done.
type Progress struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

// GroupStatus is how a group stands.
type GroupStatus struct {
	Members  int64 // exact
	Revision int   // of the rule by which these are members; 0 before the first has been filled
	// Filling is how many customers a newer rule has looked at; nil if there is none.
	Filling *Progress
}

// Cause is what led to an entry into a group.
type Cause struct {
	// Kind is event (something happened to the customer), clock (time passed) or rule (the rule changed, or what it means).
	Kind string `json:"kind"`
	// EventPosition is what it was, in the log; nil for the clock.
	EventPosition *int64    `json:"event_position,omitempty"`
	At            time.Time `json:"at"`
}

// Membership is a group that a customer is in, since when and why.
type Membership struct {
	Group    uuid.UUID
	Since    time.Time
	Cause    Cause
	Evidence []filter.Evidence
}

// Member is a customer who is in a group, since when and why.
type Member struct {
	Customer uuid.UUID
	Since    time.Time
	Cause    Cause
	Evidence []filter.Evidence
}

// MembersPage is a page of the members of a group, the newest customers first.
type MembersPage struct {
	Items []Member
	Next  string // cursor of the next page; empty on the last
}

// servedRule is a row of group_rule of a group that has not ended.
type servedRule struct {
	group         uuid.UUID
	epoch, served int
	revision      int // of the rule that is served
}

func (r *servedRule) facet() int64  { return groupFacet(r.group, r.served) }
func (r *servedRule) filling() bool { return r.served != r.epoch }

// snapshot runs a read of the live build's tables as of one instant.
func (g *Groups) snapshot(ctx context.Context, do func(tx pgx.Tx, schema string) error) error {
	build, err := g.builds.Live(ctx, GroupsName)
	if err != nil {
		return err
	}
	err = pgx.BeginTxFunc(ctx, g.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		return do(tx, build.Schema)
	})
	if err != nil {
		return fmt.Errorf("projections: groups: %w", err)
	}
	return nil
}

// servedRules are the rules of a tenant's groups, or of some of them.
func servedRules(ctx context.Context, db reader, schema, tenant string, only []uuid.UUID) ([]servedRule, error) {
	rows, err := db.Query(ctx, in(schema, `select id, epoch, served, served_revision from $.group_rule
		where tenant = $1 and revision > 0 and ($2::uuid[] is null or id = any($2)) order by id`), tenant, only)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (r servedRule, err error) {
		err = row.Scan(&r.group, &r.epoch, &r.served, &r.revision)
		return r, err
	})
}

// sets is groupSets.
func (g *Groups) sets(ctx context.Context) (groupFacets, error) {
	build, err := g.builds.Live(ctx, GroupsName)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, db reader, tenant string, ids []uuid.UUID) (schema string, facets map[uuid.UUID]int64, err error) {
		if len(ids) == 0 {
			ids = nil
		}
		rules, err := servedRules(ctx, db, build.Schema, tenant, ids)
		facets = map[uuid.UUID]int64{}
		for _, r := range rules {
			if r.served != 0 {
				facets[r.group] = r.facet()
			}
		}
		return build.Schema, facets, err
	}, nil
}

// Status tells how groups of a tenant stand: these, or all if none is named. One that was defined this moment may be missing.
func (g *Groups) Status(ctx context.Context, tenant string, only ...uuid.UUID) (map[uuid.UUID]GroupStatus, error) {
	all := map[uuid.UUID]GroupStatus{}
	err := g.snapshot(ctx, func(tx pgx.Tx, schema string) error {
		rules, err := servedRules(ctx, tx, schema, tenant, only)
		if err != nil || len(rules) == 0 {
			return err
		}
		facets := make([]int64, len(rules))
		for i, r := range rules {
			facets[i] = r.facet()
		}
		rows, err := tx.Query(ctx, in(schema, `select facet, sum(bit_count(bits))::bigint from $.group_bits where tenant = $1 and facet = any($2) group by facet`),
			tenant, facets)
		if err != nil {
			return err
		}
		members := map[int64]int64{}
		var facet, n int64
		if _, err := pgx.ForEachRow(rows, []any{&facet, &n}, func() error { members[facet] = n; return nil }); err != nil {
			return err
		}
		var total, cursor int64
		var target int
		if err := tx.QueryRow(ctx, in(schema, `select ordinals, cursor, target from $.group_state where tenant = $1`), tenant).Scan(&total, &cursor, &target); err != nil {
			return err
		}
		for _, r := range rules {
			s := GroupStatus{Members: members[r.facet()], Revision: r.revision}
			if r.filling() {
				s.Filling = &Progress{Total: total}
				if r.epoch <= target {
					s.Filling.Done = min(cursor, total)
				}
			}
			all[r.group] = s
		}
		return nil
	})
	return all, err
}

// memberships is groupsOf: the groups of some customers by name, sorted by name.
func (g *Groups) memberships(ctx context.Context, tenant string, customers []uuid.UUID) (map[uuid.UUID][]Named, error) {
	catalogue, _, err := g.catalogues.Groups(ctx, tenant)
	if err != nil {
		return nil, err
	}
	if len(catalogue.All) == 0 {
		return nil, nil
	}
	found := map[uuid.UUID][]Named{}
	err = g.snapshot(ctx, func(tx pgx.Tx, schema string) error {
		return eachMembership(ctx, tx, schema, tenant, customers, func(customer, group uuid.UUID) {
			if known, exists := catalogue.All[group]; exists {
				found[customer] = append(found[customer], Named{ID: group, Name: known.Name})
			}
		})
	})
	for _, groups := range found {
		slices.SortFunc(groups, func(a, b Named) int { return cmp.Or(cmp.Compare(a.Name, b.Name), slices.Compare(a.ID[:], b.ID[:])) })
	}
	return found, err
}

// eachMembership tells which of the customers is in which group. Of a group that is being filled the set is asked: some customers have moved
// on to the new rule.
func eachMembership(ctx context.Context, tx pgx.Tx, schema, tenant string, customers []uuid.UUID, tell func(customer, group uuid.UUID)) error {
	rules, err := servedRules(ctx, tx, schema, tenant, nil)
	if err != nil {
		return err
	}
	settled, byFacet := map[uuid.UUID]bool{}, map[int64]uuid.UUID{}
	var facets []int64
	for _, r := range rules {
		switch {
		case !r.filling():
			settled[r.group] = true
		case r.served != 0:
			byFacet[r.facet()], facets = r.group, append(facets, r.facet())
		}
	}
	rows, err := tx.Query(ctx, in(schema, `select id, (e ->> 'group')::uuid from $.group_standing cross join json_array_elements(groups) e
		where tenant = $1 and id = any($2)`), planned, tenant, customers)
	if err != nil {
		return err
	}
	var customer, group uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&customer, &group}, func() error {
		if settled[group] {
			tell(customer, group)
		}
		return nil
	})
	if err != nil || len(facets) == 0 {
		return err
	}
	rows, err = tx.Query(ctx, in(schema, `select s.id, b.facet from $.group_subject s
		join $.group_bits b on b.tenant = s.tenant and b.facet = any($3) and b.bucket = s.ordinal / 16384
		where s.tenant = $1 and s.id = any($2) and get_bit(b.bits, (s.ordinal % 16384)::int) = 1`), planned, tenant, customers, facets)
	if err != nil {
		return err
	}
	var facet int64
	_, err = pgx.ForEachRow(rows, []any{&customer, &facet}, func() error { tell(customer, byFacet[facet]); return nil })
	return err
}

// Of tells in which groups a customer is, since when and why, in the order in which the groups were defined.
func (g *Groups) Of(ctx context.Context, tenant string, customer uuid.UUID) ([]Membership, error) {
	var all []Membership
	err := g.snapshot(ctx, func(tx pgx.Tx, schema string) error {
		var groups []uuid.UUID
		err := eachMembership(ctx, tx, schema, tenant, []uuid.UUID{customer}, func(_, group uuid.UUID) { groups = append(groups, group) })
		if err != nil {
			return err
		}
		slices.SortFunc(groups, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
		for _, group := range groups {
			members, err := whyMembers(ctx, tx, schema, tenant, group, []uuid.UUID{customer})
			if err != nil {
				return err
			}
			m := members[customer]
			all = append(all, Membership{Group: group, Since: m.Since, Cause: m.Cause, Evidence: m.Evidence})
		}
		return nil
	})
	return all, err
}

// membersSort names the order of a group's members in cursors.
const membersSort = "members"

// Members lists who is in a group, the newest customers first. A group that is not there has no members. ErrCursor.
func (g *Groups) Members(ctx context.Context, tenant string, group uuid.UUID, after string, limit int) (MembersPage, error) {
	c, given, err := parseCursor(after, membersSort+group.String())
	if err != nil {
		return MembersPage{}, err
	}
	if limit <= 0 || limit > MaxLimit {
		limit = DefaultLimit
	}
	before := int64(1) << 40
	if given {
		before = c.Ordinal
	}
	page := MembersPage{Items: []Member{}}
	err = g.snapshot(ctx, func(tx pgx.Tx, schema string) error {
		rules, err := servedRules(ctx, tx, schema, tenant, []uuid.UUID{group})
		if err != nil || len(rules) == 0 || rules[0].served == 0 {
			return err
		}
		ordinals, err := newestMembers(ctx, tx, schema, tenant, rules[0].facet(), before, limit+1)
		if err != nil {
			return err
		}
		if len(ordinals) > limit {
			ordinals = ordinals[:limit]
			page.Next = cursor{Sort: membersSort + group.String(), Ordinal: ordinals[limit-1]}.String()
		}
		rows, err := tx.Query(ctx, in(schema, `select id from $.group_subject where tenant = $1 and ordinal = any($2) order by ordinal desc`), planned, tenant, ordinals)
		if err != nil {
			return err
		}
		customers, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		if err != nil {
			return err
		}
		members, err := whyMembers(ctx, tx, schema, tenant, group, customers)
		for _, id := range customers {
			page.Items = append(page.Items, members[id])
		}
		return err
	})
	return page, err
}

// newestMembers are the greatest ordinals of a set below one, the greatest first.
func newestMembers(ctx context.Context, tx pgx.Tx, schema, tenant string, facet, before int64, limit int) (ordinals []int64, err error) {
	rows, err := tx.Query(ctx, in(schema, `select bucket, bits from $.group_bits where tenant = $1 and facet = $2 and bucket <= $3 order by bucket desc`),
		tenant, facet, (before-1)/bucketSize)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() && len(ordinals) < limit {
		var bucket int64
		var set pgtype.Bits
		if err := rows.Scan(&bucket, &set); err != nil {
			return nil, err
		}
		for i := len(set.Bytes) - 1; i >= 0; i-- {
			for b := set.Bytes[i]; b != 0 && len(ordinals) < limit; b &= b - 1 { // the last bit of a byte is the greatest ordinal
				if o := bucket*bucketSize + int64(i)*8 + 7 - int64(bits.TrailingZeros8(b)); o < before {
					ordinals = append(ordinals, o)
				}
			}
		}
	}
	return ordinals, rows.Err()
}

// whyMembersSQL goes through the changes of each customer, the latest first, behind a fence: of a group that has just been filled the planner does not know yet, and would go through
// all of its entries for each.
const whyMembersSQL = `select u.id, c.at, c.kind, c.position, coalesce(m.evidence, c.evidence)
	from unnest($3::uuid[]) u(id)
	join $.group_standing t on t.tenant = $1 and t.id = u.id
	left join lateral (select e -> 'evidence' as evidence from json_array_elements(t.groups) e where (e ->> 'group')::uuid = $2) m on true
	left join lateral (select at, kind, position, evidence from (select group_id, entered, at, kind, position, evidence from $.group_change
			where tenant = $1 and id >= (t.first << $4) and id <= (t.first << $4) + t.changes order by id desc offset 0) of_one
		where group_id = $2 and entered limit 1) c on true`

// whyMembers tells since when and why customers are in a group that they are in: by the last entry, so also of those who have left it by a rule that is not
// served yet.
func whyMembers(ctx context.Context, tx pgx.Tx, schema, tenant string, group uuid.UUID, customers []uuid.UUID) (map[uuid.UUID]Member, error) {
	rows, err := tx.Query(ctx, in(schema, whyMembersSQL), planned, tenant, group, customers, changeBits)
	if err != nil {
		return nil, err
	}
	members := map[uuid.UUID]Member{}
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (struct{}, error) {
		var m Member
		var since *time.Time
		var kind *string
		var position *int64
		var evidence []byte
		if err := row.Scan(&m.Customer, &since, &kind, &position, &evidence); err != nil {
			return struct{}{}, err
		}
		if since != nil {
			m.Since = since.UTC()
			m.Cause = Cause{Kind: *kind, At: m.Since}
			if *position > 0 {
				m.Cause.EventPosition = position
			}
			if err := json.Unmarshal(evidence, &m.Evidence); err != nil {
				return struct{}{}, err
			}
		}
		members[m.Customer] = m
		return struct{}{}, nil
	})
	return members, err
}
