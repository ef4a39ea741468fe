package sheet

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"path"
	"strings"
)

const (
	mostRatio      = 200      // unpacked bytes for a packed one, on the whole; sheets have 5 to 30
	ratioFrom      = 32 << 20 // unpacked bytes below which the ratio does not matter
	mostFormats    = 4096     // number formats; programs write up to 250
	mostStyleBytes = 16 << 20
)

// pack is an xlsx as it came: a zip of parts.
type pack struct {
	parts    map[string]*zip.File // by name in lower case
	date1904 bool                 // dates are counted from 1904
	sheet    *zip.File
	styles   *zip.File // nil if there are none
	strings  *zip.File // the shared strings; nil if there are none
	shared   int       // how many there are
}

// openPack checks the directory, finds the first visible sheet, and unpacks once, to nowhere, what will be read: sizes and checksums are true
// after that. The other parts, pictures for example, are never unpacked.
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
	if err := p.checkStyles(); err != nil {
		return nil, err
	}
	if err := p.countStrings(); err != nil {
		return nil, err
	}
	content, err := open(p.sheet)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	if _, err := io.Copy(io.Discard, content); err != nil {
		return nil, refuse(Broken)
	}
	return p, nil
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
	err := walk(types, func(e xml.StartElement, _ int) error {
		macros = macros || strings.Contains(strings.ToLower(attribute(e, "ContentType")), "macroenabled")
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
	err = walk(p.parts[book], func(e xml.StartElement, depth int) error {
		switch state := attribute(e, "state"); {
		case depth == 1:
			isBook = e.Name.Local == "workbook"
		case depth == 2 && e.Name.Local == "workbookPr":
			v := attribute(e, "date1904")
			p.date1904 = v == "1" || v == "true"
		case depth == 3 && e.Name.Local == "sheet" && id == "" && (state == "" || state == "visible"):
			id = attribute(e, "id")
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
	err := walk(rels, func(e xml.StartElement, depth int) error {
		if depth == 2 && e.Name.Local == "Relationship" {
			target := strings.ToLower(strings.ReplaceAll(attribute(e, "Target"), `\`, "/"))
			if !strings.HasPrefix(target, "/") {
				target = dir + target
			}
			list = append(list, relation{attribute(e, "Id"), attribute(e, "Type"), strings.TrimPrefix(path.Clean(target), "/")})
		}
		return nil
	})
	return list, err
}

// checkStyles: every number goes through the list of formats.
func (p *pack) checkStyles() error {
	if p.styles == nil {
		return nil
	}
	if p.styles.UncompressedSize64 > mostStyleBytes {
		return refuse(Bomb)
	}
	formats := 0
	return walk(p.styles, func(e xml.StartElement, _ int) error {
		if e.Name.Local == "numFmt" {
			if formats++; formats > mostFormats {
				return refuse(Bomb)
			}
		}
		return nil
	})
}

// countStrings also makes sure that none is too long.
func (p *pack) countStrings() error {
	if p.strings == nil {
		return nil
	}
	content, err := open(p.strings)
	if err != nil {
		return err
	}
	defer content.Close()
	t, length := newTokens(content), 0
	for {
		token, err := t.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name.Local == "si" {
				if t.depth != 2 {
					return refuse(Broken)
				}
				p.shared++
				length = 0
			}
		case xml.CharData:
			if length += len(token); length > maxToken {
				return refuse(CellTooLong)
			}
		}
	}
}

// reduced is the package with only what is needed to read the sheet, under the names that every program uses. What is packed is taken
// over as it is.
func (p *pack) reduced() (*bytes.Buffer, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	strings, properties := "", ""
	if p.strings != nil {
		strings = `<Relationship Id="rId3" Type="` + relations + `/sharedStrings" Target="sharedStrings.xml"/>`
	}
	if p.date1904 {
		properties = `<workbookPr date1904="1"/>`
	}
	for _, part := range []struct {
		name string
		from *zip.File
		text string
	}{
		{"[Content_Types].xml", nil, contentTypes},
		{"_rels/.rels", nil, packageRels},
		{"xl/workbook.xml", nil, fmt.Sprintf(workbookPart, properties, theSheet)},
		{"xl/_rels/workbook.xml.rels", nil, fmt.Sprintf(workbookRels, strings)},
		{"xl/styles.xml", p.styles, stylesPart},
		{"xl/sharedStrings.xml", p.strings, ""},
		{"xl/worksheets/sheet1.xml", p.sheet, ""},
	} {
		switch {
		case part.from != nil:
			h := part.from.FileHeader
			h.Name, h.Extra, h.Comment = part.name, nil, ""
			w, err := z.CreateRaw(&h)
			if err != nil {
				return nil, fmt.Errorf("sheet: %w", err)
			}
			packed, err := part.from.OpenRaw()
			if err != nil {
				return nil, refuse(Broken)
			}
			if _, err := io.Copy(w, packed); err != nil {
				return nil, refuse(Broken)
			}
		case part.text != "":
			if err := addPart(z, part.name, part.text); err != nil {
				return nil, fmt.Errorf("sheet: %w", err)
			}
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("sheet: %w", err)
	}
	return &b, nil
}

// walk goes through all elements of a part, to its end.
func walk(part *zip.File, f func(e xml.StartElement, depth int) error) error {
	content, err := open(part)
	if err != nil {
		return err
	}
	defer content.Close()
	return newTokens(content).elements(f)
}

func open(part *zip.File) (io.ReadCloser, error) {
	content, err := part.Open()
	if err != nil {
		return nil, refuse(Broken) // no beginning, or packed in an unknown way
	}
	return content, nil
}
