package main

import (
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
)

// hushing takes out of the text of an error what libraries may quote and nobody is to read: names and passwords in addresses, tokens, sign-in links.
var hushing = []struct {
	secret *regexp.Regexp
	with   string
}{
	{regexp.MustCompile(`(://)[^/@\s"]+@`), "$1…@"},
	{regexp.MustCompile(`(?i)\b((?:ssl)?password=)(?:'[^']*'|[^&\s"]+)`), "$1…"},
	{regexp.MustCompile(`\bcc_[A-Za-z0-9_-]{43}`), "cc_…"},
	{regexp.MustCompile(`(/sign-in/)[A-Za-z0-9_-]{43}`), "$1…"},
}

func hushed(text string) string {
	for _, h := range hushing {
		text = h.secret.ReplaceAllString(text, h.with)
	}
	return text
}

// hush is a slog.HandlerOptions.ReplaceAttr: errors are logged without secrets.
func hush(_ []string, a slog.Attr) slog.Attr {
	if err, is := a.Value.Any().(error); is && a.Value.Kind() == slog.KindAny {
		a.Value = slog.StringValue(hushed(err.Error()))
	}
	return a
}

// exposed refuses to run for long with a secret in the command line, which everybody on the machine can read as long as the process runs.
func exposed(command *kong.Context) error {
	if name, _, _ := strings.Cut(command.Command(), " "); name != "up" && name != "serve" {
		return nil
	}
	for _, given := range command.Path { // what comes from the environment is not among it
		if given.Flag == nil {
			continue
		}
		variable := ""
		switch value := fmt.Sprint(given.Flag.Target.Interface()); given.Flag.Name {
		case "master-key":
			variable = "CUSTOMERCENTER_MASTER_KEY, or --master-key-file"
		case "database-url":
			if carriesSecret(value) {
				variable = "DATABASE_URL"
			}
		case "nats-url":
			if carriesSecret(value) {
				variable = "NATS_URL"
			}
		}
		if variable != "" {
			return usageError{fmt.Sprintf("--%s holds a secret, and everybody on this machine can read it in the process list: use %s", given.Flag.Name, variable)}
		}
	}
	return nil
}

// carriesSecret reports whether one of several addresses, or a connection string, has a password or a token in it. A name alone is none for Postgres, and a token for NATS.
func carriesSecret(addresses string) bool {
	if strings.Contains(strings.ToLower(addresses), "password=") {
		return true
	}
	for address := range strings.SplitSeq(addresses, ",") {
		u, err := url.Parse(strings.TrimSpace(address))
		if err != nil {
			return strings.Contains(address, "@")
		}
		if u.User != nil {
			if _, has := u.User.Password(); has || !strings.HasPrefix(u.Scheme, "postgres") {
				return true
			}
		}
	}
	return false
}
