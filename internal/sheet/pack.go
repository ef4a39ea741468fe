package sheet

import (
	"archive/zip"
	"io"
	"path"
	"strings"
)

const (
	mostRatio     = 200      // unpacked bytes for a packed one, on the whole; sheets have 5 to 30
	ratioFrom     = 32 << 20 // unpacked bytes below which the ratio does not matter
	mostRelations = 4096     // of the package, or of the workbook: some more than it has sheets
)

// pack is an xlsx as it came: a zip of parts.
type pack struct {
	parts   map[string]*zip.File // by name in lower case
	epoch   epoch
	sheet   *zip.File
	styles  *zip.File // nil if there are none
	strings *zip.File // the shared strings; nil if there are none
}

// openPack checks the directory, and finds the first visible sheet and what belongs to it.
func openPack(src io.ReaderAt, size int64, limits Limits) (*pack, error) {
	z, err := zip.NewReader(src, size)
	if err != nil {
		return nil, refuse(Broken)
	}
	p := &pack{parts: map[string]*zip.File{}}
	if err := p.directory(z, size, limits); err != nil {
		return nil, err
	}
	if err := p.findSheet(); err != nil {
		return nil, err
	}
	return p, nil
}

// verify unpacks a part to nowhere: its size and its checksum are true after that, so that no row of a damaged sheet is delivered. Parts that
// are read as a whole before the first row need none. Others, pictures for example, are never unpacked.
func verify(part *zip.File) error {
	content, err := open(part)
	if err != nil {
		return err
	}
	defer content.Close()
	if _, err := io.Copy(io.Discard, content); err != nil {
		return refuse(Broken)
	}
	return nil
}

// directory believes the sizes that the directory declares, for the time being: archive/zip gives an error when a part goes on behind its size.
func (p *pack) directory(z *zip.Reader, size int64, limits Limits) error {
	if len(z.File) > limits.Entries {
		return refuse(Bomb)
	}
	unpacked := uint64(0)
	for _, f := range z.File {
		name := strings.ToLower(strings.TrimPrefix(strings.ReplaceAll(f.Name, `\`, "/"), "/"))
		switch {
		case f.UncompressedSize64 > uint64(limits.Unpacked):
			return refuse(Bomb)
		case p.parts[name] != nil:
			return refuse(Broken) // programs differ in which of the two they take
		case path.Base(name) == "vbaproject.bin", strings.HasPrefix(name, "xl/macrosheets/"):
			return refuse(Macros)
		case f.Flags&1 != 0:
			return refuse(Encrypted)
		}
		p.parts[name] = f
		if unpacked += f.UncompressedSize64; unpacked > uint64(limits.Unpacked) {
			return refuse(Bomb)
		}
	}
	if unpacked > ratioFrom && unpacked/uint64(size) > mostRatio {
		return refuse(Bomb)
	}
	return nil
}

// findSheet follows the relations from the root to the workbook, and from there to the sheet, the styles and the shared strings.
func (p *pack) findSheet() error {
	macros := false
	types := p.parts["[content_types].xml"]
	if types == nil {
		return refuse(NotASheet)
	}
	err := walk(types, func(t *tokens) error {
		macros = macros || strings.Contains(strings.ToLower(string(t.attribute("ContentType"))), "macroenabled")
		return nil
	})
	switch {
	case err != nil:
		return err
	case macros:
		return refuse(Macros)
	}
	root, err := p.relationsOf("")
	if err != nil {
		return err
	}
	book := ""
	for _, r := range root {
		if strings.HasSuffix(r.kind, "/officeDocument") {
			book = r.target
			break
		}
	}
	if p.parts[book] == nil || !strings.HasSuffix(book, ".xml") {
		return refuse(NotASheet)
	}
	id, isBook := "", false
	err = walk(p.parts[book], func(t *tokens) error {
		name := string(t.name)
		switch state := string(t.attribute("state")); {
		case t.depth == 1:
			isBook = name == "workbook"
		case t.depth == 2 && name == "workbookPr":
			v := string(t.attribute("date1904"))
			p.epoch.from1904 = v == "1" || v == "true"
		case t.depth == 3 && name == "sheet" && id == "" && (state == "" || state == "visible"):
			id = string(t.attribute("id"))
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case !isBook:
		return refuse(NotASheet)
	case id == "":
		return refuse(Empty)
	}
	parts, err := p.relationsOf(book)
	if err != nil {
		return err
	}
	for _, r := range parts {
		switch kind := path.Base(r.kind); {
		case r.id == id && kind == "worksheet":
			p.sheet = p.parts[r.target]
		case kind == "styles":
			p.styles = p.parts[r.target]
		case kind == "sharedStrings":
			p.strings = p.parts[r.target]
		}
	}
	if p.sheet == nil {
		return refuse(Broken)
	}
	return nil
}

type relation struct{ id, kind, target string }

// relationsOf lists what a part refers to; that of the whole package has no name.
func (p *pack) relationsOf(part string) ([]relation, error) {
	dir, base := path.Split(part)
	rels := p.parts[dir+"_rels/"+base+".rels"]
	if rels == nil {
		return nil, nil
	}
	var list []relation
	err := walk(rels, func(t *tokens) error {
		if t.depth == 2 && string(t.name) == "Relationship" {
			target := strings.ToLower(strings.ReplaceAll(string(t.attribute("Target")), `\`, "/"))
			if !strings.HasPrefix(target, "/") {
				target = dir + target
			}
			if len(list) == mostRelations {
				return refuse(Bomb)
			}
			list = append(list, relation{string(t.attribute("Id")), string(t.attribute("Type")), strings.TrimPrefix(path.Clean(target), "/")})
		}
		return nil
	})
	return list, err
}

// readStrings makes sure that none is too long.
func (p *pack) readStrings() (*texts, error) {
	all := &texts{}
	if p.strings == nil {
		return all, nil
	}
	err := p.addStrings(all)
	if err != nil {
		_ = all.close() // the other error is the one to tell
		return nil, err
	}
	return all, nil
}

func (p *pack) addStrings(all *texts) error {
	part, err := open(p.strings)
	if err != nil {
		return err
	}
	defer part.Close()
	t := newTokens(part)
	var text []byte
	err = t.elements(func() error {
		if string(t.name) != "si" {
			return nil
		}
		if t.depth != 2 {
			return refuse(Broken)
		}
		var err error
		if text, err = t.item(text[:0]); err != nil {
			return err
		}
		return all.add(text)
	})
	if err != nil {
		return err
	}
	return all.done()
}

// walk goes through all elements of a part, to its end.
func walk(part *zip.File, f func(t *tokens) error) error {
	content, err := open(part)
	if err != nil {
		return err
	}
	defer content.Close()
	t := newTokens(content)
	return t.elements(func() error { return f(t) })
}

func open(part *zip.File) (io.ReadCloser, error) {
	content, err := part.Open()
	if err != nil {
		return nil, refuse(Broken) // no beginning, or packed in an unknown way
	}
	return content, nil
}
