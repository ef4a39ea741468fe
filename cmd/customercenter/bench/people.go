package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"customercenter/commands"
	"customercenter/domain/customer"
	"customercenter/domain/text"
	"customercenter/internal/traffic"
)

// people are the customers of a list, and what can be looked for among them.
type people struct {
	common, rare uuid.UUID // tags: one in three customers has the first, one in a thousand the second

	// Parts of names, each of somebody. Those that a person cannot tell apart from others are left out.
	commonest, rarest []string // characters
	pairs, triples    []string
	ids               []string // four characters out of an external id
}

// person is a customer to be.
type person struct {
	association int
	ExternalID  string           `json:"external_id"`
	Nickname    string           `json:"nickname"`
	Profile     customer.Profile `json:"profile"`
}

// generatePeople takes those who begin to write out of generated traffic, each once.
func generatePeople(o traffic.Options, n int) ([]person, error) {
	o.Customers, o.Events, o.Duplicates, o.Late = 50*n, 0, 0, 0
	o.Start, o.Until = time.Now().Add(-1000*24*time.Hour), time.Time{}
	generator, err := traffic.New(o)
	if err != nil {
		return nil, err
	}
	known := make(map[traffic.Identity]bool, n)
	found := make([]person, 0, n)
	for len(found) < n {
		event, _ := generator.Next() // there is no end
		who := traffic.Identity{Association: event.Association, ExternalID: event.ExternalID}
		if event.Kind != traffic.MessageReceived || known[who] {
			continue
		}
		known[who] = true
		var body struct {
			Data person `json:"data"`
		}
		if err := json.Unmarshal(event.Body, &body); err != nil {
			return nil, fmt.Errorf("bench: generated event: %w", err)
		}
		body.Data.association, body.Data.Profile.Nickname = event.Association, body.Data.Nickname
		found = append(found, body.Data)
	}
	return found, nil
}

// populate creates n customers with tags, spread evenly over the year that is over. Nothing is folded yet.
func (p *plant) populate(ctx context.Context, n int) (*people, error) {
	all, err := generatePeople(p.traffic, n)
	if err != nil {
		return nil, err
	}
	found := &people{}
	for name, id := range map[string]*uuid.UUID{"common": &found.common, "rare": &found.rare} {
		done, err := commands.CreateTag{Name: name}.Run(ctx, p.center, p.by())
		if err != nil {
			return nil, fmt.Errorf("bench: tag: %w", err)
		}
		*id = done.Tag
	}
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, who := range all {
		var tags []uuid.UUID
		if i%3 == 0 {
			tags = append(tags, found.common)
		}
		if i%1000 == 500 {
			tags = append(tags, found.rare)
		}
		group.Go(func() error {
			_, err := commands.CreateCustomer{Association: who.association, ExternalID: who.ExternalID, Profile: who.Profile, Tags: tags}.Run(working, p.center, p.by())
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("bench: customers: %w", err)
	}
	// The log's clock is the database's, so only this makes a history.
	head, err := p.store.Head(ctx, p.tenant)
	if err != nil {
		return nil, err
	}
	if _, err := p.pool.Exec(ctx, `update events set recorded_at = now() - interval '1 year' * (1 - position / $2::float8) where tenant = $1`,
		p.tenant, float64(head)); err != nil {
		return nil, fmt.Errorf("bench: spread over a year: %w", err)
	}
	found.look(all)
	return found, p.settle(ctx)
}

// look finds what can be looked for.
func (p *people) look(all []person) {
	random := rand.New(rand.NewPCG(1, 1))
	carriers := map[rune]int{}
	for _, who := range all {
		seen := map[rune]bool{}
		for _, r := range text.Fold(who.Profile.Name + who.Nickname) {
			if r > 0x2e80 && r < 0xa000 && !seen[r] { // Chinese
				seen[r] = true
				carriers[r]++
			}
		}
	}
	characters := make([]rune, 0, len(carriers))
	for r := range carriers {
		characters = append(characters, r)
	}
	slices.SortFunc(characters, func(a, b rune) int {
		if d := carriers[b] - carriers[a]; d != 0 {
			return d
		}
		return int(a - b)
	})
	for i := range min(10, len(characters)) {
		p.commonest = append(p.commonest, string(characters[i]))
		p.rarest = append(p.rarest, string(characters[len(characters)-1-i]))
	}
	for _, i := range random.Perm(len(all)) {
		who := all[i]
		if name := []rune(who.Profile.Name); len(name) == 3 && name[0] > 0x2e80 {
			p.pairs, p.triples = append(p.pairs, string(name[1:])), append(p.triples, string(name))
		}
		if id := who.ExternalID; len(p.ids) < 200 && len(id) > 8 {
			p.ids = append(p.ids, id[len(id)-5:len(id)-1])
		}
		if len(p.triples) >= 200 {
			break
		}
	}
}
