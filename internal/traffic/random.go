package traffic

import (
	"math/bits"
	"math/rand/v2"
)

// random draws from PCG with integer arithmetic only. Floating point is rounded differently by different processors (fused
// multiply-add), and a sequence that depends on the machine would not be deterministic for a seed.
type random struct{ pcg rand.PCG }

// Streams of one seed that must not depend on each other.
const (
	streamTraffic uint64 = 0x7472616666696300
	streamPeople  uint64 = 0x70656f706c650000
)

func newRandom(seed, stream uint64) *random {
	r := &random{}
	r.pcg.Seed(seed, stream)
	return r
}

// below returns a number from 0 to n-1. The bias, n/2^64, does not matter here.
func (r *random) below(n uint64) uint64 {
	high, _ := bits.Mul64(r.pcg.Uint64(), n)
	return high
}

// index returns an index into something with n elements.
func (r *random) index(n int) int { return int(r.below(uint64(n))) }

// chance is true n times in a thousand.
func (r *random) chance(n uint64) bool { return r.below(1000) < n }

// million is true n times in a million.
func (r *random) million(n uint64) bool { return n > 0 && r.below(1_000_000) < n }

// between returns a number from low to high-1, each as likely.
func (r *random) between(low, high int64) int64 { return low + int64(r.below(uint64(high-low))) }

// skewed returns a number from low to high-1, mostly near low: half of all are in the first eighth.
func (r *random) skewed(low, high int64) int64 {
	u := r.pcg.Uint64() >> 44 // 20 bits, so that the cube fits into 60
	return low + int64((u*u*u>>40)*uint64(high-low)>>20)
}

// octave returns an index below n as people come back: the most active 1/64 of n is drawn as often as the next 2/64,
// the next 4/64 and so on (Zipf's law with exponent 1, flattened at its head, in steps of powers of two).
func (r *random) octave(n uint64) uint64 {
	first := max(1, n/64)
	octaves := bits.Len64((n + first - 1) / first) // those that begin below n+first
	low := first << r.below(uint64(octaves))
	return low + r.below(min(low, n+first-low)) - first
}

// pick returns one of the choices.
func pick[T any](r *random, choices []T) T { return choices[r.index(len(choices))] }

// mix is the finalizer of splitmix64, a bijection: different numbers give different numbers that look unrelated.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
