//go:build unix

package natstest_test

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"customercenter/internal/natstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEachTestHasAServerOfItsOwn(t *testing.T) {
	one, two := natstest.Start(t), natstest.Start(t)
	js, err := jetstream.New(natstest.Connect(t, one))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S"}); err != nil {
		t.Fatal(err)
	}
	other, err := jetstream.New(natstest.Connect(t, two))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Stream(t.Context(), "S"); err == nil {
		t.Error("the stream of one server is on the other")
	}
	conn, err := nats.Connect(one.URL())
	if err != nil {
		t.Fatalf("over TCP: %v", err)
	}
	conn.Close()
}
