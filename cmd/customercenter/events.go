package main

import (
	"io"
	"net/http"
	"net/url"
)

// eventsCommand prints events of the log through the API, which decides what the token may see.
type eventsCommand struct {
	apiFlags `prefix:""`
	From     string   `help:"First position, or an instant (RFC 3339)." placeholder:"POSITION"`
	To       string   `help:"Last position, or an instant." placeholder:"POSITION"`
	Type     []string `help:"Only events of these types." placeholder:"TYPE"`
	Stream   string   `help:"Only events of this stream."`
	Customer string   `help:"Only events that concern this customer." placeholder:"UUID"`
}

// Run prints one event a line, as JSON.
func (c *eventsCommand) Run(env *environment) error {
	api, err := c.client("en")
	if err != nil {
		return err
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
	request, err := api.request(env.ctx, http.MethodGet, "/v1/events?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	answer, err := api.send(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(env.stdout, answer.Body)
	return err
}
