package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// needles are what is looked for: parts of what some customers have.
type needles struct {
	tags     []uuid.UUID // the most common first
	surnames []string
	rare     []string // characters of names that few have
	pairs    []string // the last two of three characters of names
	triples  []string // whole names
	latin    []string
	ids      []string // four characters of ids
	digits   []string // four digits of phone numbers
	phones   []string
}

// perNeedle is how many there are of each, at most.
const perNeedle = 40

type somebody struct{ Name, Nickname, ExternalID, Phone string }

// findNeedles takes them from a sample of the customers, in the read model's schema.
func findNeedles(ctx context.Context, pool *pgxpool.Pool, schema string, customers int) (*needles, error) {
	const sample = 20_000
	rows, err := pool.Query(ctx, `select name, nickname, external_id, phone from `+schema+`.customer where ordinal % $1 = 0 order by ordinal`, max(customers/sample, 1))
	if err != nil {
		return nil, fmt.Errorf("bench: needles: %w", err)
	}
	people, err := pgx.CollectRows(rows, pgx.RowToStructByPos[somebody])
	if err != nil {
		return nil, fmt.Errorf("bench: needles: %w", err)
	}
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(people), func(i, j int) { people[i], people[j] = people[j], people[i] })
	n := &needles{surnames: []string{"王", "李", "张", "刘", "陈"}}
	n.look(people)
	for name, found := range map[string][]string{"pairs": n.pairs, "triples": n.triples, "rare": n.rare, "latin": n.latin, "ids": n.ids, "phones": n.phones} {
		if len(found) == 0 {
			return nil, fmt.Errorf("bench: nobody among %d customers has anything for %q", customers, name)
		}
	}
	tags, err := pool.Query(ctx, `select tag from (select unnest(tags) as tag from `+schema+`.customer) t group by tag order by count(*) desc, tag`)
	if err != nil {
		return nil, fmt.Errorf("bench: needles: %w", err)
	}
	if n.tags, err = pgx.CollectRows(tags, pgx.RowTo[uuid.UUID]); err != nil {
		return nil, fmt.Errorf("bench: needles: %w", err)
	}
	return n, nil
}

func (n *needles) look(people []somebody) {
	carriers := map[rune]int{}
	for _, p := range people {
		for _, r := range p.Name {
			carriers[r]++
		}
	}
	for _, p := range people {
		name := []rune(p.Name)
		switch {
		case len(name) == 3 && chinese(name[0]):
			note(&n.pairs, string(name[1:]))
			note(&n.triples, p.Name)
			if carriers[name[2]] == 1 {
				note(&n.rare, string(name[2]))
			}
		case len(name) > 3 && name[0] < 0x80:
			note(&n.latin, strings.ToLower(strings.Fields(p.Name)[0]))
		}
		if id := p.ExternalID; len(id) > 8 {
			note(&n.ids, id[len(id)-5:len(id)-1])
		}
		if len(p.Phone) == 11 {
			note(&n.digits, p.Phone[5:9])
			note(&n.phones, p.Phone)
		}
	}
}

// note adds a needle that is new, as long as there are not enough.
func note(to *[]string, needle string) {
	if len(*to) < perNeedle && !slices.Contains(*to, needle) {
		*to = append(*to, needle)
	}
}

func chinese(r rune) bool { return unicode.Is(unicode.Han, r) }
