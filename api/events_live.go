package api

import (
	"context"
	"strconv"
	"time"

	"customercenter/eventstore"
)

// followLog tells what is wanted of the log, and goes on with what happens, until the context ends, or the log is another one than it was.
func (s *server) followLog(ctx context.Context, read *reading, out *eventStream) error {
	end := s.tails.listen(read.tenant, read.head, read.epoch)
	defer s.tails.leave(end)
	spoke, look := time.Now(), time.NewTicker(time.Second)
	defer look.Stop()
	// The caller is told where it begins, and in silence how far it is: where to go on, should it be cut off.
	here := func(page *tailPage) error {
		spoke = time.Now()
		return out.write(append(strconv.AppendInt([]byte(stillHere+"id: "), min(read.after, page.last), 10), "\n\n"...))
	}
	page, moved := end.now()
	if err := here(page); err != nil {
		return err
	}
	for ; ctx.Err() == nil && page.epoch == read.epoch; page, moved = end.now() {
		switch {
		case read.after >= page.last:
			read.page = eventstore.Page{} // it has caught up, and may stay for days
			select {
			case <-moved:
			case <-look.C:
			case <-ctx.Done():
			}
		case read.after < page.after: // it is further behind than what is kept for all
			before, began := read.after, time.Now()
			var own logPage
			err := requestOf(ctx).turn.during(ctx, func() (err error) {
				own, err = read.next(ctx)
				return err
			})
			if err != nil {
				return err
			}
			page = newTailPage(ctx, read.store, read.epoch, before, read.after, own.events)
			read.after = before
			pause(ctx, restAfter(time.Since(began))) // as in write
		}
		text, err := read.tell(page)
		switch {
		case err != nil:
			return err
		case len(text) > 0:
			err, spoke = out.write(text), time.Now()
		case time.Since(spoke) >= s.bounds.silence:
			err = here(page)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
