// Command screenshottest takes the pictures of the README from a running `customercenter up --demo`, in a real Chromium:
//
//	go run ./internal/screenshottest --data data                 # all of them
//	go run ./internal/screenshottest --data data sessions.zh     # some of them
//
// Names have emoji in them: install a font that has some (fonts-noto-color-emoji), or there are boxes. It fails if a page is not there, and writes nothing of it then. That the folder's name ends in "test" keeps the browser's driver out of the product.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// picture is a page as somebody sees it.
type picture struct {
	name     string // of the file, without .webp
	role     string // whose token signs in
	path     string
	follow   string // what to click then, by a selector: the way to a page whose address has an id. Empty: nothing
	language string // zh or en
	dark     bool
}

// pictures are those of the README, of the demo's own data. A new one is one line here, and one there.
var pictures = []picture{
	{name: "customers.zh", role: "admin", path: "/customers", language: "zh"},
	{name: "customers.en", role: "admin", path: "/customers", language: "en"},
	{name: "customer.zh", role: "admin", path: "/sessions?rating=high&state=closed", follow: "tbody tr:nth-child(2) .lead a", language: "zh"},
	{name: "customer.en", role: "admin", path: "/sessions?rating=high&state=closed", follow: "tbody tr:nth-child(2) .lead a", language: "en"},
	{name: "import.zh", role: "admin", path: "/import", language: "zh"},
	{name: "import.en", role: "admin", path: "/import", language: "en"},
	{name: "sessions.zh", role: "admin", path: "/sessions", language: "zh"},
	{name: "sessions.en", role: "admin", path: "/sessions", language: "en"},
	{name: "system.zh", role: "operator", path: "/system", language: "zh", dark: true},
	{name: "system.en", role: "operator", path: "/system", language: "en", dark: true},
}

func main() {
	data := flag.String("data", "data", "data directory of the running `customercenter up --demo`")
	out := flag.String("out", filepath.Join("docs", "screenshots"), "where the pictures go")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := take(ctx, *data, *out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "screenshots:", err)
		os.Exit(1)
	}
}

// take takes the pictures that are named, or all.
func take(ctx context.Context, data, out string, names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(pictures, func(p picture) bool { return p.name == name }) {
			return fmt.Errorf("there is no picture %q", name)
		}
	}
	var running struct {
		URL    string
		Tokens map[string]string
	}
	text, err := os.ReadFile(filepath.Join(data, "run.json"))
	if err == nil {
		err = json.Unmarshal(text, &running)
	}
	if err != nil {
		return fmt.Errorf("is `customercenter up --demo` running there? %w", err)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.Flag("headless", "new"), chromedp.Flag("disable-dev-shm-usage", true))
	for _, name := range []string{"chromium", "chromium-headless-shell"} { // as `make setup` installs them; else the driver looks for another one
		if path, err := exec.LookPath(name); err == nil {
			options = append(options, chromedp.ExecPath(path))
			break
		}
	}
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium's own does not work for root
	}
	ctx, cancel := chromedp.NewExecAllocator(ctx, options...)
	defer cancel()
	browser, cancelBrowser := chromedp.NewContext(ctx)
	defer cancelBrowser()
	if err := chromedp.Do(browser); err != nil {
		return err
	}
	var failed error
	for _, p := range pictures {
		if len(names) > 0 && !slices.Contains(names, p.name) {
			continue
		}
		size, err := p.take(browser, running.URL, running.Tokens[p.role], out)
		if err != nil {
			failed = fmt.Errorf("%s: %w", p.name, err)
			fmt.Fprintln(os.Stderr, failed)
			continue
		}
		fmt.Printf("%s.webp %d KiB\n", p.name, size>>10)
	}
	return failed
}

// take takes one, in a window that shares nothing with others, and returns its size in bytes.
func (p picture) take(browser context.Context, url, token, out string) (int, error) {
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	defer cancel()
	if err := chromedp.Do(ctx); err != nil { // opens it
		return 0, err
	}
	limited, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	scheme, width, height := "light", int64(1440), int64(900)
	if p.dark {
		scheme = "dark"
	}
	err := chromedp.Do(limited,
		command(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1}),
		command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}),
		command(network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": p.language}}),
		chromedp.Navigate(url+"/sign-in"),
		chromedp.SendKeys(chromedp.CSS("#f-token"), token+"\r"),
		chromedp.WaitVisible(chromedp.CSS("#nav")),
		chromedp.Navigate(url+p.path),
		chromedp.Sleep(time.Second), // parts are fetched once the page is there
	)
	if err == nil && p.follow != "" {
		err = chromedp.Do(limited, chromedp.Click(chromedp.CSS(p.follow), chromedp.NodeVisible), chromedp.Sleep(2*time.Second))
	}
	if err != nil {
		return 0, err
	}
	trouble, err := chromedp.Run(limited, chromedp.Evaluate[string](`document.querySelector("main .empty code")?.closest(".empty").innerText ?? (document.querySelector("main h1") ? "" : "no page")`))
	if err == nil && trouble != "" {
		err = fmt.Errorf("%s shows: %s", p.path, trouble)
	}
	if err != nil {
		return 0, err
	}
	quality := int64(82)
	var image []byte
	err = chromedp.Do(limited, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		shot, err := cdp.Call(ctx, t, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatWebp, Quality: &quality})
		if err == nil {
			image = shot.Data
		}
		return err
	}))
	if err != nil {
		return 0, err
	}
	return len(image), os.WriteFile(filepath.Join(out, p.name+".webp"), image, 0o644)
}

// command is a command of the protocol as an action.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}
