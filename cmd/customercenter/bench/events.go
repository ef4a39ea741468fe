package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"

	"customercenter/api"
	"customercenter/api/access"
	"customercenter/cmd/customercenter/eventfiles"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// Events measures how fast a log is read through the API, as JSON lines and into Parquet files, against COPY of the same events out of Postgres, which
// neither opens sealed fields nor asks who may see them; and what people who write to the tenant notice of it.
type Events struct {
	URL    string // of an empty database; it is migrated
	Rounds int
	Each   time.Duration // a fifth of how long the quiet is measured in a round
	Events int           // about so many has the log
	// Program is customercenter, whose `events --parquet` writes the files in a process of its own, which has what others leave of the machine that it shares with
	// them; empty: this process writes them.
	Program string
}

type eventsBench struct {
	Events
	bystanders
	head   int64
	server *httptest.Server
	token  string
}

// Run prints some lines.
func (e Events) Run(ctx context.Context, report *Report) error {
	b := &eventsBench{Events: e}
	p, err := connectPlant(ctx, e.URL, "bench")
	if err != nil {
		return err
	}
	defer p.close()
	b.bystanders = bystanders{plant: p, association: 1}
	if err := b.fill(ctx); err != nil {
		return err
	}
	if err := b.serve(ctx); err != nil {
		return err
	}
	defer b.server.Close()
	report.Heading("events: a log of %d events; baseline: COPY of the table to nowhere", b.head)
	var copied, lines, files []float64
	var written wrote
	for range e.Rounds {
		for _, part := range []struct {
			rates *[]float64
			read  func(context.Context) error
		}{{&copied, b.copy}, {&lines, b.lines}, {&files, func(ctx context.Context) (err error) {
			written, err = b.files(ctx)
			return err
		}}} {
			began := time.Now()
			if err := part.read(ctx); err != nil {
				return err
			}
			*part.rates = append(*part.rates, float64(b.head)/time.Since(began).Seconds())
		}
	}
	bare := Median(copied)
	report.Print(Line{Case: "events as JSON lines", Unit: "events/s", Value: Median(lines)}.Against(bare))
	report.Print(Line{Case: "events as Parquet", Unit: "events/s", Value: Median(files),
		Note: fmt.Sprintf("%.1f MB, %.0f bytes an event%s", float64(written.bytes)/1e6, float64(written.bytes)/float64(b.head), written.memory)}.Against(bare))
	return b.noticed(ctx, report)
}

// noticed prints how long commands take while events are read, against quiet. They take turns, as a disk is not every minute as fast.
func (b *eventsBench) noticed(ctx context.Context, report *Report) error {
	parts := []struct {
		name    string
		do      func(context.Context) error
		took    []time.Duration
		elapsed time.Duration
	}{
		{name: "quiet", do: func(ctx context.Context) error { return rest(ctx, 5*b.Each) }},
		{name: "JSON lines", do: b.lines},
		{name: "Parquet", do: func(ctx context.Context) error { _, err := b.files(ctx); return err }},
	}
	for range b.Rounds {
		for i := range parts {
			part, began := &parts[i], time.Now()
			took, err := b.beside(ctx, part.do)
			if err != nil {
				return err
			}
			part.took, part.elapsed = append(part.took, took...), part.elapsed+time.Since(began)
		}
	}
	quiet := parts[0].took
	for _, part := range parts[1:] {
		report.Print(Line{Case: "events commands during " + part.name + ": p99", Unit: "ms", Value: Percentile(part.took, 99),
			Note: fmt.Sprintf("%d commands at %d/s, %.0f events/s; baseline: %d in quiet, p50 %.2f ms", len(part.took), commandsBeside,
				float64(b.Rounds)*float64(b.head)/part.elapsed.Seconds(), len(quiet), Percentile(quiet, 50)),
		}.Against(Percentile(quiet, 99)).Latency(part.took))
	}
	return nil
}

// fill loads a year of the life of so many customers that they make about as many events.
func (b *eventsBench) fill(ctx context.Context) error {
	const perCustomer = 8
	if err := b.plant.begin(ctx); err != nil {
		return err
	}
	secret, err := b.plant.store.Secret(ctx, b.plant.tenant)
	if err != nil {
		return err
	}
	y, err := newYear(secret, max(b.Events.Events/perCustomer, 1), time.Now().UTC().Truncate(time.Second))
	if err != nil {
		return err
	}
	if err := b.plant.store.Load(ctx, b.plant.tenant, y.log(), nil); err != nil || y.err != nil {
		return errors.Join(err, y.err)
	}
	if err := b.plant.settle(ctx); err != nil {
		return err
	}
	b.head, err = b.plant.store.Head(ctx, b.plant.tenant)
	return err
}

// serve starts the API.
func (b *eventsBench) serve(ctx context.Context) error {
	store, silent := b.plant.store, slog.New(slog.DiscardHandler)
	engine, err := projector.New(projector.Config{Store: store, Definitions: projections.Definitions(), Log: silent})
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	catalogues := projections.NewCatalogues(store)
	groups := projections.NewGroups(store, engine, catalogues)
	tokens := access.NewTokens(b.plant.pool, time.Now, store.Secret)
	if b.token, _, err = tokens.Create(ctx, access.New{Tenant: b.plant.tenant, Role: access.Analyst, Actor: "bench", Personal: true}, nil); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	handler := api.New(api.Config{
		Store: store, Center: b.plant.center, Projector: engine, Catalogues: catalogues, Channels: b.plant.handler,
		Customers: projections.NewCustomers(store, engine, catalogues).WithGroups(groups), Groups: groups, Sessions: projections.NewSessions(store, engine),
		Tokens: tokens, Answers: access.NewAnswers(b.plant.pool, time.Now), Log: silent,
	})
	b.server = httptest.NewUnstartedServer(handler)
	b.server.Config = api.Server(handler, silent)
	b.server.Start()
	return nil
}

// copy is the baseline.
func (b *eventsBench) copy(ctx context.Context) error {
	conn, err := b.plant.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer conn.Release()
	if _, err := conn.Conn().PgConn().CopyTo(ctx, io.Discard, fmt.Sprintf(`copy (select * from events where tenant = '%s' and position <= %d order by position) to stdout`,
		b.plant.tenant, b.head)); err != nil {
		return fmt.Errorf("bench: copy: %w", err)
	}
	return nil
}

// lines reads all events as JSON lines.
func (b *eventsBench) lines(ctx context.Context) error {
	return b.eachLine(ctx, func([]byte) error { return nil })
}

func (b *eventsBench) eachLine(ctx context.Context, take func([]byte) error) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/v1/events?to=%d", b.server.URL, b.head), nil)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+b.token)
	answer, err := b.server.Client().Do(r)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer answer.Body.Close()
	n, in := int64(0), bufio.NewScanner(answer.Body)
	in.Buffer(make([]byte, 256<<10), 64<<20)
	for ; in.Scan(); n++ {
		if err := take(in.Bytes()); err != nil {
			return fmt.Errorf("bench: %w", err)
		}
	}
	if in.Err() != nil || n != b.head {
		return errors.Join(in.Err(), fmt.Errorf("bench: %d events of %d, %s", n, b.head, answer.Status))
	}
	return nil
}

// wrote is what files were written, and how much memory that took.
type wrote struct {
	bytes  int64
	memory string
}

// files writes all events into a directory.
func (b *eventsBench) files(ctx context.Context) (w wrote, err error) {
	dir, err := os.MkdirTemp("", "customercenter-bench-"+uuid.NewString())
	if err != nil {
		return w, err
	}
	defer os.RemoveAll(dir)
	if b.Program == "" {
		err = b.filesHere(ctx, dir)
	} else {
		command := exec.CommandContext(ctx, b.Program, "events", "--url", b.server.URL, "--token", b.token, "--to", fmt.Sprint(b.head), "--parquet", dir)
		leave(command)
		var said []byte
		if said, err = command.CombinedOutput(); err != nil {
			err = fmt.Errorf("bench: %w: %s", err, strings.TrimSpace(string(said)))
		}
		if used, is := command.ProcessState.SysUsage().(*syscall.Rusage); is {
			w.memory = fmt.Sprintf("; the process that writes has %d MB at most", used.Maxrss>>10)
		}
	}
	if err != nil {
		return w, err
	}
	return w, filepath.WalkDir(dir, func(_ string, at fs.DirEntry, err error) error {
		if err != nil || !at.Type().IsRegular() {
			return err
		}
		info, err := at.Info()
		if err == nil {
			w.bytes += info.Size()
		}
		return err
	})
}

// leave has a command run when nobody else wants the processor, as docs/analysts.md says; where that cannot be said, with little of it.
func leave(command *exec.Cmd) {
	for _, how := range [][]string{{"chrt", "--idle", "0"}, {"nice"}} {
		if program, err := exec.LookPath(how[0]); err == nil {
			command.Args = append(how, append([]string{command.Path}, command.Args[1:]...)...)
			command.Path = program
			return
		}
	}
}

func (b *eventsBench) filesHere(ctx context.Context, dir string) (err error) {
	d, err := eventfiles.Open(dir, b.plant.tenant, eventfiles.About())
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := b.eachLine(ctx, d.Add); err != nil {
		return err
	}
	return d.Keep()
}
