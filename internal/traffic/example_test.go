package traffic_test

import (
	"fmt"
	"time"

	"customercenter/internal/traffic"
)

// A thousand events of a Monday morning, and what must be seen after they are handled.
func Example() {
	options := traffic.Defaults()
	options.Seed = 7
	options.Events = 1000
	options.Start = time.Date(2026, 11, 16, 9, 0, 0, 0, time.UTC)
	gen, err := traffic.New(options)
	if err != nil {
		fmt.Println(err)
		return
	}
	bytes := 0
	for event, ok := gen.Next(); ok; event, ok = gen.Next() {
		bytes += len(event.Body)
	}
	s := gen.Summary()
	fmt.Println("some bodies:", bytes > 100_000)
	fmt.Println("events:", s.Events)
	fmt.Println("every session is in one state:", s.Sessions == s.Waiting+s.Processing+s.Closed+s.Aborted)
	fmt.Println("messages per session:", s.Messages/s.Sessions)
	// Output:
	// some bodies: true
	// events: 1000
	// every session is in one state: true
	// messages per session: 7
}
