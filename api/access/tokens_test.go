package access_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/api/access"
	"customercenter/eventstore"
	"customercenter/internal/pgtest"
)

// clock is a time that the test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// migrated is a template that changes with the migrations.
func migrated(t *testing.T) pgtest.Template {
	t.Helper()
	hash := sha256.New()
	err := fs.WalkDir(eventstore.Migrations(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(eventstore.Migrations(), path)
		fmt.Fprintf(hash, "%s %d\n%s", path, len(text), text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return pgtest.Template{Name: "migrated " + hex.EncodeToString(hash.Sum(nil)), Migrate: eventstore.Migrate}
}

// start returns the tokens of a database with the tenants acme and other.
func start(t *testing.T) (*access.Tokens, *pgxpool.Pool, *clock) {
	t.Helper()
	pool := pgtest.New(t, migrated(t))
	_, err := pool.Exec(t.Context(), `insert into tenants (slug, name, secret, master) values ('acme', 'Acme', '', ''), ('other', 'Other', '', '')`)
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{at: time.Now().UTC().Truncate(time.Microsecond)}
	secret := func(_ context.Context, tenant string) ([]byte, error) { return []byte("secret of " + tenant), nil }
	return access.NewTokens(pool, c.now, secret), pool, c
}

func TestATokenSaysWhoSomebodyIs(t *testing.T) {
	tokens, pool, _ := start(t)
	for _, c := range []struct {
		new  access.New
		want access.Principal
	}{
		{access.New{Tenant: "acme", Role: access.Admin, Actor: "a1"}, access.Principal{Tenant: "acme", Role: access.Admin, Kind: "admin", ID: "a1", Personal: true}},
		{access.New{Tenant: "acme", Role: access.Agent, Actor: "g1"}, access.Principal{Tenant: "acme", Role: access.Agent, Kind: "agent", ID: "g1", Personal: true}},
		{access.New{Tenant: "acme", Role: access.Analyst, Actor: "n1"}, access.Principal{Tenant: "acme", Role: access.Analyst, Kind: "analyst", ID: "n1"}},
		{access.New{Tenant: "acme", Role: access.Analyst, Actor: "n2", Personal: true}, access.Principal{Tenant: "acme", Role: access.Analyst, Kind: "analyst", ID: "n2", Personal: true}},
		{access.New{Tenant: "other", Role: access.Channel, Actor: "c1", Association: 3}, access.Principal{Tenant: "other", Role: access.Channel, Kind: "channel", ID: "c1", Association: 3, Personal: true}},
		{access.New{Role: access.Operator, Actor: "o1"}, access.Principal{Role: access.Operator, Kind: "operator", ID: "o1", Personal: true}},
	} {
		text, token, err := tokens.Create(t.Context(), c.new, nil)
		if err != nil {
			t.Fatalf("%+v: %v", c.new, err)
		}
		if !strings.HasPrefix(text, "cc_") || len(text) != 3+43 {
			t.Errorf("a token of %d characters", len(text))
		}
		c.want.Token = token.ID
		got, err := tokens.Verify(t.Context(), text)
		if err != nil || got != c.want {
			t.Errorf("got %+v %v, want %+v", got, err, c.want)
		}
		var stored string
		if err := pool.QueryRow(t.Context(), `select t::text from tokens t where id = $1`, token.ID).Scan(&stored); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(stored, text[3:]) {
			t.Error("the token itself is in the database")
		}
	}
}

func TestWhatIsNoTokenIsUnknown(t *testing.T) {
	tokens, _, _ := start(t)
	text, _, err := tokens.Create(t.Context(), access.New{Tenant: "acme", Role: access.Admin, Actor: "a1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{"", "cc_", text[3:], text + "x", text[:len(text)-1], strings.ToUpper(text), "cc_" + strings.Repeat("x", 10_000), "cc_\x00"} {
		if _, err := tokens.Verify(t.Context(), wrong); !errors.Is(err, access.ErrUnknown) {
			t.Errorf("%.20q: got %v, want ErrUnknown", wrong, err)
		}
	}
}

func TestExpiryAndRevocation(t *testing.T) {
	tokens, pool, clock := start(t)
	text, token, err := tokens.Create(t.Context(), access.New{Tenant: "acme", Role: access.Admin, Actor: "a1", ExpiresAt: clock.now().Add(time.Hour)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	verify := func(want error) {
		t.Helper()
		if _, err := tokens.Verify(t.Context(), text); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	verify(nil)
	clock.move(time.Hour - 1)
	verify(nil)
	clock.move(1) // believed a moment ago, and yet expired
	verify(access.ErrUnknown)

	if text, token, err = tokens.Create(t.Context(), access.New{Tenant: "acme", Role: access.Admin, Actor: "a1"}, nil); err != nil {
		t.Fatal(err)
	}
	verify(nil)
	if err := tokens.Revoke(t.Context(), "other", token.ID); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("another tenant revoked it: %v", err)
	}
	if err := tokens.Revoke(t.Context(), "", token.ID); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("an operator revoked it: %v", err)
	}
	verify(nil)
	// Revoked by another process: seen when it is no longer believed, at most five seconds later.
	other := access.NewTokens(pool, clock.now, nil)
	if err := other.Revoke(t.Context(), "acme", token.ID); err != nil {
		t.Fatal(err)
	}
	clock.move(5 * time.Second)
	verify(access.ErrUnknown)
	if err := tokens.Revoke(t.Context(), "acme", token.ID); err != nil {
		t.Errorf("revoking again: %v", err)
	}

	// Revoked by this process: seen at once.
	if text, token, err = tokens.Create(t.Context(), access.New{Tenant: "acme", Role: access.Admin, Actor: "a1"}, nil); err != nil {
		t.Fatal(err)
	}
	verify(nil)
	if err := tokens.Revoke(t.Context(), "acme", token.ID); err != nil {
		t.Fatal(err)
	}
	verify(access.ErrUnknown)
}

func TestUseIsNotedOnceAMinute(t *testing.T) {
	tokens, _, clock := start(t)
	text, token, err := tokens.Create(t.Context(), access.New{Tenant: "acme", Role: access.Admin, Actor: "a1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	first := clock.now()
	for _, step := range []struct {
		after time.Duration
		want  time.Time
	}{{0, first}, {30 * time.Second, first}, {30 * time.Second, first.Add(time.Minute)}, {59 * time.Second, first.Add(time.Minute)}} {
		clock.move(step.after)
		if _, err := tokens.Verify(t.Context(), text); err != nil {
			t.Fatal(err)
		}
		got, err := tokens.One(t.Context(), "acme", token.ID)
		if err != nil || !got.LastUsedAt.Equal(step.want) {
			t.Errorf("used at %v (%v), want %v", got.LastUsedAt, err, step.want)
		}
	}
}

func TestListShowsOneTenantPageByPage(t *testing.T) {
	tokens, _, _ := start(t)
	var want []uuid.UUID
	for i := range 5 {
		_, token, err := tokens.Create(t.Context(), access.New{Tenant: "acme", Role: access.Admin, Actor: fmt.Sprint("a", i)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		want = append([]uuid.UUID{token.ID}, want...)
		if _, _, err := tokens.Create(t.Context(), access.New{Tenant: "other", Role: access.Admin, Actor: "x"}, nil); err != nil {
			t.Fatal(err)
		}
	}
	var got []uuid.UUID
	for after := uuid.Nil; ; {
		page, next, err := tokens.List(t.Context(), "acme", after, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range page {
			got = append(got, token.ID)
		}
		if next == uuid.Nil {
			break
		}
		after = next
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTheSameRequestGetsTheSameToken(t *testing.T) {
	tokens, pool, clock := start(t)
	once := &access.Once{Tenant: "acme", Actor: "admin:a1", Route: "POST /v1/tokens", Key: "k", Body: []byte("body"), Keep: 72 * time.Hour}
	wanted := access.New{Tenant: "acme", Role: access.Agent, Actor: "g1"}
	texts := make([]string, 8)
	var together sync.WaitGroup
	for i := range texts {
		together.Go(func() {
			text, _, err := tokens.Create(t.Context(), wanted, once)
			if err != nil {
				t.Error(err)
			}
			texts[i] = text
		})
	}
	together.Wait()
	for _, text := range texts {
		if text != texts[0] {
			t.Fatal("two tokens for one request")
		}
	}
	if _, err := tokens.Verify(t.Context(), texts[0]); err != nil {
		t.Error(err)
	}
	var n int
	if err := pool.QueryRow(t.Context(), `select count(*) from tokens`).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d tokens (%v), want 1", n, err)
	}
	other := *once
	other.Body = []byte("another body")
	if _, _, err := tokens.Create(t.Context(), wanted, &other); !errors.Is(err, access.ErrReused) {
		t.Errorf("got %v, want ErrReused", err)
	}
	clock.move(72*time.Hour + time.Second)
	text, _, err := tokens.Create(t.Context(), wanted, &other)
	if err != nil || text == texts[0] {
		t.Errorf("after the request was forgotten: %v", err)
	}
}

func TestATokenOfNoTenantIsRefused(t *testing.T) {
	tokens, _, _ := start(t)
	_, _, err := tokens.Create(t.Context(), access.New{Tenant: "nobody", Role: access.Admin, Actor: "a1"}, nil)
	if !errors.Is(err, access.ErrTenant) {
		t.Errorf("got %v, want ErrTenant", err)
	}
	for _, wrong := range []access.New{
		{Role: access.Admin, Actor: "a"}, {Tenant: "acme", Role: access.Operator, Actor: "a"},
		{Tenant: "acme", Role: access.Channel, Actor: "a"}, {Tenant: "acme", Role: access.Admin, Actor: "a", Association: 1},
		{Tenant: "acme", Role: "king", Actor: "a"},
	} {
		if _, _, err := tokens.Create(t.Context(), wrong, nil); err == nil {
			t.Errorf("%+v was made", wrong)
		}
	}
}

func TestAnswersAreGivenAgain(t *testing.T) {
	_, pool, clock := start(t)
	answers := access.NewAnswers(pool, clock.now)
	once := &access.Once{Actor: "operator:o1", Route: "POST /v1/tenants", Key: "k", Body: []byte{1}, Keep: time.Hour}
	calls := 0
	do := func(answer string, err error) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { calls++; return answer, err }
	}
	broken := errors.New("broken")
	if _, _, err := answers.Do(t.Context(), once, do("", broken)); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	for i, want := range []bool{false, true, true} {
		answer, repeated, err := answers.Do(t.Context(), once, do("first", nil))
		if answer != "first" || repeated != want || err != nil {
			t.Errorf("try %d: %q %v %v", i, answer, repeated, err)
		}
	}
	if calls != 2 {
		t.Errorf("carried out %d times, want 2", calls)
	}
	other := *once
	other.Body = bytes.Repeat([]byte{2}, 32)
	if _, _, err := answers.Do(t.Context(), &other, do("second", nil)); !errors.Is(err, access.ErrReused) {
		t.Errorf("got %v, want ErrReused", err)
	}
	clock.move(time.Hour + time.Second)
	if answer, repeated, err := answers.Do(t.Context(), &other, do("second", nil)); answer != "second" || repeated || err != nil {
		t.Errorf("after the answer was forgotten: %q %v %v", answer, repeated, err)
	}
	if answer, _, err := answers.Do(t.Context(), nil, do("third", nil)); answer != "third" || err != nil {
		t.Errorf("without a key: %q %v", answer, err)
	}
}
