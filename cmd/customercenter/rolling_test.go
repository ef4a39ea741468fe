package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"customercenter/api/ingest"
	"customercenter/eventstore/eventstoretest"
	"customercenter/internal/natstest"
	"customercenter/internal/pgtest"
)

// balancer sends requests to those servers in turn that say they are ready. It never sends one twice.
type balancer struct {
	t       *testing.T
	servers []*balanced
	turn    atomic.Int64
}

type balanced struct {
	ready atomic.Bool
	proxy *httputil.ReverseProxy
}

func balance(t *testing.T, addresses ...string) *balancer {
	b := &balancer{t: t}
	ctx, cancel := context.WithCancel(context.Background())
	var lookouts sync.WaitGroup
	t.Cleanup(func() { cancel(); lookouts.Wait() })
	for _, address := range addresses {
		s := &balanced{proxy: httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address})}
		s.proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 16}
		s.proxy.ErrorHandler = func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil {
				t.Errorf("a request to %s is lost: %v", address, err)
			}
			w.WriteHeader(http.StatusBadGateway)
		}
		b.servers = append(b.servers, s)
		lookouts.Go(func() {
			for ; ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
				limited, cancel := context.WithTimeout(ctx, 5*time.Second)
				request, err := http.NewRequestWithContext(limited, http.MethodGet, "http://"+address+"/readyz", nil)
				if err != nil {
					t.Error(err)
				}
				answer, err := http.DefaultClient.Do(request)
				s.ready.Store(err == nil && answer.StatusCode == http.StatusOK)
				if err == nil {
					_ = answer.Body.Close()
				}
				cancel()
			}
		})
	}
	return b
}

func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	turn := int(b.turn.Add(1)) // others take theirs meanwhile
	for i := range b.servers {
		if s := b.servers[(turn+i)%len(b.servers)]; s.ready.Load() {
			s.proxy.ServeHTTP(w, r)
			return
		}
	}
	b.t.Error("no server is ready")
	w.WriteHeader(http.StatusServiceUnavailable)
}

// await waits until a server is ready, or is not any more.
func (b *balancer) await(server int, ready bool) {
	b.t.Helper()
	for end := time.Now().Add(time.Minute); b.servers[server].ready.Load() != ready; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("server %d: ready is not %v within a minute", server, ready)
		}
	}
}

// Two servers are restarted in turn, as for an upgrade, while people write and read through a proxy and a channel sends over NATS: no request fails, and nothing that was
// acknowledged is missing.
func TestRollingRestart(t *testing.T) {
	bus := natstest.Start(t)
	environment := []string{"DATABASE_URL=" + pgtest.DSN(t, eventstoretest.Template()), "NATS_URL=" + bus.URL(), "CUSTOMERCENTER_DATA=" + t.TempDir()}
	run := func(args ...string) string { t.Helper(); return runWith(t, environment, args...) }
	run("tenant", "create", "acme")
	admin := run("token", "create", "--tenant", "acme", "--role", "admin", "--actor", "boss")
	addresses := []string{freeAddress(t), freeAddress(t)}
	serve := func(i int) *process {
		return startWith(t, environment, "serve", "--listen", addresses[i], "--drain", "2s", "--log-level", "warn")
	}
	processes := []*process{serve(0), serve(1)}
	b := balance(t, addresses...)
	proxy := httptest.NewServer(b)
	t.Cleanup(proxy.Close)
	b.await(0, true)
	b.await(1, true)
	ask(t, "POST", proxy.URL+"/v1/associations", admin, `{"channel": "app", "account": "acme#shop", "name": "Shop"}`, nil)
	channel := run("token", "create", "--tenant", "acme", "--role", "channel", "--actor", "app", "--association", "1")

	var written, read, sent atomic.Int64
	stop := make(chan struct{})
	var traffic sync.WaitGroup
	halt := sync.OnceFunc(func() { close(stop); traffic.Wait() })
	t.Cleanup(halt)
	loop := func(do func(n int64) bool) {
		traffic.Go(func() {
			for n := int64(0); ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if !do(n) {
					return
				}
			}
		})
	}
	event := func(who string) []byte {
		return fmt.Appendf(nil, `{"specversion": "1.0", "id": %[1]q, "source": "/app", "type": "message.received", "data": {"external_id": %[1]q, "message": {"id": "m", "kind": "text", "text": "hello"}}}`, who)
	}
	client := &http.Client{Timeout: time.Minute}
	request := func(method, path, token string, body []byte) bool {
		r, err := http.NewRequestWithContext(context.Background(), method, proxy.URL+path, bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return false
		}
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/cloudevents+json")
		answer, err := client.Do(r)
		if err != nil {
			t.Errorf("%s %s: %v", method, path, err)
			return false
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Errorf("%s %s: %s %v %s", method, path, answer.Status, err, text)
			return false
		}
		return true
	}
	for writer := range 3 {
		loop(func(n int64) bool {
			if !request("POST", "/v1/channels/1/events", channel, event(fmt.Sprintf("http-%d-%d", writer, n))) {
				return false
			}
			written.Add(1)
			return true
		})
	}
	for range 3 {
		loop(func(int64) bool {
			read.Add(1)
			return request("GET", "/v1/customers?limit=5", admin, nil)
		})
	}
	js, err := jetstream.New(natstest.Connect(t, bus))
	if err != nil {
		t.Fatal(err)
	}
	loop(func(n int64) bool {
		time.Sleep(20 * time.Millisecond) // all are to be carried out by the end
		if _, err := js.Publish(context.Background(), ingest.Subject("acme", 1), event(fmt.Sprintf("nats-%d", n))); err != nil {
			t.Errorf("publish: %v", err)
			return false
		}
		sent.Add(1)
		return true
	})
	more := func() { // both are at work again
		t.Helper()
		w, r := written.Load()+20, read.Load()+20
		for end := time.Now().Add(time.Minute); written.Load() < w || read.Load() < r; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) || t.Failed() {
				t.Fatal("requests do not get on")
			}
		}
	}
	more()
	for _, i := range []int{0, 1, 0} {
		if err := processes[i].cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		b.await(i, false)
		select {
		case err := <-processes[i].done: // it says that it will end before it does, and takes requests until then
			t.Fatalf("server %d has ended already: %v", i, err)
		default:
		}
		if code := processes[i].ended(); code != 0 {
			t.Fatalf("server %d ends with %d: %s", i, code, processes[i].stderr)
		}
		more()
		processes[i] = serve(i)
		b.await(i, true)
		more()
	}
	halt()

	want := written.Load() + sent.Load()
	var page struct{ Count struct{ Value int64 } }
	for end := time.Now().Add(time.Minute); page.Count.Value != want; time.Sleep(20 * time.Millisecond) {
		if ask(t, "GET", proxy.URL+"/v1/customers?limit=1", admin, "", &page); time.Now().After(end) {
			t.Fatalf("%d customers, want %d + %d", page.Count.Value, written.Load(), sent.Load())
		}
	}
	t.Logf("%d events over HTTP, %d over NATS, %d lists, over three restarts", written.Load(), sent.Load(), read.Load())
}
