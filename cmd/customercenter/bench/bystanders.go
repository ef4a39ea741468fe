package bench

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"customercenter/commands"
	"customercenter/domain/session"
)

// bystanders write and are answered while something else is measured, which they may notice.
type bystanders struct {
	plant       *plant
	association int
	written     int64
}

// commandsBeside is how many commands a second people give meanwhile.
const commandsBeside = 50

// beside lets people write while something is done, and returns how long each command took, from when it was due.
func (b *bystanders) beside(ctx context.Context, do func(context.Context) error) (took []time.Duration, err error) {
	group, ctx := errgroup.WithContext(ctx)
	going, over := context.WithCancel(ctx)
	defer over()
	var mu sync.Mutex
	group.Go(func() error {
		defer over()
		return do(ctx)
	})
	group.Go(func() error {
		pace := newPace(commandsBeside)
		for going.Err() == nil {
			due := pace.wait(going)
			n := b.written
			b.written++
			group.Go(func() error {
				_, err := commands.ReceiveMessage{Association: b.association, ExternalID: fmt.Sprintf("writer-%d", n%100),
					Message: commands.Message{ID: fmt.Sprint("beside-", n), Kind: session.KindText, Text: "你好，还有货吗？"}}.Run(ctx, b.plant.center, b.plant.by())
				mu.Lock()
				defer mu.Unlock()
				took = append(took, time.Since(due))
				return err
			})
		}
		return nil
	})
	err = group.Wait()
	return took, err
}
