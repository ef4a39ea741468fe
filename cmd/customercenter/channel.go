package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/api/ingest"
	"customercenter/commands/policies"
)

// channelCommand plays a channel: it tells what customers wrote, and hears what is to be sent to them.
type channelCommand struct {
	Send   channelSend   `cmd:"" help:"Publish channel events on NATS, as a channel would."`
	Grants channelGrants `cmd:"" help:"Print what a channel has to be given on a NATS of yours."`
	Listen channelListen `cmd:"" help:"Print what is to be sent to customers, as a channel would hear it: one CloudEvent a line."`
}

// withJetStream connects to the target's NATS for one command.
func (t target) withJetStream(env *environment, do func(ctx context.Context, js jetstream.JetStream) error) error {
	return t.withNATS(env, func(nc *nats.Conn) error {
		js, err := jetstream.New(nc)
		if err != nil {
			return fmt.Errorf("JetStream: %w", err)
		}
		return do(env.ctx, js)
	})
}

type channelSend struct {
	target      `prefix:""`
	Tenant      string `help:"Whose channel." required:""`
	Association int    `help:"Which connected account." required:""`
	File        string `arg:"" optional:"" help:"CloudEvents as JSON, one after the other; default: standard input." type:"existingfile"`
}

// Run publishes every event, in order, each acknowledged by NATS before the next.
func (c *channelSend) Run(env *environment) (err error) {
	in := io.Reader(os.Stdin)
	if c.File != "" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	return c.withJetStream(env, func(ctx context.Context, js jetstream.JetStream) error {
		sent := 0
		for events := json.NewDecoder(bufio.NewReader(in)); ; sent++ {
			var event json.RawMessage
			if err := events.Decode(&event); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return fmt.Errorf("event %d is not JSON; %d were sent before it", sent+1, sent) // the cause may quote it
			}
			if _, err := js.Publish(ctx, ingest.Subject(c.Tenant, c.Association), event); err != nil {
				return fmt.Errorf("event %d was not acknowledged: %w", sent+1, err)
			}
		}
		fmt.Fprintf(env.stdout, "%d sent. What cannot be carried out is under: customercenter dead list --tenant %s\n", sent, c.Tenant)
		return nil
	})
}

type channelListen struct {
	target      `prefix:""`
	Tenant      string        `help:"Whose channel." required:""`
	Association int           `help:"Which connected account." required:""`
	All         bool          `help:"Those of the last days too, not only what comes from now on."`
	Count       int           `help:"Stop after so many; 0: go on." default:"0"`
	Wait        time.Duration `help:"Fail if Count have not come by then; 0: wait for ever." default:"0"`
}

// Run prints messages until it is interrupted. It takes nothing away: any number may listen.
func (c *channelListen) Run(env *environment) error {
	return c.withJetStream(env, func(ctx context.Context, js jetstream.JetStream) error {
		if c.Wait > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, c.Wait)
			defer cancel()
		}
		config := jetstream.OrderedConsumerConfig{
			FilterSubjects: []string{policies.Subject(c.Tenant, c.Association)}, DeliverPolicy: jetstream.DeliverNewPolicy,
		}
		if c.All {
			config.DeliverPolicy = jetstream.DeliverAllPolicy
		}
		consumer, err := js.OrderedConsumer(ctx, policies.StreamOut, config)
		if err != nil {
			return fmt.Errorf("the stream CC_OUT cannot be read: %w. Is a process with the role policies running?", err)
		}
		for n := 0; c.Count == 0 || n < c.Count; n++ {
			msg, err := consumer.Next(jetstream.FetchContext(ctx))
			if err != nil {
				if errors.Is(ctx.Err(), context.DeadlineExceeded) {
					return fmt.Errorf("only %d of %d messages came in %s", n, c.Count, c.Wait)
				}
				return err
			}
			fmt.Fprintf(env.stdout, "%s\n", msg.Data())
		}
		return nil
	})
}
