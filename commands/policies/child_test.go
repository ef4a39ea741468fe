package policies

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/nats-io/nats.go"

	"customercenter/domain/catalog"
	"customercenter/eventstore"
	"customercenter/eventstore/bell"
	"customercenter/eventstore/keyring"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// childEnv makes the test program a process that runs the policies: its value is the address of the database, that of NATS is in the next.
// With the last one set, the process also feeds the read model of groups, in small pieces.
const (
	childEnv      = "POLICIES_TEST_DATABASE"
	childNATSEnv  = "POLICIES_TEST_NATS"
	childFeedsEnv = "POLICIES_TEST_FEEDS_GROUPS"
)

// childMain is a process that runs the policies, to be killed.
func childMain() {
	if err := child(); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
}

func child() error {
	ctx := context.Background()
	pool, err := eventstore.Connect(ctx, os.Getenv(childEnv), 8)
	if err != nil {
		return err
	}
	// The key of eventstoretest.Keys.
	master, err := keyring.NewMaster([]byte("an all too well known master key"))
	if err != nil {
		return err
	}
	nc, err := nats.Connect(os.Getenv(childNATSEnv), nats.MaxReconnects(-1))
	if err != nil {
		return err
	}
	bells, err := bell.Listen(nc)
	if err != nil {
		return err
	}
	store := eventstore.New(pool, eventstore.NewCodec(catalog.Events()...), keyring.New(pool, master), eventstore.WithBell(bell.Ringer(nc)))
	builds, err := projector.New(projector.Config{Store: store, Definitions: projections.Definitions()}) // which another process fills, mostly
	if err != nil {
		return err
	}
	r, err := New(Config{Store: store, Center: newCenter(store, 0), Builds: builds, NATS: nc, Bells: bells, Sweep: 50 * time.Millisecond})
	if err != nil {
		return err
	}
	if os.Getenv(childFeedsEnv) != "" {
		feeder, err := projector.New(projector.Config{
			Store: store, Definitions: []projector.Definition{projections.GroupsDefinition()}, Bells: bells, Batch: 100, Piece: 250, Sweep: 20 * time.Millisecond,
		})
		if err != nil {
			return err
		}
		go func() {
			if err := feeder.Run(ctx); err != nil {
				fmt.Fprintln(os.Stderr, "child:", err)
				os.Exit(1)
			}
		}()
	}
	fmt.Println("running")
	return r.Run(ctx)
}

// child starts a process that runs the policies, and returns when it does. env is what else it is told.
func (w *world) child(env ...string) *exec.Cmd {
	w.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), env...)
	cmd.Env = append(cmd.Env, childEnv+"="+w.store.Pool().Config().ConnString(), childNATSEnv+"="+w.server.URL())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if cmd.ProcessState == nil {
			w.kill(cmd)
		}
	})
	if !bufio.NewScanner(stdout).Scan() {
		_ = cmd.Wait()
		w.t.Fatalf("the process did not start: %s", stderr.String())
	}
	return cmd
}

// kill ends a process as kill -9 does.
func (w *world) kill(cmd *exec.Cmd) {
	w.t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		w.t.Error(err)
	}
	_ = cmd.Wait() // says that it was killed
}
