package sheet

import (
	"bufio"
	"encoding/xml"
	"errors"
	"io"
)

const (
	maxToken = 1 << 20 // bytes of a text or a tag: 32,767 characters, each escaped, are far less
	maxDepth = 64      // elements within elements; a sheet has 8
)

var errToken = errors.New("sheet: a piece of XML is too long")

// tokens reads XML that may have been made to take all memory. encoding/xml keeps a whole text, and every open element; here both have an end.
// What else is wrong with it is Broken.
type tokens struct {
	decoder *xml.Decoder
	in      *allowance
	depth   int // open elements, after the token
}

func newTokens(r io.Reader) *tokens {
	in := &allowance{r: r}
	return &tokens{decoder: xml.NewDecoder(bufio.NewReaderSize(in, 32<<10)), in: in}
}

// next gives io.EOF behind the last token of a part that is whole.
func (t *tokens) next() (xml.Token, error) {
	t.in.left = maxToken
	token, err := t.decoder.Token()
	switch {
	case err == io.EOF:
		return nil, err
	case errors.Is(err, errToken):
		return nil, refuse(CellTooLong)
	case err != nil:
		return nil, refuse(Broken) // the text of a syntax error may quote the file
	}
	switch token.(type) {
	case xml.StartElement:
		if t.depth++; t.depth > maxDepth {
			return nil, refuse(Broken)
		}
	case xml.EndElement:
		t.depth--
	case xml.Directive: // a document type; no spreadsheet program writes one
		return nil, refuse(Broken)
	}
	return token, nil
}

// elements calls f with the beginning of every element, and how deep it is: 1 is the root.
func (t *tokens) elements(f func(e xml.StartElement, depth int) error) error {
	for {
		token, err := t.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if e, ok := token.(xml.StartElement); ok {
			if err := f(e, t.depth); err != nil {
				return err
			}
		}
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// allowance ends what is read after so many bytes.
type allowance struct {
	r    io.Reader
	left int
}

func (a *allowance) Read(p []byte) (int, error) {
	if a.left <= 0 {
		return 0, errToken
	}
	n, err := a.r.Read(p[:min(len(p), a.left)])
	a.left -= n
	return n, err
}
