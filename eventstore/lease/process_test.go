package lease_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/eventstore/lease"
	"customercenter/internal/pgtest"
)

// memberEnv makes this test program a member of the group "process" on that database, which says "on" and "off".
const memberEnv = "CC_TEST_LEASE_DATABASE"

const processFreeze = 3 * time.Second

func memberMain(dsn string) {
	pool, err := pgxpool.New(context.Background(), dsn)
	if err != nil {
		panic(err)
	}
	err = lease.Group{Pool: pool, Name: "process", Partitions: 1, Freeze: processFreeze, Run: func(ctx context.Context, _ int) error {
		fmt.Println("on")
		<-ctx.Done()
		fmt.Println("off")
		return nil
	}}.Loop(context.Background())
	panic(err)
}

// startMember starts another process and waits until it holds the partition.
func startMember(t *testing.T, dsn string) (*os.Process, *bufio.Scanner) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), memberEnv+"="+dsn)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "on" {
		t.Fatalf("the other process said %q", lines.Text())
	}
	return cmd.Process, lines
}

func TestAKilledProcessIsReplacedAtOnce(t *testing.T) {
	dsn := pgtest.DSN(t, template)
	pool := open(t, dsn)
	other, _ := startMember(t, dsn)
	b := newBoard(t)
	start(t, lease.Group{Pool: pool, Name: "process", Partitions: 1, Freeze: processFreeze, Run: b.work("here")})
	awaitMembers(t, pool, "process", 2)
	if err := other.Kill(); err != nil {
		t.Fatal(err)
	}
	took := b.await("here:1")
	t.Logf("taken over %s after the kill", took)
	if took >= processFreeze {
		t.Errorf("taken over %s after the kill: the lost connection was not noticed", took)
	}
}

func TestAFrozenProcessLosesItsLeaseAndNoticesWhenItWakes(t *testing.T) {
	dsn := pgtest.DSN(t, template)
	pool := open(t, dsn)
	other, lines := startMember(t, dsn)
	b := newBoard(t)
	stop := start(t, lease.Group{Pool: pool, Name: "process", Partitions: 1, Freeze: processFreeze, Run: b.work("here")})
	if err := other.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	took := b.await("here:1")
	t.Logf("taken over %s after the freeze", took)
	if err := other.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if !lines.Scan() || lines.Text() != "off" {
		t.Fatalf("the woken process said %q, want that its run ended", lines.Text())
	}
	stop()
	if !lines.Scan() || lines.Text() != "on" {
		t.Fatalf("the woken process said %q, want that it runs again", lines.Text())
	}
}

func open(t *testing.T, dsn string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}
