package pages

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var update = flag.Bool("update", false, "write the golden pages anew")

var regexpID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// What is different every time stands in golden pages as a word: the hash of the assets, ids, and times, which a test of its own tells.
var different = []struct {
	pattern *regexp.Regexp
	word    string
}{
	{regexp.MustCompile(`/assets/[0-9a-f]{12}/`), "/assets/HASH/"},
	{regexpID, "ID"},
	{regexp.MustCompile(`<time datetime="[^"]*" title="[^"]*">[^<]*</time>`), "<time>WHEN</time>"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?`), "WHEN"},
	{regexp.MustCompile(`class="tag" data-hue="[1-6]"`), `class="tag" data-hue="HUE"`}, // made from the id
	{regexp.MustCompile(`class=tag data-hue=[1-6]`), `class=tag data-hue=HUE`},
	{regexp.MustCompile(`<span title="WHEN">[^<]*</span>`), "<span>WHEN</span>"},
	{regexp.MustCompile(`(<td[^>]*) title="WHEN">[^<]*`), "$1>WHEN"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d%3A\d\d%3A\d\dZ`), "WHEN"},   // in an address
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d(%3A|%253A|:)\d\d`), "WHEN"}, // as the control of the past sends it
	{regexp.MustCompile(`customers-\d{8}-\d{6}`), "customers-WHEN"},       // a file of an export
	{regexp.MustCompile(`cursor=[A-Za-z0-9_-]{20,}`), "cursor=CURSOR"},
	{regexp.MustCompile(`\d\d:\d\d:\d\d [A-Z]{3,4}`), "NOW"},
	{regexp.MustCompile(`\b\d+ (秒|s\b)`), "N $1"}, // how long something took
	{regexp.MustCompile(`\?q=[A-Za-z0-9_-]{12}`), "?q=QUERY"},
	{regexp.MustCompile(`%3Fq%3D[A-Za-z0-9_-]{12}`), "%3Fq%3DQUERY"},

	{regexp.MustCompile(`(版本|version) \d+`), "$1 N"}, // of a read model: a matter of its own
}

// golden compares what is a page's own, its title and its main part, with testdata/golden/<name>.html, or writes that with -update.
func (s shown) golden(name string) shown {
	s.t.Helper()
	title := regexp.MustCompile(`<title>.*</title>`).FindString(s.body)
	main := regexp.MustCompile(`(?s)<main .*</main>`).FindString(s.body)
	if title == "" || main == "" {
		s.t.Fatalf("%s is no page: %s", s.path, s.body)
	}
	s.compare(name, title+"\n"+main+"\n")
	return s
}

// goldenFrame compares what is around every page. Which places there are in the navigation, pages add.
func (s shown) goldenFrame(name string) shown {
	s.t.Helper()
	frame := regexp.MustCompile(`(?s)<main .*</main>`).ReplaceAllString(s.body, "<main>…</main>")
	frame = regexp.MustCompile(`(?s)\n    <section aria-label.*?</section>`).ReplaceAllString(frame, "")
	frame = regexp.MustCompile(`\n        <a href="/[^\n]*`).ReplaceAllString(frame, "")
	s.compare(name, frame)
	return s
}

func (s shown) compare(name, got string) {
	s.t.Helper()
	for _, d := range different {
		got = d.pattern.ReplaceAllString(got, d.word)
	}
	path := filepath.Join("testdata", "golden", name+".html")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			s.t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatalf("%v: run go test ./api/pages -run %s -update, and look at what it writes", err, s.t.Name())
	}
	if got != string(want) {
		s.t.Errorf("%s is not %s. If it is meant to be so: go test ./api/pages -run %s -update\n%s", s.path, path, s.t.Name(), firstDifference(string(want), got))
	}
}

func firstDifference(want, got string) string {
	wants, gots := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(wants), len(gots)) {
		if wants[i] != gots[i] {
			return "want " + wants[i] + "\ngot  " + gots[i]
		}
	}
	return "one is longer than the other"
}

// goldens is golden in Chinese and in English, in files of the names <name>.zh and <name>.en: the page is asked for in Chinese, and once more in English. So it is for pages
// that do nothing when they are asked for.
func (s shown) goldens(name string) shown {
	s.t.Helper()
	s.golden(name + ".zh")
	s.again("en").want(s.status).golden(name + ".en")
	return s
}

// goldenFrames is goldens of what is around every page.
func (s shown) goldenFrames(name string) shown {
	s.t.Helper()
	s.goldenFrame(name + ".zh")
	s.again("en").want(s.status).goldenFrame(name + ".en")
	return s
}
