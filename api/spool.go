package api

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"customercenter/domain"
	"customercenter/projections"
)

// maxSpool is how many bytes the entries and leaves of one analysis may have.
const maxSpool = 256 << 20

// spool keeps entries and leaves on the disk, in a file that has no name any more: it is gone when nobody holds it, however the process ends.
type spool struct {
	file *os.File
	out  *bufio.Writer
	json *json.Encoder
	size int64
}

func newSpool() (*spool, error) {
	file, err := os.CreateTemp("", "customercenter-whatif-*")
	if err != nil {
		return nil, fmt.Errorf("api: a file for entries and leaves: %w", err)
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("api: a file for entries and leaves: %w", err), file.Close())
	}
	s := &spool{file: file}
	s.out = bufio.NewWriterSize(countedWriter{s}, 64<<10)
	s.json = json.NewEncoder(s.out)
	return s, nil
}

// countedWriter counts what goes into a spool's file.
type countedWriter struct{ to *spool }

func (w countedWriter) Write(p []byte) (int, error) {
	n, err := w.to.file.Write(p)
	w.to.size += int64(n)
	return n, err
}

// add keeps one more. Refused: WHATIF_TOO_LARGE.
func (s *spool) add(m projections.GroupMove) error {
	if s.size > maxSpool {
		return domain.Refuse(codeWhatIfTooLarge).With("max", maxSpool>>20)
	}
	return s.json.Encode(m)
}

// close ends adding.
func (s *spool) close() error { return s.out.Flush() }

// read returns what reads them from the first on, so many at a time. Several may read beside each other.
func (s *spool) read() func(most int) (moves []projections.GroupMove, more bool, err error) {
	decoder := json.NewDecoder(bufio.NewReaderSize(io.NewSectionReader(s.file, 0, s.size), 64<<10))
	return func(most int) (moves []projections.GroupMove, more bool, err error) {
		for len(moves) < most {
			var m projections.GroupMove
			if err := decoder.Decode(&m); errors.Is(err, io.EOF) {
				return moves, false, nil
			} else if err != nil {
				return nil, false, fmt.Errorf("api: entries and leaves: %w", err)
			}
			moves = append(moves, m)
		}
		return moves, true, nil
	}
}
