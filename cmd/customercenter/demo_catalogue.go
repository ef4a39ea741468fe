package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/bulk"
	"customercenter/eventstore"
)

// demoRegular is the tag of those who have come often.
const demoRegular = "老客回购"

// demoCatalogue makes tags, and groups into which the demo's customers come by what they do, so that there is something to look at from the first
// minute on. What is there already stays as it is.
func (n *node) demoCatalogue(ctx context.Context) error {
	by := commands.By{Tenant: demoTenant, Actor: eventstore.Actor{Kind: "system", ID: "demo"}}
	for _, name := range []string{demoRegular, "VIP", "售后跟进"} {
		if _, err := (commands.CreateTag{Name: name}).Run(ctx, n.center, by); err != nil && !isRefused(err, domain.CodeTagExists) {
			return err
		}
	}
	for _, g := range []commands.DefineGroup{
		{Name: "多次来访", Rule: json.RawMessage(`{"all":[{"field":"session_count","op":"gte","value":3},{"field":"last_session_at","op":"within","value":{"days":30}}]}`)},
		{Name: "评价不满意", Rule: json.RawMessage(`{"field":"rating_last","op":"lte","value":2}`), AgentVisible: true},
	} {
		if _, err := g.Run(ctx, n.center, by); err != nil && !isRefused(err, domain.CodeGroupExists) {
			return err
		}
	}
	return nil
}

// demoTags has those tagged who have come often. Started twice, it changes nothing the second time.
func (n *node) demoTags(ctx context.Context) error {
	tags, _, err := n.catalogues.Tags(ctx, demoTenant)
	if err != nil {
		return err
	}
	id, ok := tags.ByName(demoRegular)
	if !ok {
		return fmt.Errorf("the tag %s is not there", demoRegular)
	}
	_, err = commands.StartBulk{Action: bulk.Tag, Tag: id, Filter: json.RawMessage(`{"field":"session_count","op":"gte","value":4}`)}.Run(ctx, n.center,
		commands.By{Tenant: demoTenant, Actor: eventstore.Actor{Kind: "system", ID: "demo"}})
	return err
}

func isRefused(err error, code string) bool {
	var refusal *domain.Refusal
	return errors.As(err, &refusal) && refusal.Code == code
}
