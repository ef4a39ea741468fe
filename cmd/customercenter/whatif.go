package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"text/tabwriter"
	"time"

	"customercenter/api"
	"customercenter/domain/job"
)

// whatIfCommand asks what a rule would have done.
type whatIfCommand struct {
	apiFlags     `prefix:""`
	languageFlag `prefix:""`
	Rule         string    `help:"File with the rule, in the filter language, as JSON; see docs/filters.md. - is standard input." required:"" placeholder:"FILE"`
	From         time.Time `help:"When a group with it would have been defined (RFC 3339)." required:"" placeholder:"TIME"`
	Format       string    `help:"table: figures by the day. json: the same, as the API tells it. ndjson: who would have entered and left, when and why, a JSON object each." enum:"table,json,ndjson" default:"table" placeholder:"FORMAT"`
}

// Help is what --help says besides the flags.
func (whatIfCommand) Help() string {
	return `Tells who would have been in a group, had it been defined in the past: how many at the end of each day, who entered and who left. What time alone does is included. Nothing is changed, and nothing is written to the log. Ctrl-C stops it on the server, too.`
}

// askEvery is how long the server has between two questions of how far it is.
const askEvery = 200 * time.Millisecond

// Run asks, waits and shows.
func (c *whatIfCommand) Run(env *environment) error {
	rule, err := readRule(c.Rule)
	if err != nil {
		return err
	}
	client, err := c.client(c.locale())
	if err != nil {
		return err
	}
	asked := &api.WhatIf{}
	if _, err := client.ask(env.ctx, http.MethodPost, "/v1/groups/whatif", api.WhatIfInput{Rule: rule, From: c.From}, asked); err != nil {
		return err
	}
	path := "/v1/groups/whatif/" + asked.ID.String()
	found, err := client.lookedBack(env, path)
	if err != nil {
		if env.ctx.Err() != nil { // nobody waits for it any more
			ended, stop := context.WithTimeout(context.WithoutCancel(env.ctx), 5*time.Second)
			defer stop()
			_, _ = client.ask(ended, http.MethodPost, path+"/cancel", nil, &api.WhatIf{})
		}
		return err
	}
	switch job.Status(found.Status) {
	case job.Failed:
		return fmt.Errorf("%s (%s)", found.Detail, found.Code)
	case job.Canceled:
		return fmt.Errorf("somebody has stopped it")
	}
	switch c.Format {
	case "json":
		return json.NewEncoder(env.stdout).Encode(found)
	case "ndjson":
		return client.moves(env, path)
	}
	return daysTable(env.stdout, found)
}

// readRule reads the file of a rule.
func readRule(name string) (json.RawMessage, error) {
	var text []byte
	var err error
	if name == stdoutName {
		text, err = io.ReadAll(os.Stdin)
	} else {
		text, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, usageError{err.Error()}
	}
	if !json.Valid(text) {
		return nil, usageError{"the rule is not JSON"}
	}
	return text, nil
}

// lookedBack waits until a look at history has ended.
func (c *client) lookedBack(env *environment, path string) (*api.WhatIf, error) {
	bar := env.progress("Looking back", grouped, " customers")
	defer bar.end()
	for {
		found := &api.WhatIf{}
		if _, err := c.ask(env.ctx, http.MethodGet, path, nil, found); err != nil {
			return nil, err
		}
		if found.FinishedAt != nil {
			return found, nil
		}
		bar.set(found.Progress.Done, found.Progress.Total)
		select {
		case <-env.ctx.Done():
			return nil, env.ctx.Err()
		case <-time.After(askEvery):
		}
	}
}

// moves passes on who would have entered and left.
func (c *client) moves(env *environment, path string) error {
	request, err := c.request(env.ctx, http.MethodGet, path+"/moves", nil)
	if err != nil {
		return err
	}
	answer, err := c.send(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(env.stdout, answer.Body)
	return err
}

func daysTable(to io.Writer, found *api.WhatIf) error {
	r := found.Result
	out := bufio.NewWriter(to)
	fmt.Fprintf(out, "%s\n%s looked at, from %s: %d in it at once, %d entered, %d left, %d in it now.\n\n", found.Description,
		howMany(int(r.Customers), "customer"), minute(r.From), r.Start, r.Entered, r.Left, r.Members)
	if r.Unread > 0 {
		fmt.Fprintf(out, "%s could not be read and are not counted.\n\n", howMany(int(r.Unread), "more customer"))
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "DAY\tMEMBERS\tENTERED\tLEFT")
	for _, d := range r.Days {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\n", d.Date, d.Members, d.Entered, d.Left)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return out.Flush()
}
