//go:build unix

// Package natsserver runs a NATS server with JetStream inside this process.
//
// Its files are its directory's: streams, messages and consumers are there again
// after a restart, and after kill -9. Two servers on one directory would lose
// data without an error, so the second gets ErrLocked.
package natsserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"customercenter/internal/flock"
)

// ErrLocked means that another server runs on this directory.
var ErrLocked = errors.New("natsserver: another server runs on this directory")

const (
	// MaxPayload is the largest message the server takes, in bytes.
	MaxPayload = 8 << 20
	// maxStore bounds what all streams together may reserve, in bytes. Without a
	// bound the server reserves most of the disk.
	maxStore  = 16 << 30
	maxMemory = 256 << 20
	// readyWait is ample: a start takes milliseconds, and longer only for
	// reading back large streams after a crash.
	readyWait = 2 * time.Minute
	// readyStep is how long one look whether it is ready may take; the server
	// looks without a pause when it is not above 25 ms.
	readyStep = 50 * time.Millisecond
)

// Config says how a server is to be run. Only Dir is needed.
type Config struct {
	// Dir holds the files, and is created when missing. Nobody else may enter
	// it: messages of channels hold what people wrote.
	Dir string
	// Listen is a TCP address such as "127.0.0.1:4222", or with port 0 for any
	// free one. When empty, only this process can connect. Without Admit an
	// address that others can reach lets others in.
	Listen string
	// Admit, if set, closes the server to all but those whose token it takes, and
	// says what they may do; ErrNotAdmitted for a token that is not valid. It is
	// asked when somebody connects and every few seconds afterwards. This process,
	// and who knows URL, may do everything.
	Admit func(ctx context.Context, token string) (Guest, error)
	// SyncAlways writes every message to disk before it is acknowledged, so that
	// it survives a loss of power (streams with PersistMode async excepted).
	// Without it the server syncs every two minutes, and an acknowledged message
	// survives the death of the process, not that of the machine.
	SyncAlways bool
}

// Server is a running NATS server. Its methods may be called from any goroutine.
type Server struct {
	server *server.Server
	listen bool
	lock   *flock.Lock
	door   *door         // nil: open to all
	end    chan struct{} // of watching it
	watch  sync.WaitGroup
	stop   sync.Once
	err    error // of stop
}

// Start runs a server and returns when it takes connections. The errors are
// ErrLocked, and what the file system or the server said, such as that the
// address is in use. Nothing is left running after an error.
func Start(cfg Config) (*Server, error) {
	options, err := optionsOf(cfg)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("natsserver: %w", err)
	}
	lock, err := flock.Try(filepath.Join(cfg.Dir, "lock"))
	if errors.Is(err, flock.ErrLocked) {
		return nil, fmt.Errorf("%w: %w", ErrLocked, err)
	}
	if err != nil {
		return nil, fmt.Errorf("natsserver: %w", err)
	}
	s := &Server{listen: !options.DontListen, lock: lock, end: make(chan struct{})}
	if cfg.Admit != nil {
		s.door = newDoor(cfg.Admit)
		options.CustomClientAuthentication = s.door
	}
	if err := s.start(options); err != nil {
		return nil, errors.Join(err, lock.Release())
	}
	if s.door != nil {
		s.door.open(s.server)
		s.watch.Go(func() { s.door.watch(s.server, s.end) })
	}
	return s, nil
}

func optionsOf(cfg Config) (*server.Options, error) {
	options := &server.Options{
		ServerName:         "customercenter",
		DontListen:         cfg.Listen == "",
		JetStream:          true,
		StoreDir:           cfg.Dir,
		NoSigs:             true, // the program decides what a signal means
		SyncAlways:         cfg.SyncAlways,
		MaxPayload:         MaxPayload,
		JetStreamMaxMemory: maxMemory,
		JetStreamMaxStore:  maxStore,
	}
	if cfg.Listen == "" {
		return options, nil
	}
	host, port, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("natsserver: listen address: %w", err)
	}
	options.Host = host
	options.Port, err = strconv.Atoi(port)
	if err != nil || options.Port < 0 || options.Port > 65535 {
		return nil, fmt.Errorf("natsserver: listen address %q: the port is no number from 0 to 65535", cfg.Listen)
	}
	if options.Port == 0 {
		options.Port = server.RANDOM_PORT
	}
	return options, nil
}

func (s *Server) start(options *server.Options) error {
	ns, err := server.NewServer(options)
	if err != nil {
		return fmt.Errorf("natsserver: %w", err)
	}
	log := newLogger()
	ns.SetLogger(log, false, false)
	// Start reports a failure to the logger only, and returns as if all was well.
	ns.Start()
	err = fmt.Errorf("natsserver: not ready within %s", readyWait)
wait:
	for end := time.Now().Add(readyWait); time.Now().Before(end); {
		select {
		case reason := <-log.fatal:
			err = fmt.Errorf("natsserver: %s", reason)
			break wait
		default:
		}
		if ns.ReadyForConnections(readyStep) {
			s.server = ns
			return nil
		}
	}
	ns.Shutdown()
	ns.WaitForShutdown()
	return err
}

// Connect opens a connection inside this process, without a socket. It lasts
// until it is closed or the server is stopped. The options come after those of
// this package, and so win.
func (s *Server) Connect(options ...nats.Option) (*nats.Conn, error) {
	all := []nats.Option{nats.InProcessServer(s.server), nats.MaxReconnects(-1)}
	if s.door != nil {
		all = append(all, nats.Token(s.door.secret))
	}
	all = append(all, options...)
	conn, err := nats.Connect("", all...)
	if err != nil {
		return nil, fmt.Errorf("natsserver: %w", err)
	}
	return conn, nil
}

// URL is where other processes connect, such as nats://127.0.0.1:4222. It is
// empty when the server does not listen. Of a server with Admit it has a secret
// in it that opens everything, until the server stops.
func (s *Server) URL() string {
	if !s.listen || s.door == nil {
		return s.Address()
	}
	return strings.Replace(s.Address(), "://", "://"+s.door.secret+"@", 1)
}

// Address is URL without a secret: what to tell guests.
func (s *Server) Address() string {
	if !s.listen {
		return ""
	}
	return s.server.ClientURL()
}

// Stop ends the server and lets go of its directory. It returns when the files
// are written and closed. Connections should be closed before: they try to come
// back for ever. Stopping twice is harmless.
func (s *Server) Stop() error {
	s.stop.Do(func() {
		close(s.end)
		s.watch.Wait()
		s.server.Shutdown()
		s.server.WaitForShutdown()
		s.err = s.lock.Release()
	})
	return s.err
}
