// Command customercenter is the whole product: the servers, and the tools of operators and analysts.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // tenants have time zones, and not every machine has the list

	"github.com/alecthomas/kong"
)

// Exit codes.
const (
	exitFailed  = 1
	exitUsage   = 2
	exitRefused = 3 // it is done, but for rows that were refused
)

// cli is the command line. Every flag has an environment variable: CUSTOMERCENTER_ and its name.
type cli struct {
	LogLevel slog.Level `help:"What to log: debug, info, warn or error. Logs hold ids, types and positions, never personal data." default:"info"`

	Up          upCommand          `cmd:"" help:"Run everything here: NATS in the process, a private Postgres, API and workers."`
	Serve       serveCommand       `cmd:"" help:"Run some of the parts against DATABASE_URL and NATS_URL."`
	Migrate     migrateCommand     `cmd:"" help:"Bring the database to the version of this program. Safe to run several at once."`
	Tenant      tenantCommand      `cmd:"" help:"Create and list tenants."`
	Token       tokenCommand       `cmd:"" help:"Create, list and revoke tokens."`
	SignInLink  signInLinkCommand  `cmd:"" help:"Print a link that signs somebody in to the pages, once."`
	Simulate    simulateCommand    `cmd:"" help:"Send realistic, seeded channel traffic through NATS."`
	Channel     channelCommand     `cmd:"" help:"Play a channel: send what customers write, hear what is sent to them."`
	Import      importCommand      `cmd:"" help:"Import customers from a spreadsheet: check every row, ask, create; list, cancel and revert imports."`
	Export      exportCommand      `cmd:"" help:"Get a spreadsheet of the customers who match a filter."`
	Customers   customersCommand   `cmd:"" help:"Get all that is known of a customer."`
	Events      eventsCommand      `cmd:"" help:"Print the events of a tenant's log as JSON lines."`
	Diff        diffCommand        `cmd:"" help:"Compare the customers at two times: who appeared, who changed what, who went from which group to which."`
	Whatif      whatIfCommand      `cmd:"" help:"Tell what a rule of a group would have done, had it been there in the past."`
	Projections projectionsCommand `cmd:"" help:"Show, rebuild, switch and repair read models."`
	Replay      replayCommand      `cmd:"" help:"Build the read models as they were at a moment, into a schema for SQL; list and drop those."`
	Dead        deadCommand        `cmd:"" help:"List channel events that could not be taken, and send them again."`
	Relay       relayCommand       `cmd:"" help:"Show how far the log has been carried to NATS; refill the event stream."`
	Backup      backupCommand      `cmd:"" help:"Dump what cannot be made again: the log and the settings, and apart from them the customers' keys."`
	Restore     restoreCommand     `cmd:"" help:"Put a backup into an empty database."`
	Keys        keysCommand        `cmd:"" help:"Replace the master key while everything runs, and show what is wrapped by which."`
	Doctor      doctorCommand      `cmd:"" help:"Check everything that has to work, and say how to mend what does not."`
	Health      healthCommand      `cmd:"" help:"Ask a process of this machine whether it is ready; for the health checks of containers."`
	Bench       benchCommand       `cmd:"" help:"Measure speed beside raw Postgres and NATS in the same run."`
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// environment is what every command gets.
type environment struct {
	ctx    context.Context
	stdout io.Writer
	stderr io.Writer
	log    *slog.Logger
}

// run carries out one command line and returns its exit code. SIGINT and SIGTERM end its context; a second one ends the process.
func run(args []string, stdout, stderr io.Writer) int {
	var c cli
	parser, err := kong.New(&c, kong.Name("customercenter"), kong.UsageOnError(), kong.DefaultEnvars("CUSTOMERCENTER"), kong.Writers(stdout, stderr),
		kong.Description("A customer center (客户中心) that forgets nothing: channel messages become customers and sessions; every answer can be replayed."),
		kong.Exit(func(code int) { panic(exit(code)) }))
	if err != nil {
		fmt.Fprintln(stderr, "customercenter:", err)
		return exitFailed
	}
	return guarded(func() int {
		command, err := parser.Parse(args)
		if err != nil {
			fmt.Fprintf(stderr, "customercenter: %s\nTry: customercenter --help\n", hushed(err.Error()))
			return exitUsage
		}
		if err := exposed(command); err != nil {
			fmt.Fprintln(stderr, "customercenter:", err)
			return exitUsage
		}
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		context.AfterFunc(ctx, stop) // the second signal is not ours any more
		env := &environment{ctx: ctx, stdout: stdout, stderr: stderr, log: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: c.LogLevel, ReplaceAttr: hush}))}
		slog.SetDefault(env.log)
		if err := command.Run(env); err != nil && !(errors.Is(err, context.Canceled) && ctx.Err() != nil) {
			fmt.Fprintln(stderr, "customercenter:", hushed(err.Error()))
			switch {
			case errors.As(err, new(usageError)):
				return exitUsage
			case errors.As(err, new(refusedRows)):
				return exitRefused
			}
			return exitFailed
		}
		return 0
	})
}

// exit is what kong's own exits (--help) panic with, so that run stays a function that returns.
type exit int

func guarded(f func() int) (code int) {
	defer func() {
		if p := recover(); p != nil {
			e, ok := p.(exit)
			if !ok {
				panic(p)
			}
			code = int(e)
		}
	}()
	return f()
}

// usageError is a mistake in the command line that the parser cannot see.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

// refusedRows is how many rows of an import were refused, while all others went in.
type refusedRows int

func (n refusedRows) Error() string { return howMany(int(n), "row") + " refused" }
