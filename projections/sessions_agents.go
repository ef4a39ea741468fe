package projections

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// mostAgents bounds how many agents are listed.
const mostAgents = 1000

// agentsSQL steps from one agent to the next in the index, so it reads a row an agent, not one a session.
const agentsSQL = `
	with recursive step as (
		(select agent from $.session_agent where tenant = $1 order by agent limit 1)
		union all
		select (select s.agent from $.session_agent s where s.tenant = $1 and s.agent > step.agent order by s.agent limit 1) from step where step.agent is not null)
	select agent from step where agent is not null limit $2`

// Agents lists who has or ever had a session, by id, the first 1,000.
func (s *Sessions) Agents(ctx context.Context, tenant string) ([]Agent, error) {
	build, err := s.builds.Live(ctx, SessionsName)
	if err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, in(build.Schema, agentsSQL), tenant, mostAgents)
	if err != nil {
		return nil, fmt.Errorf("projections: agents: %w", err)
	}
	agents, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Agent, error) {
		var a Agent
		err := row.Scan(&a.ID)
		a.Name = a.ID
		return a, err
	})
	if err != nil {
		return nil, fmt.Errorf("projections: agents: %w", err)
	}
	return agents, nil
}
