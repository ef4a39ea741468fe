package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/google/uuid"

	"customercenter/api"
	"customercenter/domain/job"
)

// importCommand imports customers, and looks after imports.
type importCommand struct {
	Run      importRun      `cmd:"" default:"withargs" help:"Import the customers of a file. The default: 'import FILE' is 'import run FILE'."`
	Template importTemplate `cmd:"" help:"Get the file that is to be filled in."`
	List     importList     `cmd:"" help:"List the imports, the newest first."`
	Start    importStart    `cmd:"" help:"Import a file that is uploaded already: after --dry-run, or after an interruption."`
	Watch    importWatch    `cmd:"" help:"Follow an import to its end."`
	Rejected importRejected `cmd:"" help:"Get the refused rows with the reasons, to be mended and imported."`
	Cancel   importCancel   `cmd:"" help:"Stop an import. Customers whom it has created stay."`
	Revert   importRevert   `cmd:"" help:"Take an import back: whom it has created and nobody has touched since."`
}

type importTemplate struct {
	apiFlags     `prefix:""`
	languageFlag `prefix:""`
	File         string `arg:"" optional:"" help:"Where to put it; - for standard output." default:"import-template.xlsx"`
	Force        bool   `help:"Overwrite the file if it is there."`
}

// Run saves the template, which has the tenant's own fields.
func (c *importTemplate) Run(env *environment) error {
	if err := vacant(c.File, c.Force); err != nil {
		return err
	}
	client, err := c.client(c.locale())
	if err != nil {
		return err
	}
	if _, err := client.save(env, "/v1/imports/template?lang="+c.locale(), c.File, c.Force); err != nil {
		return err
	}
	if c.File != stdoutName {
		fmt.Fprintf(env.stdout, "%s is there. Fill it in, and then: customercenter import %s\n", c.File, quoted(c.File))
	}
	return nil
}

type importList struct {
	apiFlags     `prefix:""`
	languageFlag `prefix:""`
	Limit        int  `help:"At most so many." default:"20"`
	JSON         bool `help:"One JSON object a line, as the API tells it."`
}

// Run lists the imports.
func (c *importList) Run(env *environment) error {
	client, err := c.client(c.locale())
	if err != nil {
		return err
	}
	all, err := list[api.Import](env.ctx, client, "/v1/imports", url.Values{}, max(c.Limit, 1))
	if err != nil {
		return err
	}
	if len(all) == 0 && !c.JSON {
		fmt.Fprintln(env.stdout, "There are none.")
		return nil
	}
	return table(env.stdout, c.JSON, "ID\tUPLOADED\tBY\tSTATUS\tROWS\tCREATED\tREFUSED\tFILE", all, func(i api.Import) string {
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s", i.ID, day(i.CreatedAt), i.CreatedBy.Name, importStatus(&i), i.Rows, i.Created, i.Rejected, i.FileName)
	})
}

// importStatus is how an import stands: a dry run is no import.
func importStatus(i *api.Import) string {
	status := job.Status(i.Status)
	switch {
	case status == job.Queued:
		return "uploaded"
	case i.Reverting && status == job.Running:
		return "reverting"
	case i.DryRun && status == job.Running:
		return "checking"
	case i.DryRun && status == job.Completed:
		return "checked"
	}
	return i.Status
}

type importRejected struct {
	apiFlags     `prefix:""`
	languageFlag `prefix:""`
	ID           uuid.UUID `arg:"" help:"The import, see 'import list'."`
	File         string    `arg:"" optional:"" help:"Where to put them; - for standard output. One that ends in .csv or .xlsx gets that format, another one that of the upload. Default: rejected-ID with the ending of the upload."`
	Force        bool      `help:"Overwrite the file if it is there."`
}

// Run saves the refused rows.
func (c *importRejected) Run(env *environment) error {
	client, err := c.client(c.locale())
	if err != nil {
		return err
	}
	i, err := client.importOf(env.ctx, c.ID)
	if err != nil {
		return err
	}
	if i.Rejected == 0 {
		return fmt.Errorf("no row of %s was refused", i.FileName)
	}
	if c.File == "" {
		c.File = "rejected-" + i.ID.String() + "." + i.Format
	}
	if err := vacant(c.File, c.Force); err != nil {
		return err
	}
	if err := client.saveRejected(env, i.ID, c.File, c.Force); err != nil {
		return err
	}
	if c.File != stdoutName {
		fmt.Fprintf(env.stdout, "%s: %s refused. Mend what is said in the last column, and then: customercenter import %s\n", c.File, howMany(i.Rejected, "row"), quoted(c.File))
	}
	return nil
}

type importCancel struct {
	apiFlags     `prefix:""`
	languageFlag `prefix:""`
	ID           uuid.UUID `arg:"" help:"The import, see 'import list'."`
	JSON         bool      `help:"The import as it is now, as the API tells it."`
}

// Run cancels the import.
func (c *importCancel) Run(env *environment) error {
	client, err := c.client(c.locale())
	if err != nil {
		return err
	}
	var i api.Import
	if _, err := client.ask(env.ctx, http.MethodPost, importPath(c.ID, "/cancel"), nil, &i); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(env.stdout).Encode(&i)
	}
	if i.DryRun || i.Created == 0 {
		fmt.Fprintln(env.stdout, "Canceled. Nobody was imported.")
		return nil
	}
	fmt.Fprintf(env.stdout, "Canceled after %s of %s rows. %s stay; to take them back: customercenter import revert %s\n",
		grouped(i.Progress.Done), grouped(i.Progress.Total), howMany(i.Created, "customer"), i.ID)
	return nil
}

type importRevert struct {
	apiFlags     `prefix:""`
	languageFlag `prefix:""`
	ID           uuid.UUID `arg:"" help:"The import, see 'import list'."`
	Yes          bool      `short:"y" help:"Do not ask."`
	Wait         bool      `help:"Wait for the end." default:"true" negatable:""`
	JSON         bool      `help:"The import as it is in the end, as the API tells it."`
}

// Run has the customers of the import taken back.
func (c *importRevert) Run(env *environment) error {
	if err := mayAsk(c.Yes, "--yes to take it back"); err != nil {
		return err
	}
	client, err := c.client(c.locale())
	if err != nil {
		return err
	}
	i, err := client.importOf(env.ctx, c.ID)
	if err != nil {
		return err
	}
	if !c.Yes && i.Created > i.Withdrawn && !env.confirm(fmt.Sprintf("Take back %s of %s, uploaded %s? That cannot be undone.", howMany(i.Created-i.Withdrawn, "customer"), i.FileName, day(i.CreatedAt))) {
		return errors.New("nobody was taken back")
	}
	position, err := client.ask(env.ctx, http.MethodPost, importPath(c.ID, "/revert"), nil, i)
	if err != nil {
		return err
	}
	s := &sight{env: env, client: client, flags: &importFlags{JSON: c.JSON}, now: i}
	if !c.Wait {
		if c.JSON {
			return json.NewEncoder(env.stdout).Encode(i)
		}
		fmt.Fprintf(env.stdout, "Started. To follow it: customercenter import watch %s\n", i.ID)
		return nil
	}
	err = s.follow(position, func(i *api.Import) bool {
		return job.Status(i.Status) == job.Reverted || i.Reverting && job.Status(i.Status) == job.Failed
	})
	if err != nil {
		return env.interrupted(err, s.goesOn())
	}
	return s.end()
}

type importWatch struct {
	apiFlags     `prefix:""`
	languageFlag `prefix:""`
	ID           uuid.UUID `arg:"" help:"The import, see 'import list'."`
	JSON         bool      `help:"The import as it is in the end, as the API tells it."`
}

// Run follows the import.
func (c *importWatch) Run(env *environment) error {
	client, err := c.client(c.locale())
	if err != nil {
		return err
	}
	i, err := client.importOf(env.ctx, c.ID)
	if err != nil {
		return err
	}
	s := &sight{env: env, client: client, flags: &importFlags{JSON: c.JSON}, now: i}
	if err := s.follow(0, func(*api.Import) bool { return true }); err != nil {
		return env.interrupted(err, s.goesOn())
	}
	return s.end()
}

// importOf asks for one import.
func (c *client) importOf(ctx context.Context, id uuid.UUID) (*api.Import, error) {
	i := &api.Import{}
	_, err := c.ask(ctx, http.MethodGet, importPath(id, ""), nil, i)
	return i, err
}
