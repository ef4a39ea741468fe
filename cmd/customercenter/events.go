package main

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// eventsCommand prints events of the log through the API, which decides what the token may see.
type eventsCommand struct {
	Data     string   `help:"Data directory of a running 'customercenter up'." default:"data" type:"path"`
	URL      string   `help:"Address of the API instead." placeholder:"URL"`
	Token    string   `help:"Token of an admin or an analyst. Default: the demo tenant's admin." placeholder:"TOKEN"`
	From     string   `help:"First position, or an instant (RFC 3339)." placeholder:"POSITION"`
	To       string   `help:"Last position, or an instant." placeholder:"POSITION"`
	Type     []string `help:"Only events of these types." placeholder:"TYPE"`
	Stream   string   `help:"Only events of this stream."`
	Customer string   `help:"Only events that concern this customer." placeholder:"UUID"`
}

// Run prints one event a line, as JSON.
func (c *eventsCommand) Run(env *environment) error {
	run, err := readRunInfo(c.Data)
	if err != nil {
		return err
	}
	address, token := c.URL, c.Token
	if run != nil {
		address, token = cmp.Or(address, run.URL), cmp.Or(token, run.Tokens["admin"])
	}
	if address == "" || token == "" {
		return usageError{"whose events? Give --url and --token, or the --data directory of an `up --demo`"}
	}
	query := url.Values{}
	for name, value := range map[string]string{"from": c.From, "to": c.To, "stream": c.Stream, "customer": c.Customer} {
		if value != "" {
			query.Set(name, value)
		}
	}
	for _, t := range c.Type {
		query.Add("type", t)
	}
	request, err := http.NewRequestWithContext(env.ctx, http.MethodGet, address+"/v1/events?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("the API cannot be reached: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		problem, _ := io.ReadAll(io.LimitReader(answer.Body, 4096))
		return fmt.Errorf("the API answered %s: %s", answer.Status, problem)
	}
	_, err = io.Copy(env.stdout, answer.Body)
	return err
}
