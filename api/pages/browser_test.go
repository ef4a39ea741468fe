package pages

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"customercenter/api/access"
)

// chromium is the one browser of all tests of this package. It starts with the first test that needs it.
var chromium struct {
	once sync.Once
	ctx  context.Context
	stop func()
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if chromium.stop != nil {
		chromium.stop()
	}
	os.Exit(code)
}

// findChromium finds a Chromium as make setup installs one, or a Chrome.
func findChromium() (string, error) {
	if path := os.Getenv("CHROMIUM"); path != "" {
		return path, nil
	}
	for _, name := range []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "headless_shell",
		"/Applications/Chromium.app/Contents/MacOS/Chromium", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no Chromium, in which the pages are tested: run make setup, or set CHROMIUM to a Chromium or Chrome")
}

func startChromium() {
	path, err := findChromium()
	if err != nil {
		chromium.err = err
		return
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.Flag("headless", "new"),
		chromedp.Flag("font-render-hinting", "none"), chromedp.Flag("disable-dev-shm-usage", true))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium's own does not work for root
	}
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, stop := chromedp.NewContext(allocator)
	chromium.ctx, chromium.stop = ctx, func() { stop(); stopAllocator() }
	chromium.err = chromedp.Do(ctx)
}

// wide and narrow are how wide windows are, in pixels.
const (
	wide   = 1440
	narrow = 390
)

// longest is how long a test waits for what is to happen. It is long, as machines may be busy with other tests.
const longest = time.Minute

// look is how a window shows pages.
type look struct {
	language string // zh or en
	dark     bool
	width    int64         // 0: wide
	time     time.Duration // how long it may be open; 0: 5 minutes
}

// window is one of the browser that shares nothing with others. Whatever goes wrong in it fails the test: an exception of the script, an error on
// the console, something that the security policy does not allow.
type window struct {
	t        testing.TB
	w        *world
	ctx      context.Context
	close    func()
	mu       sync.Mutex
	troubles []string
	refused  []string // what the server is to refuse in this test, which the console tells: a status and how the path begins; "net" if it is not to be reached
}

// window opens one in which somebody of a role is signed in; with an empty role, nobody is.
func (w *world) window(role access.Role, l look) *window {
	t := w.t
	t.Helper()
	chromium.once.Do(startChromium)
	if chromium.err != nil {
		t.Fatal(chromium.err)
	}
	b := &window{t: t, w: w}
	ctx, cancel := chromedp.NewContext(chromium.ctx, chromedp.WithNewBrowserContext(), chromedp.WithListener(b.hear))
	ctx, cancelTime := context.WithTimeout(ctx, cmp.Or(l.time, 5*time.Minute))
	b.ctx = ctx
	b.close = sync.OnceFunc(func() {
		b.troubled()
		cancelTime()
		cancel()
	})
	t.Cleanup(b.close)
	if err := chromedp.Do(ctx); err != nil { // opens it; a context that ends sooner would close it
		t.Fatal(err)
	}
	b.dark(l.dark).sized(cmp.Or(l.width, wide))
	b.do(
		command(cdplog.Enable, cdp.Empty{}),
		command(network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": l.language}}),
	)
	if role != "" {
		secret, err := w.signIns.Open(t.Context(), w.made[role].ID)
		if err != nil {
			t.Fatal(err)
		}
		b.do(command(network.SetCookie, network.SetCookieParams{Name: "cc_sign_in", Value: secret, URL: w.server.URL}))
	}
	return b
}

// dark gives the window the dark theme, or the light one.
func (b *window) dark(is bool) *window {
	b.t.Helper()
	scheme := "light"
	if is {
		scheme = "dark"
	}
	b.do(command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}}))
	return b
}

// sized makes the window wide or narrow; a narrow one is a telephone's.
func (b *window) sized(width int64) *window {
	b.t.Helper()
	metrics := emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 900, DeviceScaleFactor: 1}
	if width == narrow {
		metrics.Height, metrics.Mobile = 844, true
	}
	b.do(command(emulation.SetDeviceMetricsOverride, metrics))
	return b
}

// command is a command of the protocol as an action.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

// hear notes what must not happen.
func (b *window) hear(event any) {
	trouble := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		trouble = "exception: " + e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			trouble += " " + e.ExceptionDetails.Exception.Description
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			trouble = "console: "
			for _, arg := range e.Args {
				trouble += string(arg.Value) + " " + arg.Description
			}
		}
	case *cdplog.EventEntryAdded:
		if e.Entry.Level == cdplog.EntryLevelError || e.Entry.Source == cdplog.EntrySourceSecurity {
			trouble = string(e.Entry.Source) + ": " + e.Entry.Text + " " + e.Entry.URL
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if trouble != "" && !slices.ContainsFunc(b.refused, func(expected string) bool {
		status, path, _ := strings.Cut(expected, " ")
		return (strings.Contains(trouble, "status of "+status+" ") || status == "net" && strings.Contains(trouble, "net::ERR_")) && strings.Contains(trouble, " "+b.w.server.URL+path) ||
			status == "net" && strings.Contains(trouble, "Failed to fetch") // as htmx tells it
	}) {
		b.troubles = append(b.troubles, trouble)
	}
}

// refuses says what the server is to refuse in this test, such as "422 /tags": the status, and how the path begins.
func (b *window) refuses(expected ...string) *window {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refused = append(b.refused, expected...)
	return b
}

func (b *window) troubled() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, trouble := range b.troubles {
		b.t.Errorf("in the browser: %s", trouble)
	}
	b.troubles = nil
}

// do carries out actions within the longest time.
func (b *window) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, longest)
	defer cancel()
	b.went(chromedp.Do(ctx, actions...))
}

// went ends the test if an action failed, with a picture of where it did.
func (b *window) went(err error) {
	b.t.Helper()
	if err == nil {
		return
	}
	b.troubled()
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	focus, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.activeElement?.outerHTML.slice(0, 200) ?? "nowhere"`)) // a page that is gone has none
	b.t.Fatalf("in the browser: %v; the focus is at %s; see %s", err, focus, b.picture(cmp.Or(os.Getenv("PAGES_SHOTS"), os.TempDir()), "trouble."+strings.ReplaceAll(b.t.Name(), "/", ".")))
}

// visit opens a page and waits until its links and forms are those of the script. Before that they work, too, but each leads to a page of its own.
func (b *window) visit(path string) *window {
	b.t.Helper()
	b.do(chromedp.Navigate(b.w.server.URL + path))
	return b.until(`!document.body?.matches(".shell") || document.querySelector("main [data-htmx-powered], nav [data-htmx-powered]")`)
}

// The selectors are those of CSS.

func (b *window) click(selector string) *window {
	b.t.Helper()
	place := fmt.Sprintf(`(e => {
			if (!e?.checkVisibility({visibilityProperty: true})) return [];
			e.scrollIntoView({block: "nearest", inline: "nearest", behavior: "instant"});
			const {left, top, width, height} = e.getClientRects()[0], at = [left + width / 2, top + height / 2], hit = document.elementFromPoint(...at);
			return hit && (e.contains(hit) || hit.closest("label")?.control === e) ? at : [];
		})(document.querySelector(%s))`, quoted(selector))
	var at, before []float64
	b.eventually("to click "+selector, func(ctx context.Context) (is bool, err error) { // where it rests, and nothing covers it
		before = at
		at, err = chromedp.Run(ctx, chromedp.Evaluate[[]float64](place))
		return len(at) == 2 && slices.Equal(at, before), err
	})
	for _, event := range []input.DispatchMouseEventType{input.DispatchMouseEventTypeMouseMoved, input.DispatchMouseEventTypeMousePressed, input.DispatchMouseEventTypeMouseReleased} {
		mouse := input.DispatchMouseEventParams{Type: event, X: at[0], Y: at[1]}
		if event != input.DispatchMouseEventTypeMouseMoved {
			mouse.Button, mouse.ClickCount = input.MouseButtonLeft, 1
		}
		b.do(command(input.DispatchMouseEvent, mouse))
	}
	return b
}

// write replaces what an input holds.
func (b *window) write(selector, text string) *window {
	b.t.Helper()
	b.sees(selector).until(fmt.Sprintf("(e => (e.focus(), e.select(), document.activeElement === e))(document.querySelector(%s))", quoted(selector)))
	b.do(command(input.InsertText, input.InsertTextParams{Text: text}))
	return b
}

// focus puts the focus somewhere.
func (b *window) focus(selector string) *window {
	b.t.Helper()
	return b.until(fmt.Sprintf("(e => e && (e.focus(), document.activeElement === e))(document.querySelector(%s))", quoted(selector)))
}

// press presses keys one after the other, wherever the focus is: kb.Enter, kb.Tab, "j", or a text.
func (b *window) press(keys ...string) *window {
	b.t.Helper()
	for _, r := range strings.Join(keys, "") {
		for _, event := range typed(r) {
			b.do(command(input.DispatchKeyEvent, *event))
		}
	}
	return b
}

// typed is what a keyboard sends for a key: unlike in kb.Encode, its character belongs to its going down, so that whoever handles that key keeps
// the character away.
func typed(r rune) []*input.DispatchKeyEventParams {
	events := kb.Encode(r)
	if len(events) == 3 {
		down, char := events[0], events[1]
		down.Text, down.UnmodifiedText = char.Text, char.UnmodifiedText
		return []*input.DispatchKeyEventParams{down, events[2]}
	}
	return events
}

// sees waits until something is visible.
func (b *window) sees(selector string) *window {
	b.t.Helper()
	return b.until(fmt.Sprintf("document.querySelector(%s)?.checkVisibility({visibilityProperty: true})", quoted(selector)))
}

// says waits until what a selector finds says a text.
func (b *window) says(selector, text string) *window {
	b.t.Helper()
	return b.until(fmt.Sprintf("document.querySelector(%s)?.textContent.includes(%s)", quoted(selector), quoted(text)))
}

// until waits, up to the longest time, until an expression of the script's language is true. Meanwhile the window may go to another page.
func (b *window) until(expression string) *window {
	b.t.Helper()
	b.eventually(expression, func(ctx context.Context) (bool, error) {
		return chromedp.Run(ctx, chromedp.Evaluate[bool]("(async () => !!(await ("+expression+")))()", chromedp.EvalAwaitPromise))
	})
	return b
}

// eventually asks again and again, up to the longest time, until the answer is yes.
func (b *window) eventually(what string, is func(context.Context) (bool, error)) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, longest)
	defer cancel()
	for {
		yes, err := is(ctx)
		if err == nil && yes {
			return
		}
		select {
		case <-ctx.Done():
			b.went(fmt.Errorf("%s: %w", what, cmp.Or(err, ctx.Err())))
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// value is what an expression of the script's language gives.
func value[T any](b *window, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, longest)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	b.went(err)
	return v
}

func quoted(text string) string {
	q, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(q)
}

// address is the path and query that the window shows.
func (b *window) address() string {
	b.t.Helper()
	u, err := url.Parse(value[string](b, "location.href"))
	if err != nil {
		b.t.Fatal(err)
	}
	return u.RequestURI()
}

//go:embed testdata/axe/axe.min.js
var axe string

// accessible checks the page as it is now with axe-core: no violation, and nothing wider than the window.
func (b *window) accessible() *window {
	b.t.Helper()
	b.obeys(`resultTypes: ["violations"]`)
	return b.fits()
}

// legible checks what the theme and the width decide, where accessible has checked the rest.
func (b *window) legible() *window {
	b.t.Helper()
	b.obeys(`resultTypes: ["violations"], runOnly: ["color-contrast", "link-in-text-block", "scrollable-region-focusable"]`)
	return b
}

// obeys checks the page with axe-core, run with some options.
func (b *window) obeys(options string) {
	b.t.Helper()
	type violation struct {
		ID    string `json:"id"`
		Help  string `json:"help"`
		Nodes []struct {
			HTML    string `json:"html"`
			Summary string `json:"failureSummary"`
		} `json:"nodes"`
	}
	if !value[bool](b, `"axe" in window`) {
		value[any](b, axe+"; null")
	}
	for _, v := range value[[]violation](b, `axe.run(document, {`+options+`}).then(r => r.violations)`) {
		for _, n := range v.Nodes {
			b.t.Errorf("%s: axe-core: %s (%s): %s\n%s", b.address(), v.Help, v.ID, n.HTML, n.Summary)
		}
	}
}

// fits checks that nothing is wider than the window.
func (b *window) fits() *window {
	b.t.Helper()
	if over := value[int](b, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); over > 0 {
		b.t.Errorf("%s: the page is %d px wider than the window", b.address(), over)
	}
	return b
}

// shot takes a picture of the window into PAGES_SHOTS, if that is set.
func (b *window) shot(name string) {
	b.t.Helper()
	if dir := os.Getenv("PAGES_SHOTS"); dir != "" {
		b.picture(dir, name)
	}
}

// picture takes a picture of the window into a folder and returns where it is.
func (b *window) picture(dir, name string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	path := filepath.Join(dir, name+".png")
	if err == nil {
		err = os.WriteFile(path, png, 0o644)
	}
	if err != nil {
		b.t.Errorf("no picture of %s: %v", name, err)
	}
	return path
}

// themes are their names in pictures, the dark one under true.
var themes = map[bool]string{false: "light", true: "dark"}

// looks opens pages, each given by a name and its path, after a status if it is to be another than 200, in Chinese in a wide window of the light theme and in English in a narrow one of the dark theme. It checks
// each with all rules in both, what the other theme changes there, and whether it fits either width, and takes pictures of it as <name>.<language>.<theme>.<width>.
func (w *world) looks(role access.Role, namesAndPaths ...string) {
	w.t.Helper()
	for _, l := range []look{{language: "zh"}, {language: "en", width: narrow, dark: true}} {
		b := w.window(role, l)
		width := cmp.Or(l.width, wide)
		other := wide + narrow - width
		for i := 0; i+1 < len(namesAndPaths); i += 2 {
			name := namesAndPaths[i] + "." + l.language
			path := namesAndPaths[i+1]
			if status, rest, has := strings.Cut(path, " "); has {
				path = rest
				b.refuses(status + " " + path)
			}
			b.visit(path).accessible().shot(fmt.Sprintf("%s.%s.%d", name, themes[l.dark], width))
			b.dark(!l.dark).legible().shot(fmt.Sprintf("%s.%s.%d", name, themes[!l.dark], width))
			b.dark(l.dark)
			b.sized(other).until(fmt.Sprintf("matchMedia('(width: %dpx)').matches", other)).fits().shot(fmt.Sprintf("%s.%d", name, other))
			b.sized(width).troubled()
		}
		b.close()
	}
}
