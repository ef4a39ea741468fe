//go:build unix

package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"customercenter/api/ingest"
	"customercenter/cmd/customercenter/crash"
)

// expectation is what the API may say while something lasts. Whatever is said: it is the operation's own answer, or 503 or, if it may have been carried out, 504 with
// Retry-After.
type expectation string

const (
	answered expectation = "answered"              // every request is
	refused  expectation = "refused"               // every one that ends meanwhile is told to come again
	held     expectation = "not answered"          // no request is: it waits, or is told to come again
	either   expectation = "answered or told when" // some are
)

// period is a time for which one thing is expected.
type period struct {
	name          string
	reads, writes expectation
	gone          string // the process of the API whose connections may break, and which may be silent; "" for none

	ok, unavailable [2]atomic.Int64 // of reads and of writes that were begun and answered in it
}

const (
	read = iota
	write
)

var kinds = [...]string{read: "reads", write: "writes"}

func (p *period) expects(kind int) expectation {
	if kind == read {
		return p.reads
	}
	return p.writes
}

// shown reports whether what is expected was seen, so that it means something.
func (p *period) shown() bool {
	for kind := range kinds {
		ok, unavailable := p.ok[kind].Load(), p.unavailable[kind].Load()
		if e := p.expects(kind); e == answered && ok == 0 || e == refused && unavailable == 0 {
			return false
		}
	}
	return true
}

// person is whoever of a tenant calls the API.
type person struct {
	tenant, admin, channel string // the tokens
	customers              []string
}

// request is one request to the API.
type request struct {
	kind                      int
	method, path, token, body string
	id                        string // its X-Request-Id; of a write, which is sent until it is answered, always the same
	key                       string // Idempotency-Key
	after                     int64  // X-After-Position
}

// answer is what the API said, if anything.
type answer struct {
	status   int
	header   http.Header
	body     []byte
	position int64
}

func (a *answer) unavailable() bool {
	return a.status == http.StatusServiceUnavailable || a.status == http.StatusGatewayTimeout
}

// traffic is what people and channels do meanwhile, and what they were told.
type traffic struct {
	t      *testing.T
	client *http.Client
	urls   []string // of the API
	names  []string // of the processes behind them
	now    atomic.Pointer[period]
	turn   atomic.Int64
	stop   context.CancelFunc
	wg     sync.WaitGroup
	queue  sync.RWMutex // whoever publishes channel events reads it

	mu       sync.Mutex
	waiting  map[*int]func() // ends requests that are under way, to the process that each points to
	requests []crash.Request
	wrong    []string
	unsaid   int // complaints beyond the first of a period
	broken   int // connections
}

func newTraffic(t *testing.T, names, urls []string) *traffic {
	tr := &traffic{t: t, names: names, urls: urls, waiting: map[*int]func(){}, client: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 32}}}
	tr.now.Store(&period{name: "the beginning", reads: either, writes: either})
	t.Cleanup(tr.client.CloseIdleConnections)
	return tr
}

// begin has writers, readers and a channel of each tenant at work until end.
func (tr *traffic) begin(js jetstream.JetStream, people []*person, pace time.Duration, seed uint64) {
	ctx, cancel := context.WithCancel(context.Background())
	tr.stop = cancel
	tr.t.Cleanup(func() { cancel(); tr.wg.Wait() })
	work := func(number int, do func(n int, chance *rand.Rand)) {
		chance := rand.New(rand.NewPCG(seed, uint64(number)))
		tr.wg.Go(func() {
			tick := time.NewTicker(pace)
			defer tick.Stop()
			for n := 0; ; n++ {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					do(n, chance)
				}
			}
		})
	}
	for i, p := range people {
		for writer := range 2 {
			work(10*i+writer, func(n int, chance *rand.Rand) {
				id := fmt.Sprintf("%s-%d-%d", p.tenant, writer, n)
				if chance.IntN(3) == 0 {
					tr.edit(p, p.customers[(2*chance.IntN(len(p.customers)/2)+writer)%len(p.customers)], id)
				} else {
					tr.receive(p, fmt.Sprintf("http-%d-%d", writer, chance.IntN(visitors)), id, chance.IntN(2) == 0)
				}
			})
		}
		work(10*i+8, func(n int, chance *rand.Rand) {
			path := "/v1/customers?limit=20"
			if chance.IntN(2) == 0 {
				path = "/v1/customers/" + p.customers[chance.IntN(len(p.customers))]
			}
			tr.ask(request{kind: read, method: "GET", path: path, token: p.admin})
		})
		work(10*i+9, func(n int, chance *rand.Rand) {
			tr.publish(js, p, fmt.Sprintf("nats-%d", chance.IntN(visitors)), fmt.Sprintf("%s-nats-%d", p.tenant, n))
		})
	}
}

// visitors is how many people each writer meets: few, so that what is kept of each in memory stays the same in a long run.
const visitors = 20

// end lets everybody finish what they have begun.
func (tr *traffic) end() { tr.stop(); tr.wg.Wait() }

// event is a message of a visitor.
func event(visitor, id string) string {
	return fmt.Sprintf(`{"specversion": "1.0", "id": %[2]q, "source": "/app", "type": "message.received", "data": {"external_id": %[1]q, "message": {"id": %[2]q, "kind": "text", "text": "你好 %[2]s"}}}`, visitor, id)
}

// receive posts a channel's event until it is answered, and returns where it stands in the log.
func (tr *traffic) receive(p *person, visitor, id string, keyed bool) int64 {
	q := request{kind: write, method: "POST", path: "/v1/channels/1/events", token: p.channel, body: event(visitor, id), id: id}
	if keyed {
		q.key = "key-" + id
	}
	return tr.insist(p, q, crash.ReceiptKey{Actor: "channel/1", Route: "channel", Key: "/app\n" + id})
}

// edit gives a customer another name.
func (tr *traffic) edit(p *person, customer, id string) {
	q := request{kind: write, method: "PATCH", path: "/v1/customers/" + customer, token: p.admin, body: fmt.Sprintf(`{"profile": {"nickname": "名字 %s"}}`, id), id: id, key: id}
	tr.insist(p, q, crash.ReceiptKey{Actor: "admin/boss", Route: "PATCH /v1/customers/{id}", Key: id})
}

func (tr *traffic) insist(p *person, q request, receipt crash.ReceiptKey) int64 {
	for end := time.Now().Add(2 * patience); ; {
		a := tr.ask(q)
		if a != nil && a.status < 300 {
			tr.note(crash.Request{Tenant: p.tenant, Correlation: q.id, Acknowledged: true, Changed: true, Position: a.position, Receipt: receipt})
			return a.position
		}
		if a != nil && !a.unavailable() {
			tr.note(crash.Request{Tenant: p.tenant, Correlation: q.id})
			return 0 // complained of already
		}
		if time.Now().After(end) {
			tr.complain("%s %s: no answer after %s", q.method, q.path, 2*patience)
			tr.note(crash.Request{Tenant: p.tenant, Correlation: q.id})
			return 0
		}
		pause(50 * time.Millisecond)
	}
}

func (tr *traffic) note(q crash.Request) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.requests = append(tr.requests, q)
}

// publish puts a channel's event into the queue, again until the queue says that it has it. It will then be recorded, once.
func (tr *traffic) publish(js jetstream.JetStream, p *person, visitor, id string) {
	for {
		tr.queue.RLock()
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		_, err := js.Publish(ctx, ingest.Subject(p.tenant, 1), []byte(event(visitor, id)))
		cancel()
		tr.queue.RUnlock()
		if err == nil {
			tr.note(crash.Request{Tenant: p.tenant, Correlation: id, Acknowledged: true, Changed: true})
			return
		}
		pause(50 * time.Millisecond)
	}
}

// ask sends a request to one of the API's processes, to each in turn, and judges the answer. It is nil if the connection broke.
func (tr *traffic) ask(q request) *answer {
	return tr.askOne(int(tr.turn.Add(1))%len(tr.urls), q)
}

func (tr *traffic) askOne(process int, q request) *answer {
	before, began := tr.now.Load(), time.Now()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer tr.under(process, cancel)()
	if before.gone == tr.names[process] {
		ctx, cancel = context.WithTimeout(ctx, silent)
		defer cancel()
	}
	a, err := tr.send(ctx, tr.urls[process], q)
	after := tr.now.Load()
	what := fmt.Sprintf("%s %s to %s, sent in %s, answered in %s after %s", q.method, q.path, tr.names[process], before.name, after.name, time.Since(began).Round(time.Millisecond))
	if err != nil {
		if before.gone != tr.names[process] && after.gone != tr.names[process] {
			tr.complain("%s: %v", what, err)
		}
		tr.mu.Lock()
		tr.broken++
		tr.mu.Unlock()
		return nil
	}
	unavailable := a.unavailable()
	switch {
	case a.status < 300:
	case !unavailable, a.header.Get("Retry-After") == "":
		tr.complain("%s: %d, Retry-After %q: %s", what, a.status, a.header.Get("Retry-After"), a.body)
	}
	if before != after {
		return a
	}
	if unavailable {
		after.unavailable[q.kind].Add(1)
	} else {
		after.ok[q.kind].Add(1)
	}
	switch e := after.expects(q.kind); {
	case unavailable && e == answered, !unavailable && (e == refused || e == held):
		tr.complain("%s: %d, but they should be %s: %s", what, a.status, e, a.body)
	}
	return a
}

// under notes that a request is under way, until what it returns is called.
func (tr *traffic) under(process int, cancel func()) (done func()) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.waiting[&process] = cancel
	return func() {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		delete(tr.waiting, &process)
	}
}

// leave ends the requests that wait for a process that is gone, as whoever distributes requests does.
func (tr *traffic) leave(name string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for process, cancel := range tr.waiting {
		if tr.names[*process] == name {
			cancel()
		}
	}
}

// silent is after how long a process of the API counts as gone, as it does with what stands before the API. It may do later what it was asked for.
const silent = time.Second

func (tr *traffic) send(ctx context.Context, url string, q request) (*answer, error) {
	r, err := http.NewRequestWithContext(ctx, q.method, url+q.path, bytes.NewReader([]byte(q.body)))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+q.token)
	r.Header.Set("Content-Type", "application/json")
	if q.id != "" {
		r.Header.Set("X-Request-Id", q.id)
	}
	if q.key != "" {
		r.Header.Set("Idempotency-Key", q.key)
	}
	if q.after != 0 {
		r.Header.Set("X-After-Position", fmt.Sprint(q.after))
	}
	said, err := tr.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer said.Body.Close()
	a := &answer{status: said.StatusCode, header: said.Header}
	if a.body, err = io.ReadAll(said.Body); err != nil {
		return nil, err
	}
	if position := said.Header.Get("X-Log-Position"); position != "" {
		if err := json.Unmarshal([]byte(position), &a.position); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// complain notes what should not have been said. The test goes on: what follows from it is to be seen, too.
func (tr *traffic) complain(format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if len(tr.wrong) >= fewComplaints {
		tr.unsaid++
		return
	}
	tr.wrong = append(tr.wrong, fmt.Sprintf(format, args...))
}

const fewComplaints = 5

// complaints are those since the last time.
func (tr *traffic) complaints() []string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	all := tr.wrong
	if tr.unsaid > 0 {
		all = append(all, fmt.Sprintf("and %d more complaints", tr.unsaid))
	}
	tr.wrong, tr.unsaid = nil, 0
	return all
}

// asked is everything that was asked for so far.
func (tr *traffic) asked() []crash.Request {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return slices.Clone(tr.requests)
}
