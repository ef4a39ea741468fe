package sheet

import (
	"bytes"
	"io"
)

const (
	maxToken      = 1 << 20 // bytes of a text or a tag: 32,767 characters, each escaped, are far less
	maxDepth      = 64      // elements within elements; a sheet has 8
	maxName       = 255     // bytes of the name of an element or an attribute
	maxAttributes = 255     // of one element; the root of a sheet has some 20
)

// token is a kind of piece of XML.
type token uint8

const (
	none    token = iota // what means nothing: a comment, a processing instruction, white space around the root
	opening              // an element begins
	closing              // an element ends; <x/> is both, one after the other
	content              // text between tags
)

// tokens reads XML that may have been made to take all memory or to confuse: a piece of it is held at a time, which has an end, and so have
// the depth and the names. It is the XML that spreadsheet programs write, UTF-8 without a document type, and strict: an element that is
// not closed, a second root, an attribute that comes twice, an entity that XML does not have itself, and bytes that are no text are refused
// as Broken, a piece that is too long as CellTooLong.
//
// encoding/xml is not used, as it takes several allocations and ten times the time for every tag. Namespaces are not resolved: the name of
// an element, or of an attribute, is what stands behind the colon, so that transitional and strict files read the same, whatever their prefixes.
type tokens struct {
	r       io.Reader
	buf     []byte
	at, end int   // what was read and is not used up is buf[at:end]
	err     error // with which r ended

	open  []byte // the names of the open elements, one behind the other
	ends  []int  // where each of them ends
	depth int    // open elements, after the token
	empty bool   // the element that has begun is <x/>
	root  bool   // it has begun

	// What follows is of the last token, and good until the next.
	name       []byte // of the element that begins
	attributes []attribute
	text       []byte // with everything resolved; one text may come in several tokens
}

type attribute struct {
	full, name, value []byte // full is name with its prefix
	plain             bool   // there is nothing to resolve in value
}

func newTokens(r io.Reader) *tokens { return &tokens{r: r, buf: make([]byte, 64<<10)} }

// next gives io.EOF behind the last token of a part that is whole.
func (t *tokens) next() (token, error) {
	if t.empty {
		t.empty = false
		t.close()
		return closing, nil
	}
	for {
		kind, used, err := t.piece(t.buf[t.at:t.end])
		switch {
		case err != nil:
			return none, err
		case used == 0: // it is not all there
			if err := t.fill(); err != nil {
				return none, err
			}
		default:
			t.at += used
			if kind != none {
				return kind, nil
			}
		}
	}
}

// fill reads on, and keeps the piece that has begun.
func (t *tokens) fill() error {
	if t.err != nil {
		if t.err == io.EOF && t.at == t.end && t.depth == 0 && t.root {
			return io.EOF
		}
		return refuse(Broken) // it breaks off, or cannot be unpacked
	}
	if t.end-t.at >= maxToken {
		return refuse(CellTooLong)
	}
	if t.at > 0 {
		t.end = copy(t.buf, t.buf[t.at:t.end])
		t.at = 0
	}
	if t.end == len(t.buf) {
		t.buf = append(t.buf, make([]byte, len(t.buf))...)
	}
	n, err := t.r.Read(t.buf[t.end:])
	t.end += n
	t.err = err
	return nil
}

// piece takes a piece of XML from the beginning of b, and tells how many bytes that were: 0 if its end is not among them.
func (t *tokens) piece(b []byte) (token, int, error) {
	switch {
	case len(b) == 0:
		return none, 0, nil
	case b[0] != '<':
		return t.characters(b)
	case len(b) == 1:
		return none, 0, nil
	case b[1] == '/':
		return t.endTag(b)
	case b[1] == '?':
		inside, _, whole := bytes.Cut(b[2:], []byte("?>"))
		if !whole {
			return none, 0, nil
		}
		if !declared(inside) {
			return none, 0, refuse(Broken)
		}
		return none, len(inside) + len("<??>"), nil
	case b[1] == '!':
		return t.declaration(b)
	}
	return t.startTag(b)
}

func (t *tokens) characters(b []byte) (token, int, error) {
	end := bytes.IndexByte(b, '<')
	if end < 0 {
		if t.err == nil {
			return none, 0, nil
		}
		end = len(b)
	}
	if t.depth == 0 {
		outside := b[:end]
		if !t.root {
			outside = bytes.TrimPrefix(outside, byteOrderMark)
		}
		if len(trim(outside)) > 0 {
			return none, 0, refuse(Broken)
		}
		return none, end, nil
	}
	text, ok := resolve(b[:end], inText)
	if !ok {
		return none, 0, refuse(Broken)
	}
	t.text = text
	return content, end, nil
}

// declaration is a comment or a text in which nothing is resolved. A document type, which no spreadsheet program writes, is refused
// before anything in it is looked at.
func (t *tokens) declaration(b []byte) (token, int, error) {
	const comment, characters = "<!--", "<![CDATA["
	switch {
	case bytes.HasPrefix(b, []byte(comment)):
		end := bytes.Index(b[len(comment):], []byte("--"))
		if end < 0 || len(comment)+end+2 == len(b) {
			return none, 0, nil
		}
		if end += len(comment) + 2; b[end] != '>' {
			return none, 0, refuse(Broken)
		}
		return none, end + 1, nil
	case bytes.HasPrefix(b, []byte(characters)):
		inside, _, whole := bytes.Cut(b[len(characters):], []byte("]]>"))
		if !whole {
			return none, 0, nil
		}
		text, ok := resolve(inside, inSection)
		if !ok || t.depth == 0 {
			return none, 0, refuse(Broken)
		}
		t.text = text
		return content, len(characters) + len(inside) + len("]]>"), nil
	case len(b) < len(characters) && (bytes.HasPrefix([]byte(comment), b) || bytes.HasPrefix([]byte(characters), b)):
		return none, 0, nil
	}
	return none, 0, refuse(Broken)
}

func (t *tokens) endTag(b []byte) (token, int, error) {
	end := bytes.IndexByte(b, '>')
	if end < 0 {
		return none, 0, nil
	}
	if t.depth == 0 {
		return none, 0, refuse(Broken)
	}
	name, expected := b[2:end], t.open[t.start():]
	if !bytes.Equal(name, expected) && !bytes.Equal(bytes.TrimRight(name, white), expected) {
		return none, 0, refuse(Broken)
	}
	t.close()
	return closing, end + 1, nil
}

// start is where the name of the innermost open element begins.
func (t *tokens) start() int {
	if t.depth == 1 {
		return 0
	}
	return t.ends[t.depth-2]
}

func (t *tokens) close() {
	t.open = t.open[:t.start()]
	t.depth--
	t.ends = t.ends[:t.depth]
}

// startTag resolves what stands in attributes only when all of the tag is there, as it does that in place.
func (t *tokens) startTag(b []byte) (token, int, error) {
	i := 1 + nameLength(b[1:])
	full := b[1:i]
	t.attributes = t.attributes[:0]
	for {
		before := i
		i = skip(b, i)
		switch {
		case i == len(b):
			return none, 0, nil
		case b[i] == '>':
			return t.begin(full, i+1)
		case b[i] == '/':
			if i++; i == len(b) {
				return none, 0, nil
			}
			if b[i] != '>' {
				return none, 0, refuse(Broken)
			}
			t.empty = true
			return t.begin(full, i+1)
		case i == before, len(t.attributes) == maxAttributes:
			return none, 0, refuse(Broken)
		}
		a, used, ok := takeAttribute(b[i:])
		switch {
		case !ok:
			return none, 0, refuse(Broken)
		case used == 0:
			return none, 0, nil
		}
		t.attributes = append(t.attributes, a)
		i += used
	}
}

// takeAttribute takes one from the beginning of b, which may not have all of it: then it used 0 bytes.
func takeAttribute(b []byte) (a attribute, used int, ok bool) {
	i := nameLength(b)
	a.full = b[:i]
	if a.name = local(a.full); i < len(b) && a.name == nil {
		return a, 0, false
	}
	if i = skip(b, i); i == len(b) {
		return a, 0, true
	}
	if b[i] != '=' {
		return a, 0, false
	}
	if i = skip(b, i+1); i == len(b) {
		return a, 0, true
	}
	quote := b[i]
	if quote != '"' && quote != '\'' {
		return a, 0, false
	}
	i++
	end := bytes.IndexByte(b[i:], quote)
	if end < 0 {
		return a, 0, true
	}
	a.value = b[i : i+end]
	a.plain = allPlain(a.value)
	return a, i + end + 1, true
}

// begin is called when all of a tag is there.
func (t *tokens) begin(full []byte, used int) (token, int, error) {
	t.name = local(full)
	if t.name == nil || t.depth == maxDepth || t.depth == 0 && t.root {
		return none, 0, refuse(Broken)
	}
	for i := range t.attributes {
		a := &t.attributes[i]
		if !a.plain {
			value, ok := resolve(a.value, inAttribute)
			if !ok {
				return none, 0, refuse(Broken)
			}
			a.value = value
		}
		for _, other := range t.attributes[:i] {
			if bytes.Equal(a.full, other.full) {
				return none, 0, refuse(Broken)
			}
		}
	}
	t.root = true
	t.depth++
	t.open = append(t.open, full...)
	t.ends = append(t.ends, len(t.open))
	return opening, used, nil
}

// attribute gives the value of an attribute of the element that has begun, nil if it has none. One without a prefix comes first.
func (t *tokens) attribute(name string) []byte {
	var found []byte
	for i := range t.attributes {
		a := &t.attributes[i]
		switch {
		case string(a.full) == name:
			return a.value
		case string(a.name) == name && found == nil && !bytes.HasPrefix(a.full, []byte("xmlns:")):
			found = a.value
		}
	}
	return found
}

// elements calls f at the beginning of every element, to the end of the part.
func (t *tokens) elements(f func() error) error {
	for {
		kind, err := t.next()
		if err == nil && kind == opening {
			err = f()
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
