//go:build unix

package natsserver_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/internal/natsserver"
)

// closed starts a server that takes the token "two", until it is revoked, for what association 2 of acme may do, and "mute" for nothing.
func closed(t *testing.T) (s *natsserver.Server, revoked *atomic.Bool) {
	revoked = new(atomic.Bool)
	return start(t, natsserver.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", Admit: func(_ context.Context, token string) (natsserver.Guest, error) {
		switch {
		case token == "mute":
			return natsserver.Guest{Name: "mute"}, nil
		case token == "two" && !revoked.Load():
			return natsserver.Guest{Name: "acme-2", Tell: []string{"cc.in.acme.2"}, Hear: []string{"cc.out.acme.2"}}, nil
		case token == "one":
			return natsserver.Guest{Name: "acme-1", Tell: []string{"cc.in.acme.1"}, Hear: []string{"cc.out.acme.1"}}, nil
		}
		return natsserver.Guest{}, natsserver.ErrNotAdmitted
	}}), revoked
}

// guest connects with a token.
func guest(t *testing.T, s *natsserver.Server, token string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(s.Address(), nats.Token(token), nats.NoReconnect())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func TestOnlyWhoIsAdmittedConnects(t *testing.T) {
	s, _ := closed(t)
	for name, options := range map[string][]nats.Option{
		"no token": nil, "a wrong token": {nats.Token("three")}, "a user": {nats.UserInfo("two", "")}, "a wrong password": {nats.UserInfo("", "secret")},
	} {
		nc, err := nats.Connect(s.Address(), options...)
		if !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("%s: got %v", name, err)
		}
		if err == nil {
			nc.Close()
		}
	}
	if strings.Contains(s.URL(), s.Address()) || !strings.Contains(s.URL(), "@") {
		t.Errorf("the URL %s has no secret", s.URL())
	}
	all := connect(t, func() (*nats.Conn, error) { return nats.Connect(s.URL()) })
	publish(t, all, 1) // makes a stream, too
}

// A guest publishes to its own subject, is answered, hears its own, and nothing else; whatever subject it publishes to, or has answers sent to.
func TestAGuestReachesItsOwn(t *testing.T) {
	s, _ := closed(t)
	whole := connect(t, func() (*nats.Conn, error) { return s.Connect() })
	for _, config := range []jetstream.StreamConfig{{Name: "CC_IN", Subjects: []string{"cc.in.>"}}, {Name: "CC_OUT", Subjects: []string{"cc.out.>"}}} {
		if _, err := whole.CreateStream(t.Context(), config); err != nil {
			t.Fatal(err)
		}
	}
	nc, neighbour := guest(t, s, "two"), guest(t, s, "one")
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "cc.in.acme.2", []byte("hello")); err != nil {
		t.Fatalf("its own subject: %v", err)
	}
	foreign := []string{
		"cc.in.acme.1", "cc.in.acme.20", "cc.in.acme", "cc.in.other.2", "cc.in.acme.2.3", "cc.out.acme.1", "cc.out.acme.2", "cc.dead.acme.2", "cc.events.acme.customer.tagged", "cc.bell.acme",
		"$JS.API.STREAM.PURGE.CC_IN", "$JS.API.STREAM.MSG.GET.CC_IN", "$JS.API.CONSUMER.CREATE.CC_OUT", "$JS.API.INFO", "$SYS.REQ.SERVER.PING",
	}
	everything, err := whole.Conn().SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	near, err := neighbour.SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(whole.Conn().Flush(), neighbour.Flush()); err != nil {
		t.Fatal(err)
	}
	for _, subject := range foreign {
		if answer, err := nc.Request(subject, []byte("forged"), 20*time.Millisecond); err == nil {
			t.Errorf("%s answers %s", subject, answer.Data)
		}
		if err := nc.PublishRequest("cc.in.acme.2", subject, []byte("answer there")); err != nil {
			t.Fatal(err)
		}
	}
	heard, err := nc.SubscribeSync("cc.out.>")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "cc.in.acme.2", []byte("last")); err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{"cc.out.acme.1", "cc.out.acme.2"} {
		if _, err := whole.Publish(t.Context(), subject, []byte(subject)); err != nil {
			t.Fatal(err)
		}
	}
	if m, err := heard.NextMsg(30 * time.Second); err != nil || m.Subject != "cc.out.acme.2" {
		t.Errorf("heard %v %v", m, err)
	}
	if m, err := near.NextMsg(30 * time.Second); err != nil || m.Subject != "cc.out.acme.1" { // the first thing, too
		t.Errorf("the neighbour heard %+v %v", m, err)
	}
	for said := ""; said != "last"; {
		m, err := everything.NextMsg(30 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if said = string(m.Data); strings.HasPrefix(m.Subject, "_INBOX.") || strings.HasPrefix(m.Subject, "_R_.") || strings.HasPrefix(m.Subject, "$JS.ACK.") {
			continue
		}
		if m.Subject != "cc.in.acme.2" {
			t.Errorf("%s was reached: %s", m.Subject, m.Data)
		}
	}
	in, err := whole.Stream(t.Context(), "CC_IN")
	if err != nil {
		t.Fatal(err)
	}
	info, err := in.Info(t.Context(), jetstream.WithSubjectFilter(">"))
	if err != nil || len(info.State.Subjects) != 1 || info.State.Subjects["cc.in.acme.2"] != uint64(len(foreign)+2) {
		t.Errorf("the queue has %v: %v", info.State.Subjects, err)
	}
	mute := guest(t, s, "mute")
	if _, err := mute.Request("cc.in.acme.2", nil, 20*time.Millisecond); err == nil {
		t.Error("who may tell nothing was answered")
	}
}

// Who was admitted with a token that is not valid any more has to leave.
func TestARevokedGuestLeaves(t *testing.T) {
	s, revoked := closed(t)
	nc := guest(t, s, "two")
	left := nc.StatusChanged(nats.CLOSED)
	revoked.Store(true)
	select {
	case <-left:
	case <-time.After(time.Minute):
		t.Fatal("it is still there")
	}
}
