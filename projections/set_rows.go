package projections

import (
	"math/bits"
	"slices"
)

// setRow are the members of a set in one bucket. It is never changed.
type setRow struct {
	number int64 // as of which transaction it was read
	count  int
	few    []uint16 // the places of the members in the bucket, ascending, where there are few
	many   *bitmap  // else
}

// fewMembers is up to how many members a row is kept as a list: a quarter of the memory, and as fast to count with.
const fewMembers = 256

// newSetRow makes a row of a bitmap, which it does not keep.
func newSetRow(b *bitmap) *setRow {
	r := &setRow{count: b.count()}
	if r.count > fewMembers {
		many := *b
		r.many = &many
		return r
	}
	r.few = make([]uint16, 0, r.count)
	for place := range b.ordinals(0, true) {
		r.few = append(r.few, uint16(place))
	}
	return r
}

// size is how much memory a row takes, and slotSize what its place takes.
func (r *setRow) size() int64 {
	const fixed = 64
	if r.many != nil {
		return fixed + bucketSize/8
	}
	return fixed + 2*int64(len(r.few))
}

const slotSize = 8

// bitmap is the row as one; nil if there is nobody.
func (r *setRow) bitmap() *bitmap {
	if r.many != nil || r.count == 0 {
		return r.many
	}
	b := new(bitmap)
	r.addTo(b)
	return b
}

// addTo adds the members to a bitmap in the making.
func (r *setRow) addTo(b *bitmap) {
	for _, place := range r.few {
		b.set(int64(place))
	}
	if r.many != nil {
		for i, w := range r.many {
			b[i] |= w
		}
	}
}

// has reports whether an ordinal of the bucket is among the members.
func (r *setRow) has(ordinal int64) bool {
	if r.many != nil {
		return r.many.has(ordinal)
	}
	_, found := slices.BinarySearch(r.few, uint16(ordinal%bucketSize))
	return found
}

// common is how many of the members are in another set of the bucket. size is how many that has.
func (r *setRow) common(other *bitmap, size int) (n int) {
	switch {
	case r.count == 0 || size == 0:
	case other == everyone:
		return r.count
	case r.many != nil:
		for i, w := range r.many {
			n += bits.OnesCount64(w & other[i])
		}
	default:
		for _, place := range r.few {
			n += int(other[place/64] >> (63 - place%64) & 1)
		}
	}
	return n
}
