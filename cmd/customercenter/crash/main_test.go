//go:build unix

package crash

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"customercenter/domain/catalog"
	"customercenter/eventstore"
	"customercenter/eventstore/bell"
	"customercenter/eventstore/keyring"
	"customercenter/eventstore/relay"
	"customercenter/internal/natsserver"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// childEnv makes this test program one of the processes of the crash test.
const childEnv = "CC_CRASH_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		if err := childMain(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "ended:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// What a process does.
const (
	roleWriter    = "writer"
	roleRelay     = "relay"
	roleProjector = "projector"
	roleNATS      = "nats"
)

// childConfig is the first line that a process reads. Nothing comes after it: the end of the input tells the process to end in
// order, and comes too when its parent is gone.
type childConfig struct {
	Role     string
	Database string
	NATS     string

	// Of a NATS server.
	Dir, Listen string

	// Of a writer.
	Slot    int
	Life    int // counts the processes of this slot
	Seed    uint64
	Tags    map[string]uuid.UUID // by tenant
	Carried []order              // what the process before was asked for and did not answer
}

// lastMoment is how long a process that was told to end may take, so that none stays behind.
const lastMoment = 30 * time.Second

func childMain(in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return err
	}
	var c childConfig
	if err := json.Unmarshal(line, &c); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, lines)
		cancel()
		time.AfterFunc(lastMoment, func() { os.Exit(2) })
	}()
	switch c.Role {
	case roleNATS:
		return beNATS(ctx, c, out)
	case roleRelay:
		return beRelay(ctx, c)
	case roleProjector:
		return beProjector(ctx, c)
	case roleWriter:
		return beWriter(ctx, c, out)
	}
	return fmt.Errorf("unknown role %q", c.Role)
}

// beNATS serves until the context ends. It says its address once it can be reached.
func beNATS(ctx context.Context, c childConfig, out io.Writer) error {
	server, err := natsserver.Start(natsserver.Config{Dir: c.Dir, Listen: c.Listen})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, server.URL()); err != nil {
		return err
	}
	<-ctx.Done()
	return server.Stop()
}

// part is what the other processes have in common.
type part struct {
	nc    *nats.Conn
	store *eventstore.Store
	bells *bell.Listener
}

// openPart connects like the product does. Neither server need be there yet. What fails here ends the process or the test.
func openPart(ctx context.Context, database, url string) (*part, error) {
	nc, err := nats.Connect(url, nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		return nil, err
	}
	bells, err := bell.Listen(nc)
	if err != nil {
		return nil, err
	}
	pool, err := eventstore.Connect(ctx, database, 16)
	if err != nil {
		return nil, err
	}
	store, err := newStore(pool, nc)
	return &part{nc: nc, store: store, bells: bells}, err
}

func newStore(pool *pgxpool.Pool, nc *nats.Conn) (*eventstore.Store, error) {
	master, err := keyring.NewMaster([]byte("the master key of the crash test"))
	if err != nil {
		return nil, err
	}
	return eventstore.New(pool, eventstore.NewCodec(catalog.Events()...), keyring.New(pool, master), eventstore.WithBell(bell.Ringer(nc))), nil
}

func (p *part) close() {
	p.bells.Close()
	p.store.Pool().Close()
	p.nc.Close()
}

func (p *part) projector() (*projector.Projector, error) {
	return projector.New(projector.Config{Store: p.store, Definitions: projections.Definitions(), Bells: p.bells})
}

func beRelay(ctx context.Context, c childConfig) error {
	p, err := openPart(ctx, c.Database, c.NATS)
	if err != nil {
		return err
	}
	defer p.close()
	r, err := relay.New(relay.Config{Store: p.store, NATS: p.nc, Sweep: 200 * time.Millisecond})
	if err != nil {
		return err
	}
	return endedOnlyWith(ctx, r.Run(ctx))
}

func beProjector(ctx context.Context, c childConfig) error {
	p, err := openPart(ctx, c.Database, c.NATS)
	if err != nil {
		return err
	}
	defer p.close()
	projections, err := p.projector()
	if err != nil {
		return err
	}
	return endedOnlyWith(ctx, projections.Run(ctx))
}

// endedOnlyWith says that what was to go on until the context ends has ended by itself.
func endedOnlyWith(ctx context.Context, err error) error {
	if err == nil && ctx.Err() == nil {
		return errors.New("it ended before it was told to")
	}
	return err
}
