package traffic

// due is something that happens at an instant: the next step of a session, the arrival of an event that was held back, or,
// if it names neither, that somebody new begins to write.
type due struct {
	at       int64 // milliseconds of the generator's clock
	sequence uint64
	session  *session
	held     *arrival
}

// queue is a binary heap of what is due, earliest first; of one instant, in the order it was pushed.
type queue struct {
	items  []due
	pushed uint64
}

func (q *queue) less(i, j int) bool {
	a, b := &q.items[i], &q.items[j]
	return a.at < b.at || a.at == b.at && a.sequence < b.sequence
}

// push adds what is due.
func (q *queue) push(d due) {
	q.pushed++
	d.sequence = q.pushed
	q.items = append(q.items, d)
	for i := len(q.items) - 1; i > 0; {
		parent := (i - 1) / 2
		if !q.less(i, parent) {
			return
		}
		q.items[i], q.items[parent] = q.items[parent], q.items[i]
		i = parent
	}
}

// pop takes the earliest; the queue must not be empty.
func (q *queue) pop() due {
	first, last := q.items[0], len(q.items)-1
	q.items[0] = q.items[last]
	q.items[last] = due{} // let go of what it points to
	q.items = q.items[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			return first
		}
		if child+1 < last && q.less(child+1, child) {
			child++
		}
		if !q.less(child, i) {
			return first
		}
		q.items[i], q.items[child] = q.items[child], q.items[i]
		i = child
	}
}
