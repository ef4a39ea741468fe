// Package faults breaks what the product depends on, and parts of the product, while people and channels use it, and finds out whether it gets over that by
// itself: the API goes on where it can, says 503 with Retry-After where it cannot, and nothing is lost, doubled or reordered, as package crash checks in the end.
//
// There is nothing here but tests. They run the built program as users do, two processes of each role, with toxiproxy before Postgres and NATS. What can break
// is one table; TestFaults goes through it once, and for as long as -faults.for says it goes on with faults drawn at random.
package faults
