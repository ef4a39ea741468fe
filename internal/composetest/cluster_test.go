//go:build unix

package composetest

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/api/ingest"
	"customercenter/internal/natsserver"
)

// The three servers of the example find each other, keep each message three times, and go on without one of them.
func TestAClusterOfNATSGoesOnWithoutOneServer(t *testing.T) {
	p := load(t, clusterFile)
	if replicas := p.Services["policies"].Environment["CUSTOMERCENTER_REPLICAS"]; replicas != "3" {
		t.Errorf("streams are made with %q replicas", replicas)
	}
	names := []string{"nats", "nats-2", "nats-3"}
	var wanted []string
	volumes := map[string]bool{}
	for _, name := range names {
		s := p.Services[name]
		wanted = append(wanted, "nats://"+name+":4222")
		if len(s.Volumes) != 1 || len(s.Configs) != 1 || s.Environment["SERVER_NAME"] != name {
			t.Fatalf("%s: %+v", name, s)
		}
		volumes[s.Volumes[0].Source] = true
	}
	if len(volumes) != 3 {
		t.Errorf("the servers share volumes: %v", volumes)
	}
	for _, name := range []string{"api", "relay", "projector", "policies"} {
		if got := p.Services[name].Environment["NATS_URL"]; got != strings.Join(wanted, ",") {
			t.Errorf("%s looks for NATS at %s", name, got)
		}
	}

	// The configuration as it is, but for addresses: here all are one machine's.
	file := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(file, []byte(p.Configs["nats"].Content), 0o600); err != nil {
		t.Fatal(err)
	}
	ports := map[string]int{}
	for _, name := range names {
		ports[name] = freePort(t)
	}
	servers := map[string]*server.Server{}
	var urls []string
	for _, name := range names {
		t.Setenv("SERVER_NAME", name)
		options, err := server.ProcessConfigFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if options.ServerName != name || !options.JetStream || !options.SyncAlways || options.MaxPayload != natsserver.MaxPayload || options.Cluster.Port != 6222 || len(options.Routes) != 3 {
			t.Errorf("%s: %+v", name, options)
		}
		options.Host, options.Port, options.HTTPPort, options.StoreDir, options.NoSigs, options.NoLog = "127.0.0.1", server.RANDOM_PORT, 0, t.TempDir(), true, true
		options.Cluster.Host, options.Cluster.Port = "127.0.0.1", ports[name]
		for _, route := range options.Routes {
			port, ours := ports[route.Hostname()]
			if !ours || route.Port() != "6222" {
				t.Fatalf("a route leads to %s", route)
			}
			*route = url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", port)}
		}
		s, err := server.NewServer(options)
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		t.Cleanup(func() {
			s.Shutdown()
			s.WaitForShutdown()
		})
		servers[name] = s
	}
	for name, s := range servers {
		if !s.ReadyForConnections(time.Minute) {
			t.Fatalf("%s is not ready", name)
		}
		urls = append(urls, s.ClientURL())
	}
	nc, err := nats.Connect(strings.Join(urls, ","), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	try := func(what string, do func() error) { // elections take their time
		t.Helper()
		for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			err := do()
			if err == nil {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%s: %v", what, err)
			}
		}
	}
	try("streams", func() error { return ingest.EnsureStreams(t.Context(), js, 3, 0) })
	publish := func() error {
		_, err := js.Publish(t.Context(), ingest.Subject("acme", 1), []byte("{}"))
		return err
	}
	try("publish", publish)
	stream, err := js.Stream(t.Context(), ingest.StreamIn)
	if err != nil {
		t.Fatal(err)
	}
	cluster := stream.CachedInfo().Cluster
	if cluster == nil || len(cluster.Replicas) != 2 {
		t.Fatalf("the stream is kept by %+v", cluster)
	}
	servers[cluster.Leader].Shutdown()
	servers[cluster.Leader].WaitForShutdown()
	try("publish without the leader", publish)
	try("read without the leader", func() error {
		now, err := stream.Info(t.Context())
		if err == nil && now.State.Msgs < 2 {
			err = fmt.Errorf("%d messages", now.State.Msgs)
		}
		return err
	})
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}
