package commands

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"customercenter/domain"
	"customercenter/eventstore"
)

// refused is how a receipt keeps a refusal. A Done has no code, which tells the two apart.
type refused struct {
	Code     string         `json:"code"`
	Location string         `json:"location,omitempty"`
	Args     map[string]any `json:"args,omitempty"`
}

// receiptActor is whose requests a key tells apart.
func (by By) receiptActor() string { return by.Actor.Kind + "/" + by.Actor.ID }

// first returns the answer that the request got when it came first, or a refusal with CodeKeyReused if that was another request.
func (o *Once) first(r *eventstore.RepeatedError) (Done, error) {
	if !bytes.Equal(r.Body, o.Body) {
		return Done{}, domain.Refuse(CodeKeyReused)
	}
	var refusal refused
	// Numbers stay as they were written, so that the words of the refusal are the same as the first time.
	decoder := json.NewDecoder(strings.NewReader(r.Answer))
	decoder.UseNumber()
	if err := decoder.Decode(&refusal); err != nil {
		return Done{}, fmt.Errorf("commands: stored answer: %w", err)
	}
	if refusal.Code != "" {
		return Done{Position: r.Position, Repeated: true}, &domain.Refusal{Code: refusal.Code, Location: refusal.Location, Args: refusal.Args}
	}
	var done Done
	if err := json.Unmarshal([]byte(r.Answer), &done); err != nil {
		return Done{}, fmt.Errorf("commands: stored answer: %w", err)
	}
	done.Position, done.Repeated = r.Position, true
	return done, nil
}
