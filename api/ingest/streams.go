package ingest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// The streams of channel events, and their subjects.
const (
	// StreamIn is a work queue: an event leaves it when it was carried out, or has gone to the dead letters.
	StreamIn = "CC_IN"
	// StreamDead keeps what could not be carried out for 30 days.
	StreamDead = "CC_DEAD"

	inPrefix   = "cc.in."
	deadPrefix = "cc.dead."
)

// Partitions is how many parts the queue has. Each is worked on by one process at a time, so it is also the most processes that can
// share the work. An association is in one part, whose customers are handled in parallel.
const Partitions = 8

// LeaseName is of the leases on the parts of the queue.
const LeaseName = "ingest"

// Defaults of the streams.
const (
	defaultMaxBytes = 2 << 30
	deadMaxBytes    = 1 << 30
	// mostWaiting is how many events of one association may wait in the queue, so that what one channel sends too fast does not take the room of the others.
	mostWaiting = 200_000
	// maxMessage is the largest message that the queue takes, headers included: that of the embedded server. One that a pull
	// (pullBytes) cannot hold would never arrive, and its part of the queue would not get past it. It is above MaxBytes, so that what is
	// somewhat too large gets to the dead letters with its reason.
	maxMessage = 8 << 20
	// deadWindow is for how long one event is not put among the dead letters twice, when a process dies between the two acknowledgements.
	deadWindow = 10 * time.Minute
)

// ErrStream says that a stream of that name exists and is not what this package needs. It was left as it is.
var ErrStream = errors.New("ingest: the stream exists with another configuration")

// Subject is where a channel publishes the events of an association.
func Subject(tenant string, association int) string {
	return inPrefix + tenant + "." + strconv.Itoa(association)
}

// EnsureStreams makes the streams that do not exist yet. It never changes or deletes one: what an operator has set, stays.
// replicas is 1 on a single server and 3 in a cluster; maxBytes bounds the queue, 0 means 2 GiB. ErrStream.
func EnsureStreams(ctx context.Context, js jetstream.JetStream, replicas int, maxBytes int64) error {
	if maxBytes == 0 {
		maxBytes = defaultMaxBytes
	}
	in, err := ensure(ctx, js, jetstream.StreamConfig{
		Name: StreamIn, Description: "channel events that are to be carried out", Replicas: replicas,
		Subjects: []string{inPrefix + "*.*"},
		// The server sorts events into parts as they come, so channels need not know of them.
		SubjectTransform: transform(),
		Retention:        jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage,
		MaxMsgSize: maxMessage,
		MaxBytes:   maxBytes, Discard: jetstream.DiscardNew, // when it is full, channels are told; nothing that was acknowledged is dropped
		MaxMsgsPerSubject: mostWaiting, DiscardNewPerSubject: true,
	})
	if err != nil {
		return err
	}
	if t := in.SubjectTransform; t == nil || *t != *transform() || in.Retention != jetstream.WorkQueuePolicy {
		return fmt.Errorf("%w: %s", ErrStream, StreamIn)
	}
	dead, err := ensure(ctx, js, jetstream.StreamConfig{
		Name: StreamDead, Description: "channel events that could not be carried out, with the reason", Replicas: replicas,
		Subjects: []string{deadPrefix + ">"}, Retention: jetstream.LimitsPolicy, Storage: jetstream.FileStorage,
		MaxAge: Keep, MaxBytes: deadMaxBytes, Discard: jetstream.DiscardOld, Duplicates: deadWindow,
	})
	if err == nil && dead.Retention != jetstream.LimitsPolicy {
		err = fmt.Errorf("%w: %s", ErrStream, StreamDead)
	}
	return err
}

func transform() *jetstream.SubjectTransformConfig {
	return &jetstream.SubjectTransformConfig{
		Source:      inPrefix + "*.*",
		Destination: fmt.Sprintf("%s{{partition(%d,1,2)}}.{{wildcard(1)}}.{{wildcard(2)}}", inPrefix, Partitions),
	}
}

func ensure(ctx context.Context, js jetstream.JetStream, config jetstream.StreamConfig) (jetstream.StreamConfig, error) {
	stream, err := js.Stream(ctx, config.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = js.CreateStream(ctx, config)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another process was faster, with other limits
			stream, err = js.Stream(ctx, config.Name)
		}
	}
	if err != nil {
		return jetstream.StreamConfig{}, fmt.Errorf("ingest: stream %s: %w", config.Name, err)
	}
	return stream.CachedInfo().Config, nil
}

// partSubject is the subject of what lies in a part.
func partSubject(partition int) string { return inPrefix + strconv.Itoa(partition) + ".*.*" }

// parseSubject reads the subject of an event as it lies in its part: cc.in.<part>.<tenant>.<association>. An association that is no
// number of one of ours is -1.
func parseSubject(subject string) (tenant string, association int, ok bool) {
	tokens := strings.Split(strings.TrimPrefix(subject, inPrefix), ".")
	if len(tokens) != 3 {
		return "", 0, false
	}
	n, err := strconv.Atoi(tokens[2])
	if err != nil || n < 1 || strconv.Itoa(n) != tokens[2] {
		n = -1
	}
	return tokens[1], n, true
}

// originalSubject is the subject to which an event was published that now lies in a part.
func originalSubject(subject string) string {
	_, rest, _ := strings.Cut(strings.TrimPrefix(subject, inPrefix), ".")
	return inPrefix + rest
}
