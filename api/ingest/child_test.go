package ingest

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go"

	"customercenter/commands"
	"customercenter/eventstore"
	"customercenter/eventstore/keyring"
)

// childEnv makes the test program a consumer: its value is the address of the database, that of NATS is in the other.
const (
	childEnv     = "INGEST_TEST_DATABASE"
	childNATSEnv = "INGEST_TEST_NATS"
)

// childMain is a consumer process, to be killed.
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
	conn, err := nats.Connect(os.Getenv(childNATSEnv), nats.MaxReconnects(-1))
	if err != nil {
		return err
	}
	center := commands.NewCenter(eventstore.New(pool, codec, keyring.New(pool, master)), time.Now, newID)
	consumer, err := NewConsumer(Config{Handler: NewHandler(center), Pool: pool, NATS: conn})
	if err != nil {
		return err
	}
	fmt.Println("running")
	return consumer.Run(ctx)
}
