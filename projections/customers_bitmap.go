package projections

import (
	"errors"
	"iter"
	"math/bits"

	"github.com/jackc/pgx/v5/pgtype"
)

// bitmap is a set of the customers of one bucket. The customer of ordinal o is bit o % bucketSize; bit 0 is the highest of the first
// word, as in the database, where it is the leftmost. Bitmaps are shared between the parts of a plan and never changed once they are;
// nil is nobody, and everyone is everybody.
type bitmap [bucketSize / 64]uint64

var everyone = func() *bitmap {
	var b bitmap
	for i := range b {
		b[i] = ^uint64(0)
	}
	return &b
}()

// ScanBits reads a bit(16384).
func (b *bitmap) ScanBits(v pgtype.Bits) error {
	if !v.Valid || v.Len != bucketSize {
		return errors.New("not the bitmap of a bucket")
	}
	for i := range b {
		at := v.Bytes[8*i : 8*i+8]
		b[i] = uint64(at[0])<<56 | uint64(at[1])<<48 | uint64(at[2])<<40 | uint64(at[3])<<32 |
			uint64(at[4])<<24 | uint64(at[5])<<16 | uint64(at[6])<<8 | uint64(at[7])
	}
	return nil
}

// set adds an ordinal of the bucket. It is for bitmaps in the making.
func (b *bitmap) set(ordinal int64) {
	at := ordinal % bucketSize
	b[at/64] |= 1 << (63 - at%64)
}

func (b *bitmap) count() (n int) {
	if b == nil {
		return 0
	}
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

func (b *bitmap) empty() bool {
	if b != nil {
		for _, w := range b {
			if w != 0 {
				return false
			}
		}
	}
	return true
}

// and is the intersection.
func (b *bitmap) and(other *bitmap) *bitmap {
	switch {
	case b == nil || other == nil:
		return nil
	case b == everyone || b == other:
		return other
	case other == everyone:
		return b
	}
	var out bitmap
	some := uint64(0)
	for i := range out {
		out[i] = b[i] & other[i]
		some |= out[i]
	}
	if some == 0 {
		return nil // what would be made of it need not be
	}
	return &out
}

// or is the union.
func (b *bitmap) or(other *bitmap) *bitmap {
	switch {
	case b == nil || other == everyone || b == other:
		return other
	case other == nil || b == everyone:
		return b
	}
	var out bitmap
	for i := range out {
		out[i] = b[i] | other[i]
	}
	return &out
}

// without is b but for the others.
func (b *bitmap) without(other *bitmap) *bitmap {
	switch {
	case b == nil || other == everyone || b == other:
		return nil
	case other == nil:
		return b
	}
	var out bitmap
	some := uint64(0)
	for i := range out {
		out[i] = b[i] &^ other[i]
		some |= out[i]
	}
	if some == 0 {
		return nil // what would be made of it need not be
	}
	return &out
}

// between are the bucket's customers with from <= ordinal < to.
func between(bucket int, from, to int64) *bitmap {
	first := int64(bucket) * bucketSize
	low, high := max(from-first, 0), min(to-first, bucketSize)
	switch {
	case low >= high:
		return nil
	case low == 0 && high == bucketSize:
		return everyone
	}
	var out bitmap
	for i := range out {
		word := ^uint64(0)
		at := int64(i) * 64
		if low > at {
			word = shifted(word, low-at)
		}
		if high < at+64 {
			word &^= shifted(^uint64(0), max(high-at, 0))
		}
		out[i] = word
	}
	return &out
}

// shifted moves a word to the right; by 64 and more nothing is left.
func shifted(word uint64, by int64) uint64 { return word >> min(uint64(by), 64) }

// ordinals are the customers in order.
func (b *bitmap) ordinals(bucket int, ascending bool) iter.Seq[int64] {
	first := int64(bucket) * bucketSize
	return func(yield func(int64) bool) {
		if b == nil {
			return
		}
		for n := range b {
			i := n
			if !ascending {
				i = len(b) - 1 - n
			}
			for w := b[i]; w != 0; {
				at := bits.LeadingZeros64(w)
				if !ascending {
					at = 63 - bits.TrailingZeros64(w)
				}
				w &^= 1 << (63 - at)
				if !yield(first + int64(i*64+at)) {
					return
				}
			}
		}
	}
}

// has reports whether an ordinal of the bucket is in the set.
func (b *bitmap) has(ordinal int64) bool {
	at := ordinal % bucketSize
	return b != nil && b[at/64]&(1<<(63-at%64)) != 0
}
