// Package eventfiles keeps events of a log as Parquet files, which DuckDB, pandas, ClickHouse and others read as they are:
//
//	DIR/tenant=acme/day=2026-11-26/part-000000000001-000000052340.parquet
//
// A file has the events from one position to another that were recorded on one day (UTC). It appears when it is complete and on the disk, to which up to
// wholeParts files go together, so whoever reads sees whole files only, and whoever writes goes on behind the greatest position there is, whatever became of the one who wrote before.
package eventfiles

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"customercenter/internal/flock"
)

const (
	// partRows is the most events that a file has.
	partRows = 1_000_000
	// groupRows is how many rows are a group: what readers read at once, and what is held in memory until it is written.
	groupRows = 100_000
	// flushRows is how many rows are handed to the writer at a time.
	flushRows = 500
	// wholeParts and wholeRows are how many files, or rows in them, are put on the disk at a time. A log of a year has a file for each day, and whoever else
	// waits for the disk, as the database does, notices each time.
	wholeParts = 64
	wholeRows  = 250_000

	aboutKey = "customercenter.about"
	epochKey = "customercenter.epoch"
)

// ErrOther says that the files that are there were written for another question.
var ErrOther = errors.New("eventfiles: the files there are of other events")

// Directory has the files of one tenant. One process at a time writes them. It is not safe for concurrent use.
type Directory struct {
	// Epoch is that of the log of which the events are. Open sets it to that of the last file, if there is one; whoever adds the first event sets it.
	Epoch string

	dir, tenant, about string
	lock               *flock.Lock
	last               int64 // the greatest position in a complete file
	files              int
	part               *part   // being written; nil: none
	whole              []*part // written, and not yet known to be on the disk
	told               told
}

// Open takes the directory for writing, and makes it if need be. about says which events the files have; what was written for another about is not
// gone on with. What a writer that was killed has left is removed. Close gives it free.
//
// Errors: ErrOther; flock.ErrLocked if another process is writing.
func Open(dir, tenant, about string) (_ *Directory, err error) {
	d := &Directory{dir: filepath.Join(dir, "tenant="+tenant), tenant: tenant, about: about}
	if err := os.MkdirAll(d.dir, 0o700); err != nil { // it may hold personal data
		return nil, err
	}
	if d.lock, err = flock.Try(filepath.Join(d.dir, ".lock")); err != nil {
		return nil, err
	}
	if err := d.look(); err != nil {
		return nil, errors.Join(err, d.lock.Release())
	}
	return d, nil
}

// look finds out how far the files reach.
func (d *Directory) look() error {
	// The path is somebody's, and no pattern.
	inside := os.DirFS(d.dir)
	left, err := fs.Glob(inside, "day=*/.*.part")
	if err != nil {
		return err
	}
	for _, name := range left {
		if err := os.Remove(filepath.Join(d.dir, name)); err != nil {
			return err
		}
	}
	names, err := fs.Glob(inside, "day=*/part-*.parquet")
	if err != nil {
		return err
	}
	latest := ""
	for _, name := range names {
		var from, to int64
		if _, err := fmt.Sscanf(filepath.Base(name), "part-%d-%d.parquet", &from, &to); err == nil && to > d.last {
			d.last, latest = to, filepath.Join(d.dir, name)
		}
	}
	if latest == "" {
		return nil
	}
	about, epoch, err := aboutOf(latest)
	if err == nil && about != d.about {
		err = fmt.Errorf("%w: %s has %s", ErrOther, latest, cmp.Or(about, "something else"))
	}
	d.Epoch = epoch
	return err
}

// aboutOf reads which events a file has, and of which log.
func aboutOf(name string) (about, epoch string, err error) {
	f, err := os.Open(name)
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	at, err := f.Stat()
	if err != nil {
		return "", "", err
	}
	file, err := parquet.OpenFile(f, at.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return "", "", fmt.Errorf("%s: %w", name, err)
	}
	about, _ = file.Lookup(aboutKey)
	epoch, _ = file.Lookup(epochKey)
	return about, epoch, nil
}

// Last is the greatest position that is in a complete file; 0 if there is none.
func (d *Directory) Last() int64 { return d.last }

// Files is how many files were completed since Open.
func (d *Directory) Files() int { return d.files }

// Add takes the next event, a line as the API tells it. Events come in the order of the log. ErrUnreadable.
func (d *Directory) Add(line []byte) error {
	row, err := d.told.read(line)
	if err != nil {
		return err
	}
	if d.told.Tenant != d.tenant {
		return fmt.Errorf("%w of the tenant %s", ErrUnreadable, d.tenant)
	}
	day := d.told.RecordedAt.UTC().Format(time.DateOnly)
	if p := d.part; p != nil && (p.day != day || p.rows == partRows) {
		if err := d.end(); err != nil {
			return err
		}
	}
	if d.part == nil {
		if d.part, err = d.begin(day, row.Position); err != nil {
			return err
		}
	}
	return d.part.add(row)
}

// end completes the file that is being written, if there is one.
func (d *Directory) end() error {
	p := d.part
	if p == nil {
		return nil
	}
	d.part = nil
	if err := errors.Join(p.flush(), p.out.Close()); err != nil {
		return errors.Join(err, p.drop())
	}
	p.out, p.waiting = nil, nil
	d.whole = append(d.whole, p)
	rows := 0
	for _, w := range d.whole {
		rows += w.rows
	}
	if len(d.whole) >= wholeParts || rows >= wholeRows {
		return d.settle()
	}
	return nil
}

// settle puts on the disk what is complete and lets it appear, in order. What cannot be is dropped, with all behind it.
func (d *Directory) settle() error {
	whole := d.whole
	d.whole = nil
	// A file system puts on the disk together what many wait for.
	synced := make([]error, len(whole))
	var all sync.WaitGroup
	for i, p := range whole {
		all.Go(func() { synced[i] = errors.Join(p.file.Sync(), p.file.Close()) })
	}
	all.Wait()
	var err error
	appeared, dirs := 0, []string{d.dir}
	for i, p := range whole {
		dir := filepath.Dir(p.file.Name())
		if err = synced[i]; err == nil {
			err = os.Rename(p.file.Name(), filepath.Join(dir, fmt.Sprintf("part-%012d-%012d.parquet", p.from, p.to)))
		}
		if err != nil {
			for _, p := range whole[i:] {
				err = errors.Join(err, p.drop())
			}
			break
		}
		if appeared++; dir != dirs[len(dirs)-1] {
			dirs = append(dirs, dir)
		}
	}
	if appeared == 0 {
		return err
	}
	// One after the other: if the power fails, no later file is there without those before it. On most file systems the first takes the others along.
	for _, dir := range dirs {
		if failed := syncDir(dir); failed != nil {
			return errors.Join(err, failed)
		}
	}
	d.last, d.files = whole[appeared-1].to, d.files+appeared
	return err
}

// Keep completes the file that is being written, if there is one: all that was added is on the disk, and appears.
func (d *Directory) Keep() error { return errors.Join(d.end(), d.settle()) }

// Close gives the directory free. What was added since Keep may be dropped.
func (d *Directory) Close() error {
	var err error
	if d.part != nil {
		err = d.part.drop()
	}
	for _, p := range d.whole {
		err = errors.Join(err, p.drop())
	}
	return errors.Join(err, d.lock.Release())
}

// part is a file that is being written.
type part struct {
	day      string
	from, to int64
	rows     int
	file     *os.File
	out      *parquet.GenericWriter[event]
	waiting  []event
	failed   error // rows are missing: it will never be complete
}

func (d *Directory) begin(day string, from int64) (*part, error) {
	dir := filepath.Join(d.dir, "day="+day)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, ".*.part") // mode 0600
	if err != nil {
		return nil, err
	}
	return &part{day: day, from: from, file: f, out: parquet.NewGenericWriter[event](f, parquet.Compression(&zstd.Codec{Level: zstd.SpeedFastest}),
		parquet.MaxRowsPerRowGroup(groupRows), parquet.KeyValueMetadata(aboutKey, d.about),
		parquet.KeyValueMetadata(epochKey, d.Epoch))}, nil
}

func (p *part) add(row event) error {
	p.waiting, p.to, p.rows = append(p.waiting, row), row.Position, p.rows+1
	if len(p.waiting) < flushRows {
		return nil
	}
	return p.flush()
}

func (p *part) flush() error {
	if p.failed == nil {
		_, p.failed = p.out.Write(p.waiting)
	}
	clear(p.waiting)
	p.waiting = p.waiting[:0]
	return p.failed
}

// drop removes the file. It may have been closed.
func (p *part) drop() error {
	if err := p.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return errors.Join(err, os.Remove(p.file.Name()))
	}
	return os.Remove(p.file.Name())
}

// syncDir puts on the disk which files a directory has.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// About says in a line which events are asked for, from pairs of names and values; empty values are left out.
func About(pairs ...string) string {
	var said []string
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			said = append(said, pairs[i]+" "+pairs[i+1])
		}
	}
	return cmp.Or(strings.Join(said, ", "), "all events")
}
