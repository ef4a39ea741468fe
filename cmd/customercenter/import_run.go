package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/google/uuid"

	"customercenter/api"
	"customercenter/domain/imports"
	"customercenter/domain/job"
)

// importFlags say how an import is gone about.
type importFlags struct {
	apiFlags     `prefix:""`
	languageFlag `prefix:""`
	DryRun       bool   `help:"Only say what each row would do. The file stays uploaded: 'import start' imports it."`
	Check        bool   `help:"Say first what each row would do, and ask. Without, it is imported at once." default:"true" negatable:""`
	Yes          bool   `short:"y" help:"Do not ask: import the rows that nothing is wrong with."`
	Rejected     string `help:"Put the refused rows there, with the reasons. One that ends in .csv or .xlsx gets that format, another one that of the upload." placeholder:"FILE"`
	Force        bool   `help:"Overwrite that file if it is there."`
	Wait         bool   `help:"Wait for the end." default:"true" negatable:""`
	JSON         bool   `help:"The import as it is in the end, as the API tells it, with the first refused rows as refused_rows."`
}

// ready refuses what would end badly later.
func (f *importFlags) ready() error {
	switch {
	case f.DryRun && !f.Check:
		return usageError{"--dry-run checks, and --no-check does not: leave one away"}
	case f.Rejected != "" && !f.Wait && !f.DryRun:
		return usageError{"--rejected needs the end of the import: leave --no-wait away, or get them later with 'import rejected'"}
	case f.Rejected == stdoutName:
		return usageError{"--rejected takes the name of a file; 'import rejected ID -' writes to standard output"}
	}
	if f.Rejected != "" {
		if err := vacant(f.Rejected, f.Force); err != nil {
			return err
		}
	}
	return mayAsk(f.Yes || f.DryRun || !f.Check, "--yes to import the rows that nothing is wrong with, or --dry-run to learn first what would happen")
}

// mayAsk refuses when there is nobody to ask.
func mayAsk(yes bool, otherwise string) error {
	if yes || isTerminal(os.Stdin) {
		return nil
	}
	return usageError{"there is nobody to ask, as standard input is no terminal: add " + otherwise}
}

type importRun struct {
	importFlags
	CreateTags bool   `help:"Create tags that do not exist yet, instead of refusing the row."`
	File       string `arg:"" help:"An xlsx made from the template, or a csv with its headings; up to 100,000 rows and 20 MiB." type:"existingfile"`
}

// Help is what --help says besides the flags.
func (importRun) Help() string {
	return `The file is uploaded, and every row is checked. You see how many rows would create a customer and which would be refused, and are asked whether to go on. Then every row that nothing is wrong with creates a customer, and the others are refused.

Exit status: 0 when all rows went in (or would, with --dry-run), 3 when some were refused and all others went in, 2 for a wrong command line, 1 for everything else; a no and an interruption too.

Ctrl-C interrupts this command, not the server. Before the import was started nobody is imported; 'import start ID' goes on with what is uploaded. Once it was started it goes on by itself: 'import watch ID' follows it again, 'import cancel ID' stops it, 'import revert ID' takes it back. Which one of these applies, with the ID, is said.`
}

// Run imports the file.
func (c *importRun) Run(env *environment) error {
	if err := c.ready(); err != nil {
		return err
	}
	client, err := c.client(c.locale())
	if err != nil {
		return err
	}
	file, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer file.Close()
	about, err := file.Stat()
	switch {
	case err != nil:
		return err
	case !about.Mode().IsRegular():
		return usageError{fmt.Sprintf("%s is no regular file", c.File)}
	case about.Size() > imports.MaxBytes:
		return fmt.Errorf("%s has %s, and a file to import may have %s: split it", about.Name(), size(about.Size()), size(imports.MaxBytes))
	}
	s := &sight{env: env, client: client, flags: &c.importFlags, now: &api.Import{}}
	position, err := s.upload(file, about.Size(), map[string]string{"create_tags": fmt.Sprint(c.CreateTags), "dry_run": fmt.Sprint(c.Check)})
	if err != nil {
		return env.interrupted(err, "Nobody was imported.")
	}
	return s.through(position)
}

type importStart struct {
	importFlags
	ID uuid.UUID `arg:"" help:"The import, see 'import list'."`
}

// Run imports what is uploaded.
func (c *importStart) Run(env *environment) error {
	if err := c.ready(); err != nil {
		return err
	}
	client, err := c.client(c.locale())
	if err != nil {
		return err
	}
	s := &sight{env: env, client: client, flags: &c.importFlags, now: &api.Import{Job: api.Job{ID: c.ID}}}
	var position int64
	if c.Check {
		if position, err = s.start(true); err != nil {
			return err
		}
	}
	return s.through(position)
}

// sight keeps an import in sight.
type sight struct {
	env     *environment
	client  *client
	flags   *importFlags
	now     *api.Import     // as it was last heard of
	refused []api.ImportRow // the first ones
	told    int             // how many were refused when they were shown
}

// refusedMost is how many refused rows are shown.
const refusedMost = 10

func (s *sight) upload(file *os.File, bytes int64, fields map[string]string) (position int64, err error) {
	bar := s.env.progress("Uploading", size, "")
	defer bar.end()
	return s.client.upload(s.env.ctx, "/v1/imports", file, bytes, fields, func(done int64) {
		if done == bytes {
			bar.label = "Uploaded, and being read"
		}
		if bytes >= 1<<20 { // a smaller one is there before anybody looks
			bar.set(done, bytes)
		}
	}, s.now)
}

// start starts the import, or the check.
func (s *sight) start(dryRun bool) (position int64, err error) {
	return s.client.ask(s.env.ctx, http.MethodPost, importPath(s.now.ID, "/start"), api.StartInput{DryRun: dryRun}, s.now)
}

// through sees an import through: what each row would do, a question, and the import itself. position is of the start of the check.
func (s *sight) through(position int64) error {
	waits := fmt.Sprintf("Nobody was imported. The file stays uploaded; to go on: customercenter import start %s", s.now.ID)
	if s.flags.Check {
		if err := s.follow(position, func(i *api.Import) bool { return i.DryRun }); err != nil {
			return s.env.interrupted(err, waits)
		}
		if s.flags.DryRun || job.Status(s.now.Status) != job.Completed || s.now.Created == 0 {
			return s.end()
		}
		if err := s.look(); err != nil {
			return s.env.interrupted(err, waits)
		}
		s.tell()
		if !s.flags.Yes && !s.env.confirm(fmt.Sprintf("Import %s?", howMany(s.now.Created, "customer"))) {
			return s.env.interrupted(errors.New("not started"), waits)
		}
	}
	position, err := s.start(false)
	if errors.As(err, new(*problem)) {
		return err
	}
	if err != nil {
		return s.env.interrupted(err, "Whether it was started says: customercenter import list")
	}
	if !s.flags.Wait {
		if s.flags.JSON {
			return json.NewEncoder(s.env.stdout).Encode(s.now)
		}
		fmt.Fprintf(s.env.stdout, "Started as %s. To follow it: customercenter import watch %[1]s\n", s.now.ID)
		return nil
	}
	if err := s.follow(position, func(i *api.Import) bool { return !i.DryRun }); err != nil {
		return s.env.interrupted(err, s.goesOn())
	}
	return s.end()
}

func (s *sight) goesOn() string {
	text := fmt.Sprintf("The server goes on with it. To follow it: customercenter import watch %s", s.now.ID)
	if s.now.Reverting { // that cannot be stopped
		return text
	}
	return text + fmt.Sprintf("\nTo stop it: customercenter import cancel %s", s.now.ID)
}

// follow shows how it goes on until the end that is meant.
func (s *sight) follow(after int64, meant func(*api.Import) bool) error {
	label := "Importing"
	switch {
	case s.now.Reverting:
		label = "Reverting"
	case s.now.DryRun:
		label = "Checking"
	}
	bar := s.env.progress(label, grouped, " rows")
	defer bar.end()
	end, err := s.client.follow(s.env.ctx, s.now.ID, after, listener{
		told:   func(j *api.AnyJob) { bar.set(j.Import.Progress.Done, j.Import.Progress.Total) },
		broken: func() { bar.note("The server cannot be reached. Trying again ...") },
		ended:  func(j *api.AnyJob) bool { return meant(j.Import) },
	})
	if err == nil {
		s.now = end.Import
	}
	return err
}

// look gets the first of the rows that were refused.
func (s *sight) look() (err error) {
	s.refused = nil
	if s.now.Rejected > 0 {
		s.refused, err = list[api.ImportRow](s.env.ctx, s.client, importPath(s.now.ID, "/rows"), url.Values{"outcome": {"rejected"}}, refusedMost)
	}
	return err
}

// tell says what became of the rows, or would.
func (s *sight) tell() {
	if s.flags.JSON {
		return
	}
	i, out := s.now, s.env.stdout
	refused := "no row"
	if i.Rejected > 0 {
		refused = howMany(i.Rejected, "row")
	}
	would := ""
	if i.DryRun {
		would = "would be "
	}
	fmt.Fprintf(out, "%s: %s %screated, %s %[3]srefused.\n", i.FileName, howMany(i.Created, "customer"), would, refused)
	if s.told == i.Rejected { // there are none, or they are known
		return
	}
	s.told = i.Rejected
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "\n  ROW\tCOLUMN\tWHY")
	for _, r := range s.refused {
		fmt.Fprintf(w, "  %d\t%s\t%s\n", r.Row, r.Column, r.Detail)
	}
	_ = w.Flush() // as with all that is printed, nobody would hear of it
	if more := i.Rejected - len(s.refused); more > 0 {
		fmt.Fprintf(out, "  and %s more\n", grouped(int64(more)))
	}
	fmt.Fprintln(out)
}

// end says how the import has ended, saves the refused rows, and returns what the exit status tells.
func (s *sight) end() error {
	i := s.now
	completed := job.Status(i.Status) == job.Completed
	if completed {
		if err := s.look(); err != nil {
			return err
		}
		s.tell()
	}
	saved := ""
	if completed && i.Rejected > 0 && s.flags.Rejected != "" {
		if err := s.client.saveRejected(s.env, i.ID, s.flags.Rejected, s.flags.Force); err != nil {
			return err
		}
		saved = s.flags.Rejected
	}
	if s.flags.JSON {
		if err := json.NewEncoder(s.env.stdout).Encode(struct {
			*api.Import
			RefusedRows  []api.ImportRow `json:"refused_rows,omitempty"`
			RejectedFile string          `json:"rejected_file,omitempty"`
		}{i, s.refused, saved}); err != nil {
			return err
		}
	} else {
		s.advise(saved)
	}
	so := fmt.Sprintf("after %s of %s, with %s created", grouped(i.Progress.Done), howMany(int(i.Progress.Total), "row"), howMany(i.Created, "customer"))
	switch {
	case job.Status(i.Status) == job.Failed:
		return fmt.Errorf("%s failed %s: %s (%s)", i.FileName, so, i.Detail, i.Code)
	case job.Status(i.Status) == job.Canceled:
		return fmt.Errorf("%s was canceled %s", i.FileName, so)
	case completed && i.Rejected > 0:
		return refusedRows(i.Rejected)
	}
	return nil
}

// advise says what can be done next.
func (s *sight) advise(saved string) {
	i, out := s.now, s.env.stdout
	status := job.Status(i.Status)
	if status == job.Completed && i.Rejected > 0 {
		if saved == "" {
			fmt.Fprintf(out, "To get the refused rows with the reasons, mend them and import them: customercenter import rejected %s\n", i.ID)
		} else {
			fmt.Fprintf(out, "The refused rows are in %s. Mend what is said in the last column, and then: customercenter import %s\n", saved, quoted(saved))
		}
	}
	switch {
	case status == job.Queued:
		fmt.Fprintf(out, "%s is uploaded and waits. To import it: customercenter import start %s\n", i.FileName, i.ID)
	case status == job.Reverted:
		fmt.Fprintf(out, "%s: %s taken back.", i.FileName, howMany(i.Withdrawn, "customer"))
		if i.Kept > 0 {
			fmt.Fprintf(out, " %s stay, as something has happened to them since; the API lists them under %s.", grouped(int64(i.Kept)), importPath(i.ID, "/kept"))
		}
		fmt.Fprintln(out)
	case i.DryRun && status == job.Completed && i.Created > 0:
		fmt.Fprintf(out, "Nobody was imported. To import %s: customercenter import start %s\n", howMany(i.Created, "customer"), i.ID)
	case i.DryRun:
		fmt.Fprintln(out, "Nobody was imported.")
	case i.Created > 0:
		fmt.Fprintf(out, "To take it back: customercenter import revert %s\n", i.ID)
	}
}

func importPath(id uuid.UUID, what string) string { return "/v1/imports/" + id.String() + what }

// saveRejected saves the rows that were refused, in the format that the file's name asks for.
func (c *client) saveRejected(env *environment, id uuid.UUID, file string, force bool) error {
	query := url.Values{}
	switch filepath.Ext(file) {
	case ".csv", ".xlsx":
		query.Set("format", filepath.Ext(file)[1:])
	}
	_, err := c.save(env, importPath(id, "/rejected?"+query.Encode()), file, force)
	return err
}
