// Package traffic generates the channel traffic of a customer-service installation: people who write, wait, are accepted,
// answered, transferred, closed and asked for a rating, on several channels at once, as the CloudEvents that a channel
// would put on cc.in.<tenant>.<association>. Demos, load tests and fault tests feed the product with it.
//
// A Generator is deterministic: the same Options give the same events, byte for byte, on every machine (only integer
// arithmetic and PCG decide). It keeps a Summary of what it handed out, which is exactly what the product must show once
// it has handled those events in their order: duplicates counted once, late messages opening nothing, malformed events
// changing nothing.
//
// What the generator promises about the order of events, association and external id by association and external id:
//
//   - a message.received opens every session, before anything else refers to that session;
//   - session.accepted comes before message.sent, session.transferred, session.rated and a close by an agent or the system;
//   - nothing but late messages, duplicates and at most one session.rated refers to a session after its session.closed,
//     and the rating comes before the next session;
//   - times never decrease and no two events but an event and its duplicate share one, except that a late message arrives
//     after the close that it precedes in time.
//
// Events name their session by external_id, because only the product knows the ids of sessions.
package traffic
