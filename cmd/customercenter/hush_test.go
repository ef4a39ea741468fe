package main

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
)

func TestErrorsTellNoSecrets(t *testing.T) {
	token := "cc_" + strings.Repeat("aB3-_xyz", 6)[:43]
	for _, text := range []string{
		`parse "nats://s3cret@bad host": invalid character " " in host name`, `nats://user:s3cret@10.0.0.1:4222, nats://s3cret@10.0.0.2:4222`,
		`cannot parse postgres://u:s3cret@h:port/x`, `host=h password=s3cret port=x`, `host=h PASSWORD='s3cret s3cret' port=x`, `postgres://h/x?sslpassword=s3cret&port=x`,
	} {
		if got := hushed(text); strings.Contains(got, "s3cret") || got == text {
			t.Errorf("%s becomes %s", text, got)
		}
	}
	for _, text := range []string{"token " + token + " is wrong", "GET http://h/sign-in/" + token[3:46]} {
		if got := hushed(text); strings.Contains(got, token[3:20]) {
			t.Errorf("%s becomes %s", text, got)
		}
	}
	for _, text := range []string{"dial tcp 127.0.0.1:5432: connect: connection refused", `Post "https://login.example.com/oauth/token": EOF`, "an address such as a@b.example"} {
		if got := hushed(text); got != text {
			t.Errorf("%s becomes %s", text, got)
		}
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: hush})).Warn("it failed", "error", errors.New("nats://s3cret@h"), "n", 7)
	if !strings.Contains(log.String(), "error=nats://…@h n=7") {
		t.Errorf("the log says %s", &log)
	}
}

func TestWhatCarriesASecret(t *testing.T) {
	for address, want := range map[string]bool{
		"postgres://u:p@h/x": true, "postgres://u@h/x": false, "postgres://h/x?password=p": true, "host=h user=u password=p": true, "host=h user=u": false,
		"nats://h:4222": false, "nats://token@h:4222": true, "nats://a:4222,nats://u:p@b:4222": true, "nats://t@bad host": true, "": false,
	} {
		if got := carriesSecret(address); got != want {
			t.Errorf("%q: %v", address, got)
		}
	}
}
