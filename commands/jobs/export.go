package jobs

import (
	"context"
	"errors"
	"time"
)

func (w *walk) exportStep(ctx context.Context) (rest time.Duration, ended bool, err error) {
	return 0, false, errors.New("not yet")
}
