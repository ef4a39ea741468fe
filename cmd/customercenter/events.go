package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"customercenter/api"
	"customercenter/cmd/customercenter/eventfiles"
	"customercenter/internal/flock"
)

// eventsCommand reads events of the log through the API, which decides what the token may see.
type eventsCommand struct {
	apiFlags `prefix:""`
	From     string   `help:"First position, or the time from which on events were recorded (RFC 3339). Default: the first there is; with --follow, what happens from now on." placeholder:"POSITION"`
	To       string   `help:"Last position, or the time before which events were recorded." placeholder:"POSITION"`
	Type     []string `help:"Only events of these types." placeholder:"TYPE"`
	Stream   string   `help:"Only events of this stream."`
	Customer string   `help:"Only events that concern this customer." placeholder:"UUID"`
	Follow   bool     `short:"f" help:"Go on with what happens, until interrupted."`
	Resume   string   `help:"Begin behind the position in this file, if it is there, and keep in it how far it came." type:"path" placeholder:"FILE"`
	Parquet  string   `help:"Write Parquet files into this directory instead, one or more a day. Run again, it goes on behind the last event there." type:"path" placeholder:"DIR"`
}

// Help is what --help says besides the flags.
func (eventsCommand) Help() string {
	return `One event a line, as JSON, in the order of the log. A connection that breaks is taken up again: nothing is left out, and nothing comes twice. Personal data is in it only if the token allows it.

With --resume FILE, run from cron or restarted by whatever watches it, each run goes on where the last one ended. The position is written after the events, soon: whoever is killed may print the last ones again.

Files of --parquet are readable for you alone. They appear when they are complete and on the disk, up to 64 at a time, and have every event once, however often the command is run, interrupted or killed. They are laid out as tenant=T/day=D/part-FROM-TO.parquet. On the machine of the server, run it under chrt --idle 0 (Linux) or nice. docs/analysts.md has recipes for DuckDB, pandas and ClickHouse.`
}

// Run prints events, or writes files of them.
func (c *eventsCommand) Run(env *environment) error {
	switch {
	case c.Parquet != "" && (c.Follow || c.Resume != ""):
		return usageError{"--parquet goes on by itself where its files end: leave --follow and --resume away, and run it again now and then"}
	case c.Follow && c.To != "":
		return usageError{"with --follow there is no end: leave --to away"}
	}
	client, err := c.client("en")
	if err != nil {
		return err
	}
	query := url.Values{}
	for name, value := range map[string]string{"from": c.From, "to": c.To, "stream": c.Stream, "customer": c.Customer, "type": strings.Join(c.Type, ",")} {
		if value != "" {
			query.Set(name, value)
		}
	}
	read := &logReader{client: client, query: query, live: c.Follow, last: -1,
		broken: func() { fmt.Fprintln(env.stderr, "The server cannot be reached. Trying again ...") }}
	if c.Parquet != "" {
		return c.write(env, read)
	}
	return c.print(env, read)
}

// print prints the events.
func (c *eventsCommand) print(env *environment, read *logReader) (err error) {
	if c.Resume != "" {
		if read.last, read.epoch, err = readPosition(c.Resume); err != nil {
			return err
		}
	}
	out := bufio.NewWriterSize(env.stdout, 64<<10)
	printed, kept := read.last, time.Time{}
	keep := func() error {
		if err := out.Flush(); err != nil || c.Resume == "" || printed < 0 {
			return err
		}
		kept = time.Now()
		return writePosition(c.Resume, printed, read.epoch)
	}
	read.take = func(position int64, line []byte) (err error) {
		if line != nil {
			_, _ = out.Write(line) // an error stays until the next call
			err = out.WriteByte('\n')
		}
		switch printed = position; {
		case err != nil:
		case time.Since(kept) >= time.Second:
			err = keep()
		case read.live:
			err = out.Flush()
		}
		return err
	}
	err = read.read(env.ctx)
	if failed := keep(); failed != nil {
		return failed
	}
	switch {
	case err == nil:
		return nil
	case c.Resume != "" && c.Follow && env.ctx.Err() != nil:
		return nil // interrupted, as it has to be
	case c.Resume != "":
		return env.interrupted(err, "To go on, run it again.")
	case printed < 0:
		return err
	}
	next := fmt.Sprintf("All up to position %d was printed. To go on: --from %d", printed, printed+1)
	if c.Follow && env.ctx.Err() != nil {
		fmt.Fprintln(env.stderr, next)
		return nil
	}
	return env.interrupted(err, next)
}

// write writes files.
func (c *eventsCommand) write(env *environment, read *logReader) (err error) {
	var me api.Me
	if _, err := read.client.ask(env.ctx, http.MethodGet, "/v1/me", nil, &me); err != nil {
		return err
	}
	if me.Tenant == nil {
		return usageError{"an operator's token has no log: take one of a tenant's admin or analyst"}
	}
	personal := "without personal data"
	if me.PersonalData {
		personal = "with personal data"
	}
	about := eventfiles.About("from", c.From, "of the types", strings.Join(c.Type, " "), "of the stream", c.Stream, "of the customer", c.Customer) + ", " + personal
	d, err := eventfiles.Open(c.Parquet, me.Tenant.Slug, about)
	switch {
	case errors.Is(err, flock.ErrLocked):
		return fmt.Errorf("somebody else is writing into %s: %w", c.Parquet, err)
	case errors.Is(err, eventfiles.ErrOther):
		return usageError{fmt.Sprintf("%v, and %s is asked for. Choose another directory", err, about)}
	case err != nil:
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if before := d.Last(); before > 0 {
		read.last, read.epoch = before, d.Epoch
	}
	written, bar := int64(0), env.progress("Writing", grouped, " events")
	defer bar.end()
	read.take = func(position int64, line []byte) error {
		if line == nil {
			return nil
		}
		written++
		bar.set(position, read.end)
		d.Epoch = read.epoch
		return d.Add(line)
	}
	err = read.read(env.ctx)
	if failed := d.Keep(); failed != nil { // what was got is whole events, so it is kept, whatever came then
		return errors.Join(err, failed)
	}
	bar.end()
	if err != nil {
		return env.interrupted(err, fmt.Sprintf("All up to position %d is in %s. To go on, run it again.", d.Last(), c.Parquet))
	}
	_, err = fmt.Fprintf(env.stdout, "%s: %s in %s, up to position %s.\n", c.Parquet, howMany(int(written), "new event"), howMany(d.Files(), "new file"), grouped(d.Last()))
	return err
}

// readPosition reads a file that writePosition has written; -1 if there is none. One with a position alone is of whichever log there is.
func readPosition(name string) (position int64, epoch string, err error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return -1, "", nil
	}
	if err != nil {
		return 0, "", err
	}
	number, epoch, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	position, err = strconv.ParseInt(number, 10, 64)
	if err != nil || position < 0 {
		return 0, "", usageError{fmt.Sprintf("%s holds no position of a log", name)}
	}
	return position, epoch, nil
}

// writePosition replaces the file by one with the position and the epoch of the log, in one step.
func writePosition(name string, position int64, epoch string) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, position, epoch)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
