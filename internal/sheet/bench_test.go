package sheet_test

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"customercenter/internal/sheet"
)

const benchRows = 100_000

func benchRow(i int) []string {
	return []string{fmt.Sprintf("u-%07d", i), "昵称" + fmt.Sprint(i), "张三", fmt.Sprint(10000 + i), fmt.Sprint(13800000000 + i), "wx_" + fmt.Sprint(i),
		fmt.Sprintf("user%d@example.com", i), "某某科技有限公司", "来自展会的客户，需要回访", "重要,老客户", "2", "2026-11-26 15:04"}
}

func benchFile(b *testing.B, w io.Writer, format sheet.Format) (out *sheet.Writer) {
	b.Helper()
	out, err := sheet.NewWriter(w, format, "客户", strings.Split("ID,昵称,名字,QQ,手机,微信号,邮箱,公司,描述,客户标签,关联ID,时间", ","))
	for i := 0; i < benchRows && err == nil; i++ {
		err = out.Write(benchRow(i))
	}
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// heap is how much memory is in use beyond before.
func heap(before uint64) float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(int64(m.HeapAlloc)-int64(before)) / (1 << 20)
}

func BenchmarkWrite(b *testing.B) {
	for _, format := range []sheet.Format{sheet.CSV, sheet.XLSX} {
		b.Run(string(format), func(b *testing.B) {
			var size int64
			for b.Loop() {
				size = benchFile(b, io.Discard, format).Bytes()
			}
			b.ReportMetric(float64(b.N)*benchRows/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(size)/(1<<20), "MiB")
		})
	}
}

// sharedFile is the table as Excel saves it: every text once, in a part of its own.
func sharedFile() []byte {
	var rows, shared strings.Builder
	index := map[string]int{}
	for i := range benchRows {
		rows.WriteString("<row>")
		for _, text := range benchRow(i) {
			n, ok := index[text]
			if !ok {
				n = len(index)
				index[text] = n
				fmt.Fprintf(&shared, "<si><t>%s</t></si>", text)
			}
			fmt.Fprintf(&rows, `<c t="s"><v>%d</v></c>`, n)
		}
		rows.WriteString("</row>")
	}
	return book(rows.String()).with("xl/sharedStrings.xml", "<sst>"+shared.String()+"</sst>").zip()
}

// numbersFile has numbers and dates in formats, as Excel saves them.
func numbersFile() []byte {
	var rows strings.Builder
	for i := range benchRows {
		rows.WriteString("<row>")
		for c := range 4 {
			fmt.Fprintf(&rows, `<c s="1"><v>%d.%d</v></c><c s="2"><v>%d.5234</v></c><c><v>%d</v></c>`, i, c, 40000+i%5000, 13800000000+i)
		}
		rows.WriteString("</row>")
	}
	p := book(rows.String()).with("xl/styles.xml", `<styleSheet `+main+`><cellXfs><xf/><xf numFmtId="4"/><xf numFmtId="22"/></cellXfs></styleSheet>`)
	return p.with("xl/_rels/workbook.xml.rels", strings.Replace(p[3][1], "</", `<Relationship Id="d" Type="`+relTypes+`/styles" Target="styles.xml"/></`, 1)).zip()
}

func BenchmarkRead(b *testing.B) {
	for _, c := range []struct {
		name string
		make func(b *testing.B) []byte
	}{
		{"csv", func(b *testing.B) []byte { return benchBytes(b, sheet.CSV) }},
		{"xlsx", func(b *testing.B) []byte { return benchBytes(b, sheet.XLSX) }},
		{"xlsx by Excel", func(*testing.B) []byte { return sharedFile() }},
		{"xlsx of numbers", func(*testing.B) []byte { return numbersFile() }},
	} {
		b.Run(c.name, func(b *testing.B) {
			file := c.make(b)
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			var half float64
			for b.Loop() {
				r, err := sheet.Open(bytes.NewReader(file), int64(len(file)), sheet.Limits{})
				rows := 0
				for ; err == nil; rows++ {
					if _, err = r.Next(); rows == benchRows/2 {
						half = heap(m.HeapAlloc)
					}
				}
				if err != io.EOF || rows < benchRows {
					b.Fatal(rows, err)
				}
				if err := r.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*benchRows/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(half, "MiB-half-way")
		})
	}
}

func benchBytes(b *testing.B, format sheet.Format) []byte {
	var file bytes.Buffer
	benchFile(b, &file, format)
	return file.Bytes()
}
