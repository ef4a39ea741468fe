package ingest

import (
	"errors"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics count what comes in. Labels are codes and outcomes, never tenants or ids: their number must stay small.
type metrics struct {
	received  prometheus.Counter
	outcomes  *prometheus.CounterVec
	refused   *prometheus.CounterVec
	seconds   prometheus.Histogram
	retries   prometheus.Counter
	postponed prometheus.Counter
	dead      prometheus.Counter
	lanes     prometheus.Gauge
	inFlight  prometheus.Gauge
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	name := func(n string) string { return "customercenter_ingest_" + n }
	m := &metrics{
		received: prometheus.NewCounter(prometheus.CounterOpts{Name: name("received_total"), Help: "Events taken from the queue, repeated deliveries included."}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: name("outcomes_total"), Help: "Events by what became of them: accepted, duplicate, refused, failed."}, []string{"outcome"}),
		refused:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: name("refused_total"), Help: "Refused events by code."}, []string{"code"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: name("handling_seconds"), Help: "Time to carry out one event, retries included.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 10)}),
		retries:   prometheus.NewCounter(prometheus.CounterOpts{Name: name("retries_total"), Help: "Tries after a failure."}),
		postponed: prometheus.NewCounter(prometheus.CounterOpts{Name: name("postponed_total"), Help: "Tries that found the database or the bus unavailable and will be made again."}),
		dead:      prometheus.NewCounter(prometheus.CounterOpts{Name: name("dead_total"), Help: "Events put among the dead letters."}),
		lanes:     prometheus.NewGauge(prometheus.GaugeOpts{Name: name("lanes"), Help: "Customers with events at hand."}),
		inFlight:  prometheus.NewGauge(prometheus.GaugeOpts{Name: name("in_flight"), Help: "Events being carried out."}),
	}
	if registry == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.received, m.outcomes, m.refused, m.seconds, m.retries, m.postponed, m.dead, m.lanes, m.inFlight} {
		errs = append(errs, registry.Register(c))
	}
	return m, errors.Join(errs...)
}

// middleware measures the handling of a message, whatever the middlewares inside it do.
func (m *metrics) middleware(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		began := time.Now()
		m.inFlight.Inc()
		produced, err := next(msg)
		m.inFlight.Dec()
		if err != nil {
			m.postponed.Inc()
			return produced, err
		}
		m.seconds.Observe(time.Since(began).Seconds())
		it := itemOf(msg)
		switch {
		case it.outcome.Status == "":
			m.outcomes.WithLabelValues("failed").Inc()
		case it.outcome.Status == StatusRefused:
			m.refused.WithLabelValues(it.outcome.Code).Inc()
			fallthrough
		default:
			m.outcomes.WithLabelValues(string(it.outcome.Status)).Inc()
		}
		return produced, nil
	}
}
