package projections

import (
	"slices"
	"unicode"
)

// This file makes the terms by which customer_text is searched for parts of texts: hashes of two or three characters that follow each
// other, in buckets of ordinals, so that the newest customers can be searched before all others. A term proves nothing by itself, every
// candidate's text is compared; a text that contains the needle has all of the needle's terms.

// termKind is a text, or two, with terms. The numbers are stored, in the hash of every term: they never change.
type termKind byte

const (
	termName       termKind = 1 // nickname and name together: two characters, and three of Latin letters and digits
	termExternalID termKind = 2 // three characters; and two, but for Latin letters and digits, any two of which are in many ids
	termPhone      termKind = 3 // three characters
)

// termBits is how many bits of a term are hash; the bucket is above them.
const termBits = 48

// termBuckets is how many buckets of the bitmaps are one of the terms. A search costs as much for each of these, and so much for each customer
// that it finds: few large ones are better for what few have, many small ones for what many have.
const termBuckets = 4

// termBucket is the bucket of terms that a bucket of bitmaps is in.
func termBucket(bucket int) int { return bucket / termBuckets }

// inBucket is the term as the customers of a bucket of terms have it.
func inBucket(term int64, bucket int) int64 { return int64(bucket)<<termBits + term }

// needleTerms are the terms, without bucket, that every text of that kind has that contains the needle, which is folded; each once,
// ascending. There are none for a needle of fewer than two characters, for phones, and for ids of letters and digits, of fewer than three.
//
// Where three characters are known to be together, the pairs in them are not asked for: they find nothing less. Of a long needle's terms
// some are enough, from its beginning to its end: each costs as much as it finds, and the texts are compared in any case.
func needleTerms(tenant string, kind termKind, needle string) []int64 {
	h := newTermHash(tenant)
	runes := []rune(needle)
	var terms []int64
	for i := range runes {
		if i+3 <= len(runes) && triple(kind, runes[i:i+3]) {
			terms = append(terms, h.of(kind, runes[i:i+3]))
		} else if i+2 <= len(runes) && pair(kind, runes[i:i+2]) && !(i > 0 && triple(kind, runes[i-1:i+2])) {
			terms = append(terms, h.of(kind, runes[i:i+2]))
		}
	}
	const most = 4
	if n := len(terms); n > most {
		some := make([]int64, most)
		for i := range some {
			some[i] = terms[i*(n-1)/(most-1)]
		}
		terms = some
	}
	slices.Sort(terms)
	return slices.Compact(terms)
}

// pair reports whether two characters are a term.
func pair(kind termKind, window []rune) bool {
	plain := func(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' }
	switch kind {
	case termPhone:
		return false
	case termExternalID:
		return !plain(window[0]) || !plain(window[1])
	}
	return true
}

// triple reports whether three characters are a term.
func triple(kind termKind, window []rune) bool {
	if kind != termName {
		return true
	}
	for _, r := range window {
		if !unicode.Is(unicode.Latin, r) && !unicode.IsDigit(r) {
			return false
		}
	}
	return true
}

// termsOf are the terms of a customer's texts, with its bucket; ascending, each once.
func termsOf(tenant string, r *customerTextRow) []int64 {
	h := newTermHash(tenant)
	terms := make([]int64, 0, 32)
	add := func(kind termKind, folded string) {
		runes := []rune(folded)
		for i := range runes {
			if i+2 <= len(runes) && pair(kind, runes[i:i+2]) {
				terms = append(terms, h.of(kind, runes[i:i+2]))
			}
			if i+3 <= len(runes) && triple(kind, runes[i:i+3]) {
				terms = append(terms, h.of(kind, runes[i:i+3]))
			}
		}
	}
	add(termName, r.Nickname)
	add(termName, r.Name)
	add(termExternalID, r.ExternalID)
	add(termPhone, r.Phone)
	bucket := termBucket(int(r.Ordinal / bucketSize))
	for i := range terms {
		terms[i] = inBucket(terms[i], bucket)
	}
	slices.Sort(terms)
	return slices.Compact(terms)
}

// termHash is a hash of everything that the terms of one tenant begin with.
type termHash uint64

// FNV-1a of 64 bits.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func newTermHash(tenant string) termHash {
	h := termHash(fnvOffset)
	for i := range len(tenant) {
		h = h.add(tenant[i])
	}
	return h.add(0)
}

func (h termHash) add(b byte) termHash { return (h ^ termHash(b)) * fnvPrime }

// of hashes the characters into 48 bits. The index is shared by all tenants, that is why theirs differ.
func (h termHash) of(kind termKind, runes []rune) int64 {
	h = h.add(byte(kind)).add(byte(len(runes)))
	for _, r := range runes {
		h = h.add(byte(r)).add(byte(r >> 8)).add(byte(r >> 16))
	}
	return int64((h>>termBits ^ h) & (1<<termBits - 1))
}
