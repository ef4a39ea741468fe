package main

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/google/uuid"
)

// customersCommand is about one customer at a time.
type customersCommand struct {
	Everything customersEverything `cmd:"" help:"Get all that is known of a customer as one JSON file, for a person who asks."`
}

type customersEverything struct {
	apiFlags     `prefix:""`
	languageFlag `prefix:""`
	ID           uuid.UUID `arg:"" help:"The customer's id, as in the address of their page."`
	Output       string    `short:"o" help:"Where to put the file: a name, a directory, or - for standard output. Default: customer-ID.json, here." placeholder:"FILE"`
	Force        bool      `help:"Overwrite the file if it is there."`
}

// Help is what --help says besides the flags.
func (customersEverything) Help() string {
	return `For admins. All of it is as of one position of the log, and that it was given out, and to whom, stands in the customer's history. The file is readable for you alone, and overwrites nothing. See docs/disclosure.md.`
}

// Run gets the file.
func (c *customersEverything) Run(env *environment) error {
	to := outputFlags{Output: c.Output, Force: c.Force}
	name := to.name("customer-" + c.ID.String() + ".json")
	if err := vacant(name, c.Force); err != nil {
		return err
	}
	client, err := c.client(c.locale())
	if err != nil {
		return err
	}
	got, err := client.save(env, "/v1/customers/"+c.ID.String()+"/everything", name, c.Force)
	if err != nil {
		return err
	}
	out := env.stdout
	if name == stdoutName {
		out = env.stderr
	}
	_, err = io.WriteString(out, fmt.Sprintf("%s: %s\n", filepath.Base(name), size(got)))
	return err
}
