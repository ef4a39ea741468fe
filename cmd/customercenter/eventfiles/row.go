package eventfiles

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// event is one row. What is not there, or empty, is null in the columns that may be. Tenant and day are told by the file's place.
//
// Columns are only ever added, so that files of different ages can be read together.
type event struct {
	Position    int64  `parquet:"position"`
	Stream      string `parquet:"stream,plain"`
	Version     int64  `parquet:"version"`
	Type        string `parquet:"type,dict"`
	TypeVersion int32  `parquet:"type_version,dict"`
	Customer    string `parquet:"customer,optional,dict"`
	ActorKind   string `parquet:"actor_kind,optional,dict"`
	ActorID     string `parquet:"actor_id,optional,dict"`
	Cause       string `parquet:"cause,optional,plain"`
	Correlation string `parquet:"correlation,optional,plain"`
	OccurredAt  int64  `parquet:"occurred_at,optional,timestamp(microsecond)"`
	RecordedAt  int64  `parquet:"recorded_at,timestamp(microsecond)"`
	// What many events have, out of the payload.
	Session     string `parquet:"session,optional,dict"`
	Channel     string `parquet:"channel,optional,dict"`
	Association int32  `parquet:"association,optional,dict"`
	Agent       string `parquet:"agent,optional,dict"`
	Tag         string `parquet:"tag,optional,dict"`
	Group       string `parquet:"group_id,optional,dict"` // group is a word of SQL
	AutoMessage string `parquet:"auto_message,optional,dict"`
	Job         string `parquet:"job,optional,dict"`
	Message     string `parquet:"message,optional,plain"`
	MessageKind string `parquet:"message_kind,optional,dict"`
	Sender      string `parquet:"sender,optional,dict"`
	Text        string `parquet:"text,optional,plain"`
	Score       int32  `parquet:"score,optional,dict"`
	Code        string `parquet:"code,optional,dict"`
	// Data is the whole payload, as JSON.
	Data       string `parquet:"data,plain"`
	Unreadable bool   `parquet:"unreadable"`
	// Erased says that personal data was in the event when it was recorded.
	Erased bool `parquet:"erased"`
}

// told is an event as the API tells it.
type told struct {
	Tenant      string          `json:"tenant"`
	Position    int64           `json:"position"`
	Stream      string          `json:"stream"`
	Version     int64           `json:"version"`
	Type        string          `json:"type"`
	TypeVersion int32           `json:"type_version"`
	Customer    string          `json:"customer"`
	Data        json.RawMessage `json:"data"`
	Meta        struct {
		Actor       struct{ Kind, ID string } `json:"actor"`
		Cause       string                    `json:"cause"`
		Correlation string                    `json:"correlation"`
		OccurredAt  *time.Time                `json:"occurred_at"`
	} `json:"meta"`
	RecordedAt time.Time `json:"recorded_at"`
	Unreadable bool      `json:"unreadable"`
	Erased     bool      `json:"erased"`
}

// common are the members of payloads that have columns.
type common struct {
	Session     string `json:"session"`
	Channel     string `json:"channel"`
	Association int32  `json:"association"`
	Agent       string `json:"agent"`
	To          string `json:"to"`
	Tag         string `json:"tag"`
	Group       string `json:"group"`
	AutoMessage string `json:"auto_message"`
	Import      string `json:"import"`
	Message     string `json:"message"`
	Kind        string `json:"kind"`
	Sender      struct{ Kind, ID string }
	Text        string `json:"text"`
	Score       int32  `json:"score"`
	Code        string `json:"code"`
}

// ErrUnreadable says that a line is no event as the API tells it.
var ErrUnreadable = errors.New("eventfiles: not an event")

// read makes a row of a line.
func (t *told) read(line []byte) (row event, err error) {
	*t = told{}
	if err := json.Unmarshal(line, t); err != nil {
		return row, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	if t.Position < 1 || t.Type == "" || t.RecordedAt.IsZero() {
		return row, ErrUnreadable
	}
	var has common
	// A member that has another type in some event is left out; the payload has it.
	if err := json.Unmarshal(t.Data, &has); err != nil && !errors.As(err, new(*json.UnmarshalTypeError)) {
		return row, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	row = event{
		Position: t.Position, Stream: t.Stream, Version: t.Version, Type: t.Type, TypeVersion: t.TypeVersion, Customer: t.Customer,
		ActorKind: t.Meta.Actor.Kind, ActorID: t.Meta.Actor.ID, Cause: t.Meta.Cause, Correlation: t.Meta.Correlation, RecordedAt: t.RecordedAt.UnixMicro(),
		Session: has.Session, Channel: has.Channel, Association: has.Association, Agent: has.Agent, Tag: has.Tag, Group: has.Group, AutoMessage: has.AutoMessage, Job: has.Import,
		Message: has.Message, Sender: has.Sender.Kind, Text: has.Text, Score: has.Score, Code: has.Code,
		Data: string(t.Data), Unreadable: t.Unreadable, Erased: t.Erased,
	}
	if t.Meta.OccurredAt != nil {
		row.OccurredAt = t.Meta.OccurredAt.UnixMicro()
	}
	switch aggregate, id, _ := strings.Cut(t.Stream, "-"); aggregate {
	case "session":
		row.Session = id
	case "job":
		row.Job = id
	}
	switch {
	case strings.HasSuffix(t.Type, ".message_recorded"):
		row.MessageKind = has.Kind
		if has.Sender.Kind == "agent" {
			row.Agent = has.Sender.ID
		}
	case t.Type == "session.transferred":
		row.Agent = has.To
	}
	return row, nil
}
