package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"customercenter/api/accounts"
	"customercenter/commands/policies"
)

// fewBytes is how much room on a disk is too little.
const fewBytes = 5 << 30

// files looks at what lies on this machine: room, and secrets.
func (c *clinic) files() {
	if info, err := os.Stat(c.Data); err != nil || !info.IsDir() {
		return // a system of servers elsewhere
	}
	free, all, err := diskRoom(c.Data)
	if err == nil && free < fewBytes && free*10 < all {
		err = fmt.Errorf("%d MiB of %d MiB are left", free>>20, all>>20)
	}
	c.show(finding{what: "room on the disk of " + filepath.Base(c.Data), err: err, mend: "make room before it is full: Postgres stops then. The largest are postgres/ and nats/ in it", note: fmt.Sprintf("(%d GiB free)", free>>30)})
	for _, name := range []string{filepath.Join(c.Data, "master.key"), c.MasterKeyFile, runFile(c.Data)} {
		info, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			err = fmt.Errorf("others may read it (mode %04o)", info.Mode().Perm())
		}
		c.show(finding{what: filepath.Base(name), err: err, mend: "chmod 600 " + name + ", and think of who may have read it"})
	}
}

// bus looks at NATS and the streams.
func (c *clinic) bus() {
	if c.NatsURL == "" {
		c.show(finding{what: "NATS", err: errors.New("no address is known"), mend: "set NATS_URL"})
		return
	}
	ctx, cancel := context.WithTimeout(c.env.ctx, 15*time.Second)
	defer cancel()
	nc, err := dialNATS(ctx, c.NatsURL)
	if !c.show(finding{what: "NATS", err: err, mend: "is it running (`customercenter up`), and is NATS_URL right?"}) {
		return
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	var account *jetstream.AccountInfo
	if err == nil {
		account, err = js.AccountInfo(ctx)
	}
	if err == nil && account.Limits.MaxStore > 0 && account.Store*10 > uint64(account.Limits.MaxStore)*8 {
		err = fmt.Errorf("%d MiB of %d MiB are used", account.Store>>20, account.Limits.MaxStore>>20)
	}
	if !c.show(finding{what: "JetStream", err: err, mend: "is it on (nats-server -js)? If it is full, raise max_file_store; CC_EVENTS may be made smaller, it can be filled again"}) {
		return
	}
	for _, name := range streams {
		c.stream(ctx, js, name)
	}
}

func (c *clinic) stream(ctx context.Context, js jetstream.JetStream, name string) {
	var info *jetstream.StreamInfo
	err := c.patiently(ctx, func() error {
		stream, err := js.Stream(ctx, name)
		if err == nil {
			info = stream.CachedInfo()
		}
		if name == policies.StreamGroups && errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil // it is made when the first enters a group
		}
		return err
	})
	f := finding{what: "stream " + name, err: err, mend: "the parts make their streams when they start: is JetStream on (nats-server -js), and have relay and policies run?"}
	if info == nil {
		f.note = "(not there yet)"
		c.show(f)
		return
	}
	f.note = fmt.Sprintf("(%d messages, %d MiB)", info.State.Msgs, info.State.Bytes>>20)
	if cluster := info.Cluster; cluster != nil {
		if cluster.Leader == "" {
			f.err, f.mend = errors.New("it has no leader"), "more than half of the servers that keep it must run: look at the others' logs"
		}
		for _, r := range cluster.Replicas {
			if r.Offline || !r.Current && r.Lag > 1000 {
				f.err, f.mend, f.minor = errors.Join(f.err, fmt.Errorf("the copy on %s is away or behind by %d", r.Name, r.Lag)), "is that server running, and has it room? Messages are safe as long as more than half of the copies are there", cluster.Leader != ""
			}
		}
	}
	if most := info.Config.MaxBytes; f.err == nil && name == "CC_IN" && most > 0 && info.State.Bytes*2 > uint64(most) {
		f.err, f.mend = fmt.Errorf("the queue is %d %% full", info.State.Bytes*100/uint64(most)), "when it is full, channels are refused. Is a process with the role policies running, and the database?"
	}
	if f.err == nil && name == "CC_DEAD" && info.State.Msgs > 0 {
		f.err, f.minor, f.mend = fmt.Errorf("%s could not be carried out", howMany(int(info.State.Msgs), "channel event")), true, "`customercenter dead list` says why; mend the channel, then `customercenter dead resend`, or discard them"
	}
	c.show(f)
}

// certificate looks at the one that people's browsers are shown.
func (c *clinic) certificate() {
	u, err := url.Parse(c.publicURL)
	if c.publicURL == "" || err != nil || u.Scheme != "https" {
		return
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	ctx, cancel := context.WithTimeout(c.env.ctx, 10*time.Second)
	defer cancel()
	conn, err := (&tls.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	var until time.Time
	if err == nil {
		until = conn.(*tls.Conn).ConnectionState().PeerCertificates[0].NotAfter
		err = conn.Close()
	}
	if left := time.Until(until); err == nil && left < 14*24*time.Hour {
		err = fmt.Errorf("it ends in %s", left.Round(time.Hour))
	}
	c.show(finding{what: "certificate of " + u.Host, err: err, mend: "renew it, and see why that does not happen by itself", note: "(until " + until.UTC().Format(time.DateOnly) + ")"})
}

// company looks at the provider of the company's accounts, from this machine.
func (c *clinic) company() {
	if c.issuer == "" {
		return
	}
	ctx, cancel := context.WithTimeout(c.env.ctx, 15*time.Second)
	defer cancel()
	c.show(finding{what: "company accounts", err: accounts.New(accounts.Config{Issuer: c.issuer}).Check(ctx), note: "(" + c.issuer + ")",
		mend: "is the provider up, can this machine reach it, and is " + c.issuer + " exactly what it calls itself? Until then people sign in by tokens and one-time links: `customercenter sign-in-link`"})
}

// diskRoom is how many bytes of a file system anybody may still use, and how many it has.
func diskRoom(path string) (free, all uint64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return 0, 0, err
	}
	return uint64(s.Bavail) * uint64(s.Bsize), s.Blocks * uint64(s.Bsize), nil
}
