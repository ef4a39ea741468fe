//go:build unix

package natsserver_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"customercenter/internal/natsserver"
)

// dirEnv makes this test program a process that runs a server on that directory,
// tells its address, and waits to be killed.
const dirEnv = "CC_TEST_NATS_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(dirEnv); dir != "" {
		s, err := natsserver.Start(natsserver.Config{Dir: dir, Listen: "127.0.0.1:0", SyncAlways: true})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(s.URL())
		select {}
	}
	goleak.VerifyTestMain(m)
}

func start(t *testing.T, cfg natsserver.Config) *natsserver.Server {
	t.Helper()
	s, err := natsserver.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func connect(t *testing.T, open func() (*nats.Conn, error)) jetstream.JetStream {
	t.Helper()
	conn, err := open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func publish(t *testing.T, js jetstream.JetStream, n int) {
	t.Helper()
	_, err := js.CreateOrUpdateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}})
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		if _, err := js.Publish(t.Context(), "s.x", []byte("hello")); err != nil {
			t.Fatal(err)
		}
	}
}

func messages(ctx context.Context, t *testing.T, js jetstream.JetStream) uint64 {
	t.Helper()
	stream, err := js.Stream(ctx, "S")
	if err != nil {
		t.Fatal(err)
	}
	return stream.CachedInfo().State.Msgs
}

func TestInProcessOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "nats")
	s := start(t, natsserver.Config{Dir: dir})
	if s.URL() != "" {
		t.Errorf("URL is %q, want none", s.URL())
	}
	js := connect(t, func() (*nats.Conn, error) { return s.Connect(nats.Name("test")) })
	publish(t, js, 3)
	if got := js.Conn().MaxPayload(); got != natsserver.MaxPayload {
		t.Errorf("max payload %d, want %d", got, natsserver.MaxPayload)
	}
	account, err := js.AccountInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if account.Streams != 1 {
		t.Errorf("%d streams, want 1", account.Streams)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("others can enter the directory: %v, %v", info.Mode(), err)
	}
}

func TestARestartKeepsStreams(t *testing.T) {
	cfg := natsserver.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0"}
	first := start(t, cfg)
	js := connect(t, func() (*nats.Conn, error) { return nats.Connect(first.URL()) })
	publish(t, js, 3)
	js.Conn().Close()
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := first.Stop(); err != nil {
		t.Errorf("stopping twice: %v", err)
	}
	second := start(t, cfg)
	if n := messages(t.Context(), t, connect(t, func() (*nats.Conn, error) { return second.Connect() })); n != 3 {
		t.Errorf("%d messages, want 3", n)
	}
}

func TestASecondServerOnTheDirectoryIsRefused(t *testing.T) {
	cfg := natsserver.Config{Dir: t.TempDir()}
	s := start(t, cfg)
	other, err := natsserver.Start(cfg)
	if !errors.Is(err, natsserver.ErrLocked) {
		if err == nil {
			err = other.Stop()
		}
		t.Fatalf("%v, want ErrLocked", err)
	}
	publish(t, connect(t, func() (*nats.Conn, error) { return s.Connect() }), 1)
}

func TestAnAddressInUseIsReportedAtOnce(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	cfg := natsserver.Config{Dir: t.TempDir(), Listen: taken.Addr().String()}
	_, err = natsserver.Start(cfg)
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Fatalf("%v, want that the address is in use", err)
	}
	cfg.Listen = ""
	start(t, cfg) // the directory was let go
}

func TestAWrongAddressIsRefused(t *testing.T) {
	for _, listen := range []string{"127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "127.0.0.1:-1"} {
		if _, err := natsserver.Start(natsserver.Config{Dir: t.TempDir(), Listen: listen}); err == nil {
			t.Errorf("%q was taken", listen)
		}
	}
}

func TestADirectoryThatIsAFileIsReported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := natsserver.Start(natsserver.Config{Dir: path}); err == nil || !strings.HasPrefix(err.Error(), "natsserver: ") {
		t.Errorf("%v, want an error of natsserver", err)
	}
}

func TestKillLosesNoAcknowledgedMessage(t *testing.T) {
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	other := exec.Command(exe)
	other.Env = append(os.Environ(), dirEnv+"="+dir)
	other.Stderr = os.Stderr
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	kill := func() {
		_ = other.Process.Kill()
		_ = other.Wait()
	}
	t.Cleanup(kill)
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if _, err := natsserver.Start(natsserver.Config{Dir: dir}); !errors.Is(err, natsserver.ErrLocked) {
		t.Fatalf("beside a living process: %v, want ErrLocked", err)
	}
	js := connect(t, func() (*nats.Conn, error) { return nats.Connect(strings.TrimSpace(url), nats.NoReconnect()) })
	publish(t, js, 200)
	kill()
	s := start(t, natsserver.Config{Dir: dir, SyncAlways: true})
	if n := messages(t.Context(), t, connect(t, func() (*nats.Conn, error) { return s.Connect() })); n != 200 {
		t.Errorf("%d messages, want 200", n)
	}
}
