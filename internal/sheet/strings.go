package sheet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

const (
	pageBytes   = 8 << 10
	pagesKept   = 2048 // pages of texts that stay in memory: 16 MiB
	pagesCached = 1024 // of the others: 8 MiB
	textsPerRef = 32   // texts for each of which but the first the way there has to be counted
	mostLength  = 3    // bytes of a length: texts have at most maxToken
)

// texts holds the shared strings of an xlsx, in the order in which they were added. What it needs of memory has an end, whatever the file
// holds: a quarter of a byte for each text, 16 MiB for the first of them, and 8 MiB to look at the others, which go to a temporary file.
//
// A text is its length and its bytes. A length never goes on in the next page, a text may.
type texts struct {
	count  int
	refs   []int64  // where every 32nd text begins
	last   []byte   // the page that is being filled
	pages  [][]byte // the first ones
	spill  *os.File // the ones behind them, nil if there are none
	name   string   // of spill, if it has one still
	cache  []cached
	length int64
}

type cached struct {
	number int64 // of the page, 0 for none: the first page is never cached
	page   []byte
}

// add takes a text of at most maxToken bytes. An error is one of the temporary file.
func (t *texts) add(text []byte) error {
	if room := pageBytes - len(t.last); room < mostLength {
		if err := t.write(make([]byte, room)); err != nil {
			return err
		}
	}
	if t.count%textsPerRef == 0 {
		t.refs = append(t.refs, t.length)
	}
	t.count++
	var length [binary.MaxVarintLen64]byte
	if err := t.write(length[:binary.PutUvarint(length[:], uint64(len(text)))]); err != nil {
		return err
	}
	return t.write(text)
}

func (t *texts) write(b []byte) error {
	t.length += int64(len(b))
	for len(b) > 0 {
		if t.last == nil {
			t.last = make([]byte, 0, pageBytes)
		}
		n := min(len(b), pageBytes-len(t.last))
		t.last = append(t.last, b[:n]...)
		b = b[n:]
		if len(t.last) == pageBytes {
			if err := t.turn(); err != nil {
				return err
			}
		}
	}
	return nil
}

// turn puts the page that is full where it stays.
func (t *texts) turn() error {
	if len(t.pages) < pagesKept {
		t.pages = append(t.pages, t.last)
		t.last = nil
		return nil
	}
	if t.spill == nil {
		file, err := os.CreateTemp("", "sheet-")
		if err != nil {
			return fmt.Errorf("sheet: %w", err)
		}
		t.spill, t.name = file, file.Name()
		// Where a file may lose its name while it is open, nothing of it stays behind, however the process ends.
		if os.Remove(t.name) == nil {
			t.name = ""
		}
		t.cache = make([]cached, pagesCached)
	}
	if _, err := t.spill.Write(t.last); err != nil {
		return fmt.Errorf("sheet: %w", err)
	}
	t.last = t.last[:0]
	return nil
}

// done is called behind the last text.
func (t *texts) done() error {
	if len(t.last) == 0 {
		return nil
	}
	last := t.last[:pageBytes:pageBytes]
	clear(last[len(t.last):])
	t.last = last
	return t.turn()
}

// appendTo appends text i to dst. There must be one. An error is one of the temporary file.
func (t *texts) appendTo(dst []byte, i int) ([]byte, error) {
	at := t.refs[i/textsPerRef]
	n, at, err := t.lengthAt(at)
	for range i % textsPerRef {
		if err != nil {
			return dst, err
		}
		n, at, err = t.lengthAt(at + n)
	}
	for n > 0 && err == nil {
		var page []byte
		if page, err = t.page(at / pageBytes); err == nil {
			page = page[at%pageBytes:]
			page = page[:min(n, int64(len(page)))]
			dst = append(dst, page...)
			n -= int64(len(page))
			at += int64(len(page))
		}
	}
	return dst, err
}

// lengthAt reads a length, and tells where the text behind it begins.
func (t *texts) lengthAt(at int64) (n, text int64, err error) {
	if rest := pageBytes - at%pageBytes; rest < mostLength {
		at += rest
	}
	page, err := t.page(at / pageBytes)
	if err != nil {
		return 0, 0, err
	}
	length, size := binary.Uvarint(page[at%pageBytes:])
	return int64(length), at + int64(size), nil
}

func (t *texts) page(number int64) ([]byte, error) {
	if number < int64(len(t.pages)) {
		return t.pages[number], nil
	}
	c := &t.cache[number%pagesCached]
	if c.number == number {
		return c.page, nil
	}
	if c.page == nil {
		c.page = make([]byte, pageBytes)
	}
	c.number = 0
	if _, err := t.spill.ReadAt(c.page, (number-int64(len(t.pages)))*pageBytes); err != nil && err != io.EOF {
		return nil, fmt.Errorf("sheet: %w", err)
	}
	c.number = number
	return c.page, nil
}

func (t *texts) close() error {
	if t.spill == nil {
		return nil
	}
	err := t.spill.Close()
	if t.name != "" {
		if gone := os.Remove(t.name); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}
