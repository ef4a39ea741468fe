package projections

import (
	"slices"

	"customercenter/domain/tag"
	"customercenter/projections/projector"
)

// listing is a page in the making.
type listing struct {
	query    *ListQuery
	question question
	tags     tag.State
	answer   *answer
	until    budget
	grouped  bool // the groups of those in the answer are told
	together bool // customers and groups, if they are asked for, have to be of one position: errApart

	order order
	from  cursor
	given bool // from is a cursor
	past  *projector.Moment

	places  []place // the page, in the order of the list
	more    bool    // there is more beyond the page, in the direction of the search
	stopped *place  // where the budget was spent; nil: it was not
	// known says that everybody in the answer is known.
	known bool
	count Count
}

// page finds who is on the page, and how many there are on all.
func (l *listing) page() (Page, error) {
	ascending := l.order.ascending != l.from.Back
	var walk *walk
	var err error
	switch {
	case l.order.created():
		walk, err = l.created(ascending)
	case l.order.field != 0:
		err = l.custom(ascending)
	default:
		err = l.sorted(ascending)
	}
	if err != nil {
		return Page{}, err
	}
	found := len(l.places)
	if l.more = found > l.query.Limit; l.more {
		l.places = l.places[:l.query.Limit]
	}
	if l.from.Back {
		slices.Reverse(l.places)
	}
	if err := l.counted(walk, found); err != nil {
		return Page{}, err
	}
	page := Page{Count: l.count, Partial: l.stopped != nil}
	page.Next, page.Prev = l.cursors()
	return page, nil
}

// created finds the page in the order of creation. The walk is one from the beginning of the list, or nil.
func (l *listing) created(ascending bool) (*walk, error) {
	a := l.answer
	if a.exact() && (!l.given || len(l.query.Facets) > 0) { // all is read in any case, to be counted
		if err := a.loadAll(); err != nil {
			return nil, err
		}
	}
	w := a.walk(ascending, l.from.Ordinal)
	ordinals, err := w.next(l.query.Limit+1, l.until)
	if err != nil {
		return nil, err
	}
	for _, ordinal := range ordinals {
		l.places = append(l.places, place{ordinal: ordinal})
	}
	if len(ordinals) <= l.query.Limit && !w.ended() {
		l.stopped = &place{ordinal: w.passed()}
	}
	if l.given {
		return nil, nil
	}
	return w, nil
}

// sorted finds the page in another order that everybody has a place in.
func (l *listing) sorted(ascending bool) error { return l.ordered(l.answer, ascending) }

// ordered goes on with the page by the order of some of the answer's customers, all that are in it.
func (l *listing) ordered(of *answer, ascending bool) error {
	var beyond *place
	if l.given && !l.from.Unset {
		p, err := l.order.find(of.ctx, of.db, of.schema, of.tenant, l.from)
		if err != nil {
			return err
		}
		beyond = &p
	}
	found, stopped, err := of.ordered(l.order, beyond, ascending, l.query.Limit+1-len(l.places), l.until)
	l.places, l.stopped = append(l.places, found...), stopped
	return err
}

// custom finds the page in the order of a custom field: those with a value, then the others in the order of creation.
func (l *listing) custom(ascending bool) error {
	with, without := l.answer.halves(l.order.field)
	first, second := func() error { return l.ordered(with, ascending) }, func() error { return l.unordered(without, ascending) }
	begun := l.from.Unset // the page begins in the second half of the way
	if l.from.Back {
		first, second, begun = second, first, !begun
	}
	if !l.given || !begun {
		if err := first(); err != nil || l.stopped != nil || len(l.places) > l.query.Limit {
			return err
		}
	}
	return second()
}

// unordered goes on with the page by those who are not in its order.
func (l *listing) unordered(of *answer, ascending bool) error {
	var beyond int64
	if l.from.Unset {
		beyond = l.from.Ordinal
	}
	want := l.query.Limit + 1 - len(l.places)
	w := of.walk(ascending, beyond)
	ordinals, err := w.next(want, l.until)
	if err != nil {
		return err
	}
	for _, ordinal := range ordinals {
		l.places = append(l.places, place{ordinal: ordinal, unset: true})
	}
	if len(ordinals) < want && !w.ended() {
		l.stopped = &place{ordinal: w.passed(), unset: true}
	}
	return nil
}

// counted counts once, for the first page: the cursors carry it to the others, as they do the instant.
func (l *listing) counted(walk *walk, found int) (err error) {
	a := l.answer
	switch {
	case l.from.Count != nil && (a.exact() || len(l.query.Facets) == 0):
		l.count, l.known = *l.from.Count, a.exact()
	default:
		wait := countBudget
		if len(l.query.Facets) > 0 {
			wait = facetBudget
		}
		l.count, err = a.count(walk, found, countBound, spend(wait))
		l.known = l.count.Exact
	}
	return err
}

// cursors returns the cursors to the next page and the one before.
func (l *listing) cursors() (next, prev string) {
	return links(l.from, l.given, len(l.places), l.more, l.stopped != nil, func(i int, back bool) string {
		p := l.stopped
		if i >= 0 {
			p = &l.places[i]
		}
		return cursor{Sort: l.order.name, Back: back, Unset: p.unset, Ordinal: p.ordinal, At: p.at.UTC(), Judged: l.question.at, Count: &l.count, Past: l.past}.String()
	})
}
