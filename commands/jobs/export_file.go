package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/internal/sheet"
)

// partBytes is how much of a file is in a part.
const partBytes = 1 << 20

// file keeps what is written to it in parts, up to so many bytes; what is beyond is only counted. While one part is kept the next is filled.
type file struct {
	most int64
	keep func(part int, content []byte) error

	bytes int64 // written in all
	part  []byte
	spare []byte // that has been kept, and may be filled again
	parts int
	kept  chan error // says how it went with the part before; nil if there is none
	full  time.Time  // since when it is too large; zero if it is not
}

// Write takes all, or fails.
func (f *file) Write(p []byte) (int, error) {
	f.bytes += int64(len(p))
	if f.bytes > f.most {
		if f.full.IsZero() {
			f.full, f.part = time.Now(), nil
		}
		return len(p), nil
	}
	if f.part == nil {
		f.part = make([]byte, 0, partBytes)
	}
	for rest := p; len(rest) > 0; {
		n := min(len(rest), partBytes-len(f.part))
		f.part, rest = append(f.part, rest[:n]...), rest[n:]
		if len(f.part) == partBytes {
			if err := f.next(); err != nil {
				return 0, err
			}
		}
	}
	return len(p), nil
}

// next begins to keep a part, when the one before it is kept, and goes on to the next.
func (f *file) next() error {
	if err := f.settled(); err != nil {
		return err
	}
	part, content, kept := f.parts, f.part, make(chan error, 1)
	go func() { kept <- f.keep(part, content) }()
	f.kept = kept
	f.part, f.spare = f.spare[:0], content
	if f.part == nil {
		f.part = make([]byte, 0, partBytes)
	}
	f.parts++
	return nil
}

// settled waits until nothing is being kept, and says how that went.
func (f *file) settled() error {
	if f.kept == nil {
		return nil
	}
	err := <-f.kept
	f.kept = nil
	return err
}

// finish keeps the last part.
func (f *file) finish() error {
	if err := f.settled(); err != nil || len(f.part) == 0 {
		return err
	}
	if err := f.keep(f.parts, f.part); err != nil {
		return err
	}
	f.parts++
	f.part = f.part[:0]
	return nil
}

func (f *file) tooLarge() bool { return !f.full.IsZero() }

// writeRow writes a row. No cell is too long but for one with very many tags: then the last are left out.
func writeRow(out *sheet.Writer, cells []string) error {
	err := out.Write(cells)
	var refused *sheet.Error
	for errors.As(err, &refused) && refused.Code == sheet.CellTooLong {
		cells[refused.Column-1] = shortened(cells[refused.Column-1])
		err = out.Write(cells)
	}
	return err
}

// shortened is a list of names that has room in a cell.
func shortened(names string) string {
	const dots = "…"
	room := sheet.MaxCell - 1
	for i, r := range names {
		if room -= utf16.RuneLen(r); room < 0 {
			names = names[:i]
			break
		}
	}
	if comma := strings.LastIndexByte(names, ','); comma >= 0 {
		names = names[:comma+1]
	}
	return names + dots
}

// File writes the file of an export, as it is kept. Memory does not grow with it.
//
// Refused, before anything is written: as in exports.State.Download; FILE_GONE if the file is not there as a whole. An error after that leaves
// the file cut off: it has fewer bytes than the export says.
func (r *Runner) File(ctx context.Context, tenant string, id uuid.UUID, w io.Writer) error {
	return r.Download(ctx, tenant, id, func() error { return nil }, w)
}

// Download is File, and tells before anything is written that it can begin: what it writes first is there. If begin returns an error, so does Download, and
// nothing is written.
func (r *Runner) Download(ctx context.Context, tenant string, id uuid.UUID, begin func() error, w io.Writer) error {
	work, _, err := r.catalogues.Export(ctx, tenant, id)
	if err != nil {
		return fmt.Errorf("jobs: file: %w", err)
	}
	if _, err := work.Download(r.now()); err != nil {
		return err
	}
	parts, bytes, err := r.parts.measure(ctx, tenant, id)
	switch {
	case err != nil:
		return err
	case bytes != work.File.Bytes:
		return domain.Refuse(domain.CodeFileGone)
	}
	for part := range parts {
		content, err := r.parts.get(ctx, tenant, id, part)
		if part == 0 {
			if errors.Is(err, errGone) {
				return domain.Refuse(domain.CodeFileGone)
			}
			if err == nil {
				err = begin()
			}
		}
		if err != nil {
			return err
		}
		if bytes -= int64(len(content)); bytes < 0 {
			break
		}
		if _, err := w.Write(content); err != nil {
			return fmt.Errorf("jobs: file: %w", err)
		}
	}
	if bytes != 0 {
		return errGone
	}
	return nil
}
