package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// cloudEventOf is an event of a channel as it is published.
func cloudEventOf(id string) []byte {
	return fmt.Appendf(nil, `{"specversion": "1.0", "id": %q, "source": "/app", "type": "message.received", "data": {"external_id": "wang", "message": {"id": %[1]q, "kind": "text", "text": "在吗"}}}`, id)
}

// reachesItsOwn publishes as the channel of association 1 of acme: to its own association that arrives, to all else it does not, and nothing of others is heard.
func reachesItsOwn(t *testing.T, nc *nats.Conn, id string) {
	t.Helper()
	heard, err := nc.SubscribeSync("cc.>")
	if err != nil {
		t.Fatal(err)
	}
	answer, err := nc.Request("cc.in.acme.1", cloudEventOf(id), 20*time.Second)
	var ack jetstream.PubAck
	if err != nil || json.Unmarshal(answer.Data, &ack) != nil || ack.Stream != "CC_IN" {
		t.Fatalf("its own association: %+v, %v", answer, err)
	}
	for _, foreign := range []string{"cc.in.acme.2", "cc.in.beta.1", "cc.in.1.acme.2", "cc.out.acme.1", "cc.events.acme.customer.created", "cc.bell.acme", "$JS.API.INFO", "$JS.API.STREAM.MSG.GET.CC_IN"} {
		// Of the account of a channel, JetStream answers that it is not there.
		if answer, err := nc.Request(foreign, cloudEventOf("foreign"), 50*time.Millisecond); err == nil && !strings.Contains(string(answer.Data), "not enabled for account") {
			t.Errorf("%s answers %s", foreign, answer.Data)
		}
	}
	if m, err := heard.NextMsg(200 * time.Millisecond); err == nil && m.Subject != "cc.in.acme.1" {
		t.Errorf("heard %s", m.Subject)
	}
}

// The NATS of `up --nats-tokens` lets in channels, each to its own association, and nobody else.
func TestChannelsReachTheirOwnAssociation(t *testing.T) {
	data := t.TempDir()
	p := up(t, data, "--nats-tokens")
	p.waitFor("Ctrl-C stops it")
	run := func(args ...string) string {
		t.Helper()
		return runWith(t, []string{"CUSTOMERCENTER_DATA=" + data}, args...)
	}
	run("tenant", "create", "acme")
	run("tenant", "create", "beta")
	admin := run("token", "create", "--tenant", "acme", "--role", "admin", "--actor", "boss")
	for n := range 2 {
		ask(t, "POST", info(t, data).URL+"/v1/associations", admin, fmt.Sprintf(`{"channel": "app", "account": "acme#%d", "name": "Shop"}`, n), nil)
	}
	channel := run("token", "create", "--tenant", "acme", "--role", "channel", "--actor", "app", "--association", "1")
	whole, err := url.Parse(info(t, data).NATSURL)
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{"an admin's token": admin, "no token": "", "a token that somebody made up": strings.Repeat("x", len(channel))} {
		if nc, err := nats.Connect("nats://"+whole.Host, nats.Token(token)); err == nil {
			nc.Close()
			t.Errorf("%s is let in", name)
		}
	}
	nc, err := nats.Connect("nats://"+whole.Host, nats.Token(channel))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	reachesItsOwn(t, nc, "1")
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		var all struct{ Items []struct{ Association int } }
		ask(t, "GET", info(t, data).URL+"/v1/sessions", admin, "", &all)
		if len(all.Items) == 1 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("what the channel told is not there: %+v", all)
		}
	}
}

// What `channel grants` prints is a configuration that nats-server takes, and holds channels to their associations as the private NATS does.
func TestGrantsAreAConfiguration(t *testing.T) {
	printed := runWith(t, nil, "channel", "grants", "--tenant", "acme", "--association", "1", "--association", "2")
	file := filepath.Join(t.TempDir(), "nats-server.conf")
	text := fmt.Sprintf("listen: \"127.0.0.1:-1\"\njetstream { store_dir: %q }\n%s\n", t.TempDir(), strings.ReplaceAll(printed, "PASSWORD\"", "secret\""))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	options, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	options.NoLog, options.NoSigs = true, true
	s, err := server.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the server does not start")
	}
	connect := func(user string) *nats.Conn {
		t.Helper()
		nc, err := nats.Connect(s.ClientURL(), nats.UserInfo(user, "secret"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc
	}
	js, err := jetstream.New(connect("center"))
	if err != nil {
		t.Fatal(err)
	}
	for name, subject := range map[string]string{"CC_IN": "cc.in.>", "CC_OUT": "cc.out.>"} {
		if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{subject}}); err != nil {
			t.Fatal(err)
		}
	}
	reachesItsOwn(t, connect("acme-1"), "1")
	two := connect("acme-2")
	heard, err := two.SubscribeSync("cc.out.>")
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := two.Request("cc.in.acme.2", cloudEventOf("2"), 20*time.Second); err != nil || !strings.Contains(string(answer.Data), "CC_IN") {
		t.Errorf("association 2: %v %v", answer, err)
	}
	for _, subject := range []string{"cc.out.acme.1", "cc.out.acme.2"} {
		if _, err := js.Publish(t.Context(), subject, nil); err != nil {
			t.Fatal(err)
		}
	}
	if m, err := heard.NextMsg(20 * time.Second); err != nil || m.Subject != "cc.out.acme.2" {
		t.Errorf("association 2 hears %v %v", m, err)
	}
}
