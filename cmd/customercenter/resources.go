package main

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"customercenter/commands/policies"
)

// streams are what the product keeps in JetStream.
var streams = []string{"CC_IN", "CC_DEAD", policies.StreamOut, policies.StreamGroups, "CC_EVENTS"}

// resources tells /metrics what this process uses of the database, and how full database and streams are. It asks both at every scrape.
type resources struct {
	n     *node
	roles []string
}

var (
	hasRole          = prometheus.NewDesc("customercenter_role", "1 for each role of this process.", []string{"role"}, nil)
	connections      = prometheus.NewDesc("customercenter_database_connections", "Connections of this process to the database: used, idle, and the most there may be.", []string{"state"}, nil)
	connectionWaits  = prometheus.NewDesc("customercenter_database_waits_total", "How often this process had to wait for a connection, because all were used.", nil, nil)
	databaseBytes    = prometheus.NewDesc("customercenter_database_bytes", "Size of the database.", nil, nil)
	transactionAge   = prometheus.NewDesc("customercenter_oldest_transaction_seconds", "For how long the oldest transaction in the database has been open. Nothing that was deleted since can be cleaned away.", nil, nil)
	slotBytes        = prometheus.NewDesc("customercenter_replication_slot_retained_bytes", "How much write-ahead log the slot that lags most keeps from being removed; absent without slots.", nil, nil)
	streamMessages   = prometheus.NewDesc("customercenter_stream_messages", "Messages in a stream of JetStream.", []string{"stream"}, nil)
	streamBytes      = prometheus.NewDesc("customercenter_stream_bytes", "Bytes in a stream of JetStream.", []string{"stream"}, nil)
	streamLimitBytes = prometheus.NewDesc("customercenter_stream_limit_bytes", "How many bytes the stream may hold. CC_IN takes nothing more then; others lose their oldest messages.", []string{"stream"}, nil)
)

// Describe implements prometheus.Collector.
func (r resources) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{hasRole, connections, connectionWaits, databaseBytes, transactionAge, slotBytes, streamMessages, streamBytes, streamLimitBytes} {
		out <- d
	}
}

// Collect implements prometheus.Collector. What cannot be read is left out: absence is what an alert sees then.
func (r resources) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	for _, role := range r.roles {
		gauge(hasRole, 1, role)
	}
	used := r.n.pool.Stat()
	gauge(connections, float64(used.AcquiredConns()), "used")
	gauge(connections, float64(used.IdleConns()), "idle")
	gauge(connections, float64(used.MaxConns()), "most")
	out <- prometheus.MustNewConstMetric(connectionWaits, prometheus.CounterValue, float64(used.EmptyAcquireCount()))

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() {
		var bytes, oldest float64
		var kept *float64
		err := r.n.pool.QueryRow(ctx, `select pg_database_size(current_database())::float8,
			coalesce((select extract(epoch from max(clock_timestamp() - xact_start)) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()), 0)::float8,
			(select max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)) from pg_replication_slots)::float8`).Scan(&bytes, &oldest, &kept)
		if err != nil {
			return
		}
		gauge(databaseBytes, bytes)
		gauge(transactionAge, oldest)
		if kept != nil {
			gauge(slotBytes, *kept)
		}
	})
	for _, name := range streams {
		all.Go(func() {
			stream, err := r.n.js.Stream(ctx, name)
			if err != nil {
				return
			}
			info := stream.CachedInfo()
			gauge(streamMessages, float64(info.State.Msgs), name)
			gauge(streamBytes, float64(info.State.Bytes), name)
			if info.Config.MaxBytes > 0 {
				gauge(streamLimitBytes, float64(info.Config.MaxBytes), name)
			}
		})
	}
}
