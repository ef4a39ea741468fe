package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"customercenter/api"
	"customercenter/domain/job"
)

// exportCommand makes files of customers, and looks after them.
type exportCommand struct {
	Run      exportRun      `cmd:"" default:"withargs" help:"Have a file made, and get it. The default: 'export' is 'export run'."`
	List     exportList     `cmd:"" help:"List the exports, the newest first."`
	Download exportDownload `cmd:"" help:"Get the file of an export; wait for it, if it is not made yet."`
	Cancel   exportCancel   `cmd:"" help:"Stop an export that is not made yet."`
}

// outputFlags say where a file goes.
type outputFlags struct {
	Output string `short:"o" help:"Where to put the file: a name, a directory, or - for standard output. Default: the server's name for it, here." placeholder:"FILE"`
	Force  bool   `help:"Overwrite the file if it is there."`
	JSON   bool   `help:"The export as the API tells it, with the name of the file as saved_as."`
}

// ready refuses what would end badly later.
func (f *outputFlags) ready() error {
	switch {
	case f.Output == stdoutName && f.JSON:
		return usageError{"with -o - the file goes to standard output, so --json cannot"}
	case f.Output == "" || f.inDirectory():
		return nil
	}
	return vacant(f.Output, f.Force)
}

func (f *outputFlags) inDirectory() bool {
	at, err := os.Stat(f.Output)
	return err == nil && at.IsDir()
}

// name is where a file goes that the server calls so.
func (f *outputFlags) name(called string) string {
	switch {
	case f.Output == "":
		return filepath.Base(called)
	case f.inDirectory():
		return filepath.Join(f.Output, filepath.Base(called))
	}
	return f.Output
}

type exportRun struct {
	apiFlags     `prefix:""`
	languageFlag `prefix:""`
	outputFlags
	Filter  string   `help:"Who, in the filter language, as JSON; see docs/filters.md. Default: everybody." placeholder:"JSON"`
	Sort    string   `help:"In which order: a field, - before it for descending, as in the list of customers. Default: -created_at." placeholder:"FIELD"`
	Columns []string `help:"Which columns, in this order, as those of saved views; custom fields as custom.KEY. Default: the fields that are shown, tags and times." placeholder:"FIELD,..."`
	Format  string   `help:"csv or xlsx. Default: by the ending of --output, else csv." enum:"csv,xlsx," default:"" placeholder:"FORMAT"`
}

// Help is what --help says besides the flags.
func (exportRun) Help() string {
	return `All that is in the file was so at one moment. It may have 50 MiB, can be had again for 7 days with 'export download ID', and who got it is recorded. It is readable for you alone, and overwrites nothing.

Ctrl-C interrupts this command, not the server, which goes on to make the file: get it with 'export download ID', or stop it with 'export cancel ID'.`
}

// Run has a file made, and gets it.
func (c *exportRun) Run(env *environment) error {
	if c.Filter != "" && !json.Valid([]byte(c.Filter)) {
		return usageError{"--filter is not JSON. In a shell it stands between single quotes"}
	}
	if err := c.ready(); err != nil {
		return err
	}
	client, err := c.client(c.locale())
	if err != nil {
		return err
	}
	wanted := api.ExportInput{Filter: json.RawMessage(c.Filter), Sort: c.Sort, Columns: c.Columns, Format: c.Format, Language: c.locale()}
	if wanted.Format == "" && strings.EqualFold(filepath.Ext(c.Output), ".xlsx") {
		wanted.Format = "xlsx"
	}
	e := &api.Export{}
	position, err := client.ask(env.ctx, http.MethodPost, "/v1/exports", wanted, e)
	switch {
	case env.ctx.Err() != nil:
		return env.interrupted(err, "Whether a file is made all the same says: customercenter export list")
	case err != nil:
		return err
	}
	return client.export(env, e, position, &c.outputFlags)
}

type exportDownload struct {
	apiFlags     `prefix:""`
	languageFlag `prefix:""`
	outputFlags
	ID uuid.UUID `arg:"" help:"The export, see 'export list'."`
}

// Run gets the file.
func (c *exportDownload) Run(env *environment) error {
	if err := c.ready(); err != nil {
		return err
	}
	client, err := c.client(c.locale())
	if err != nil {
		return err
	}
	e := &api.Export{}
	if _, err := client.ask(env.ctx, http.MethodGet, exportPath(c.ID, ""), nil, e); err != nil {
		return err
	}
	return client.export(env, e, 0, &c.outputFlags)
}

// export waits for the file of an export, and gets it.
func (c *client) export(env *environment, e *api.Export, after int64, to *outputFlags) error {
	again := fmt.Sprintf("To get the file: customercenter export download %s", e.ID)
	name := to.name(e.FileName)
	if err := vacant(name, to.Force); err != nil {
		return fmt.Errorf("%w\n%s", err, again)
	}
	e, err := c.made(env, e, after)
	if err != nil {
		return env.interrupted(err, fmt.Sprintf("The server goes on to make the file. %s\nTo stop it: customercenter export cancel %s", again, e.ID))
	}
	switch job.Status(e.Status) {
	case job.Failed:
		return fmt.Errorf("%s (%s)", e.Detail, e.Code)
	case job.Canceled:
		return errors.New("the export was canceled, so there is no file")
	}
	got, err := c.save(env, exportPath(e.ID, "/file"), name, to.Force)
	if err != nil {
		return err
	}
	if to.JSON {
		return json.NewEncoder(env.stdout).Encode(struct {
			*api.Export
			SavedAs string `json:"saved_as"`
		}{e, name})
	}
	text := fmt.Sprintf("%s, %s.%s\n", howMany(e.Rows, "row"), size(got), untilWhen(e))
	if name == stdoutName {
		_, err = io.WriteString(env.stderr, text)
	} else {
		_, err = io.WriteString(env.stdout, name+": "+text)
	}
	return err
}

// made waits until the file is made, or will not be. After an error it returns the export all the same.
func (c *client) made(env *environment, e *api.Export, after int64) (*api.Export, error) {
	bar := env.progress("Exporting", grouped, " rows")
	defer bar.end()
	end, err := c.follow(env.ctx, e.ID, after, listener{
		told:   func(j *api.AnyJob) { bar.set(j.Export.Progress.Done, j.Export.Progress.Total) },
		broken: func() { bar.note("The server cannot be reached. Trying again ...") },
		ended:  func(*api.AnyJob) bool { return true },
	})
	if err != nil {
		return e, err
	}
	return end.Export, nil
}

func untilWhen(e *api.Export) string {
	if e.ExpiresAt == nil {
		return ""
	}
	return fmt.Sprintf(" Until %s it can be had again: customercenter export download %s", minute(*e.ExpiresAt), e.ID)
}

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

func exportPath(id uuid.UUID, what string) string { return "/v1/exports/" + id.String() + what }

type exportList struct {
	apiFlags     `prefix:""`
	languageFlag `prefix:""`
	Limit        int  `help:"At most so many." default:"20"`
	JSON         bool `help:"One JSON object a line, as the API tells it."`
}

// Run lists the exports.
func (c *exportList) Run(env *environment) error {
	client, err := c.client(c.locale())
	if err != nil {
		return err
	}
	all, err := list[api.Export](env.ctx, client, "/v1/exports", url.Values{}, max(c.Limit, 1))
	if err != nil {
		return err
	}
	if len(all) == 0 && !c.JSON {
		fmt.Fprintln(env.stdout, "There are none.")
		return nil
	}
	return table(env.stdout, c.JSON, "ID\tASKED FOR\tBY\tSTATUS\tROWS\tSIZE\tUNTIL\tFORMAT\tWHO", all, func(e api.Export) string {
		status, until := e.Status, "-"
		if e.Expired {
			status = "expired"
		} else if e.ExpiresAt != nil {
			until = day(*e.ExpiresAt)
		}
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s", e.ID, day(e.CreatedAt), e.CreatedBy.Name, status, e.Rows, size(e.Bytes), until, e.Format, e.Description)
	})
}

type exportCancel struct {
	apiFlags     `prefix:""`
	languageFlag `prefix:""`
	ID           uuid.UUID `arg:"" help:"The export, see 'export list'."`
	JSON         bool      `help:"The export as it is now, as the API tells it."`
}

// Run cancels the export.
func (c *exportCancel) Run(env *environment) error {
	client, err := c.client(c.locale())
	if err != nil {
		return err
	}
	e := &api.Export{}
	if _, err := client.ask(env.ctx, http.MethodPost, exportPath(c.ID, "/cancel"), nil, e); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(env.stdout).Encode(e)
	}
	_, err = io.WriteString(env.stdout, "Canceled. There is no file.\n")
	return err
}
