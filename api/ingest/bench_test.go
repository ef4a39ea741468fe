package ingest

import (
	"testing"

	"customercenter/internal/traffic"
)

// BenchmarkQueue carries out b.N events of realistic traffic that are waiting in the queue, one after the other for each customer.
// It measures from the queue to the log, without publishing.
func BenchmarkQueue(b *testing.B) {
	w := newWorld(b)
	generator, err := traffic.New(options(b.N))
	if err != nil {
		b.Fatal(err)
	}
	if err := traffic.Publish(b.Context(), w.js, generator, 0, 512, nil); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	w.consume()
	w.drained()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	w.compare(generator.Summary())
}
