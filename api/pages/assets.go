package pages

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"
)

//go:embed assets
var assetFiles embed.FS

// assets are style sheets, scripts and pictures. Their addresses name the hash of them all, so that browsers keep them for ever and a new
// version of the program has new ones.
type assets struct {
	hash  string
	files map[string]asset
}

type asset struct {
	kind        string
	plain, gzip []byte // gzip is nil if it would gain nothing
}

var assetKinds = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

// loadAssets reads and compresses all assets, once. Style sheets are joined into style.css, tokens first, and scripts into script.js, htmx first,
// the others in the order of their names.
func loadAssets() *assets {
	a := &assets{files: map[string]asset{}}
	a.add("style.css", joined("assets/style", ".css", "tokens.css"))
	a.add("script.js", joined("assets/script", ".js", "htmx.min.js"))
	for _, name := range []string{"icons.svg", "favicon.svg"} {
		a.add(name, read("assets/"+name))
	}
	all := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(a.files)) {
		all.Write(a.files[name].plain)
	}
	a.hash = hex.EncodeToString(all.Sum(nil)[:6])
	return a
}

// joined is all files of a folder that end in ext.
func joined(folder, ext, first string) []byte {
	entries, err := assetFiles.ReadDir(folder) // sorted
	if err != nil {
		panic(err) // embedded: cannot fail
	}
	text := read(folder + "/" + first)
	for _, entry := range entries {
		if path.Ext(entry.Name()) == ext && entry.Name() != first {
			text = append(append(text, '\n'), read(folder+"/"+entry.Name())...)
		}
	}
	return text
}

func read(name string) []byte {
	text, err := assetFiles.ReadFile(name)
	if err != nil {
		panic(err) // embedded: cannot fail
	}
	return text
}

func (a *assets) add(name string, plain []byte) {
	a.files[name] = asset{kind: assetKinds[path.Ext(name)], plain: plain, gzip: compress(plain, gzip.BestCompression)}
}

// compress returns nil if compressing gains nothing.
func compress(plain []byte, level int) []byte {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		panic(err) // the level is one of gzip's
	}
	_, _ = z.Write(plain) // a buffer takes everything
	_ = z.Close()
	if b.Len() >= len(plain) {
		return nil
	}
	return b.Bytes()
}

// path is where browsers find an asset.
func (a *assets) path(name string) string {
	if _, ok := a.files[name]; !ok {
		panic("pages: there is no asset " + name)
	}
	return "/assets/" + a.hash + "/" + name
}

// serve answers with an asset. One of another version's hash is given too, while processes of two versions run, but not kept.
func (a *assets) serve(w http.ResponseWriter, r *http.Request) {
	found, ok := a.files[chi.URLParam(r, "name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "no-cache")
	if chi.URLParam(r, "hash") == a.hash {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	w.Header().Set("Content-Type", found.kind)
	w.Header().Add("Vary", "Accept-Encoding")
	body := found.plain
	if found.gzip != nil && takesGzip(r) {
		w.Header().Set("Content-Encoding", "gzip")
		body = found.gzip
	}
	_, _ = w.Write(body) // a caller who is gone needs no answer
}

func takesGzip(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept-Encoding"), "gzip")
}
