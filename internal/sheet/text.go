package sheet

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

var byteOrderMark = []byte("\uFEFF")

// oleHeader begins the files of old Office programs, and the envelopes of encrypted new ones.
var oleHeader = []byte{0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1}

// refuseOLE tells the two apart by the names of their streams, which are UTF-16.
func refuseOLE(r io.Reader) error {
	code := Encrypted
	err := chunks(r, len("EncryptedPackage")*2, func(p []byte) error {
		if bytes.Contains(p, wide("EncryptedPackage")) {
			code = Encrypted
			return io.EOF
		}
		if bytes.Contains(p, wide("Workbook")) {
			code = OldExcel
		}
		return nil
	})
	if err != nil && err != io.EOF {
		return err
	}
	return refuse(code)
}

func wide(s string) []byte {
	var b []byte
	for _, c := range []byte(s) {
		b = append(b, c, 0)
	}
	return b
}

// chunks hands all of r to f, each time with the last keep bytes of the time before in front.
func chunks(r io.Reader, keep int, f func([]byte) error) error {
	buf := make([]byte, 64<<10)
	kept := 0
	for {
		n, err := io.ReadFull(r, buf[kept:])
		if n > 0 {
			p := buf[:kept+n]
			if err := f(p); err != nil {
				return err
			}
			kept = copy(buf, p[max(0, len(p)-keep):])
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// decode finds out in which encoding a text is, by all of it, and gives what makes a new reader of it in UTF-8. A text that is valid
// UTF-8 is UTF-8: GB18030 of more than a few characters never is.
func decode(src io.ReaderAt, size int64) (func() io.Reader, error) {
	head := make([]byte, min(size, 512))
	if _, err := src.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if bytes.HasPrefix(head, []byte{0xFF, 0xFE}) || bytes.HasPrefix(head, []byte{0xFE, 0xFF}) {
		return nil, refuse(Encoding) // UTF-16
	}
	start := int64(0)
	if bytes.HasPrefix(head, byteOrderMark) {
		start = int64(len(byteOrderMark))
	}
	if otherKind(head[start:]) {
		return nil, refuse(NotASheet)
	}
	plain := func() io.Reader { return io.NewSectionReader(src, start, size-start) }
	ok, err := valid(plain())
	if err != nil || ok {
		return plain, err
	}
	chinese := func() io.Reader { return simplifiedchinese.GB18030.NewDecoder().Reader(plain()) }
	if start > 0 {
		return nil, refuse(Encoding)
	}
	// The decoder puts U+FFFD where something is wrong. Nobody writes it on purpose in GB18030.
	err = chunks(chinese(), 2, func(p []byte) error {
		if bytes.Contains(p, []byte("\uFFFD")) {
			return refuse(Encoding)
		}
		return nil
	})
	return chinese, err
}

// valid tells whether the text is UTF-8. A NUL is refused at once.
func valid(r io.Reader) (bool, error) {
	ok := true
	var rest []byte
	err := chunks(r, 0, func(p []byte) error {
		if bytes.IndexByte(p, 0) >= 0 {
			return refuse(NULByte)
		}
		if !ok {
			return nil
		}
		if len(rest) > 0 {
			p = append(rest, p...)
		}
		// A character may go on in the next chunk.
		end := len(p)
		for i := len(p) - 1; i >= max(0, len(p)-utf8.UTFMax+1); i-- {
			if utf8.RuneStart(p[i]) {
				if !utf8.FullRune(p[i:]) {
					end = i
				}
				break
			}
		}
		ok = utf8.Valid(p[:end])
		rest = append([]byte(nil), p[end:]...)
		return nil
	})
	return ok && len(rest) == 0, err
}

// otherKind knows the texts that are certainly no table: pages that were named .xls, XML, and PDF.
func otherKind(head []byte) bool {
	head = bytes.ToLower(bytes.TrimLeft(head, " \t\r\n"))
	for _, begin := range []string{"<!doctype", "<html", "<?xml", "<table", "<meta", "%pdf-", "{\\rtf"} {
		if bytes.HasPrefix(head, []byte(begin)) {
			return true
		}
	}
	return false
}
