package access_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/api/access"
)

// startSignIns returns the sign-ins of a database with a token of acme's admin.
func startSignIns(t *testing.T) (*access.SignIns, uuid.UUID, *access.Tokens, *pgxpool.Pool, *clock) {
	t.Helper()
	tokens, pool, c := start(t)
	_, token, err := tokens.Create(t.Context(), access.New{Tenant: "acme", Role: access.Admin, Actor: "a1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return access.NewSignIns(pool, c.now), token.ID, tokens, pool, c
}

// signedIn opens a sign-in and finds it.
func signedIn(t *testing.T, s *access.SignIns, token uuid.UUID) (secret string, in *access.SignIn) {
	t.Helper()
	secret, err := s.Open(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	in, err = s.Find(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	return secret, in
}

func TestASignInDoesWhatItsTokenMay(t *testing.T) {
	s, token, _, _, _ := startSignIns(t)
	_, in := signedIn(t, s, token)
	if want := (access.Principal{Token: token, Tenant: "acme", Role: access.Admin, Kind: "admin", ID: "a1", Personal: true}); in.Principal != want {
		t.Errorf("got %+v", in.Principal)
	}
	for _, wrong := range []string{"", "x", strings.Repeat("x", 43), strings.Repeat("x", 100_000)} {
		if _, err := s.Find(t.Context(), wrong); !errors.Is(err, access.ErrNoSignIn) {
			t.Errorf("%.10q: %v", wrong, err)
		}
	}
}

func TestWhySignInsEnd(t *testing.T) {
	s, token, tokens, _, c := startSignIns(t)
	ends := func(secret string, want error) {
		t.Helper()
		if _, err := s.Find(t.Context(), secret); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	out, _ := signedIn(t, s, token)
	if err := s.Close(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	ends(out, access.ErrNoSignIn)

	idle, _ := signedIn(t, s, token)
	busy, _ := signedIn(t, s, token)
	for range 12 {
		c.move(time.Hour - time.Second)
		if _, err := s.Find(t.Context(), busy); err != nil {
			t.Fatal(err)
		}
	}
	ends(idle, access.ErrSignInIdle)
	c.move(12 * time.Second)
	ends(busy, access.ErrSignInOver)

	revoked, _ := signedIn(t, s, token)
	if err := tokens.Revoke(t.Context(), "acme", token); err != nil {
		t.Fatal(err)
	}
	ends(revoked, access.ErrSignInRevoked)

	_, short, err := tokens.Create(t.Context(), access.New{Tenant: "acme", Role: access.Agent, Actor: "g1", ExpiresAt: c.now().Add(time.Minute)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	expired, _ := signedIn(t, s, short.ID)
	c.move(time.Minute)
	ends(expired, access.ErrSignInRevoked)
}

// Two who press the button at the same moment: one is signed in.
func TestALinkSignsInOnce(t *testing.T) {
	s, token, _, _, _ := startSignIns(t)
	for range 10 {
		link, err := s.Link(t.Context(), token, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		var opened, used atomic.Int32
		var both sync.WaitGroup
		for range 4 {
			both.Go(func() {
				_, err := s.Use(t.Context(), link)
				switch {
				case err == nil:
					opened.Add(1)
				case errors.Is(err, access.ErrLinkUsed):
					used.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		both.Wait()
		if opened.Load() != 1 || used.Load() != 3 {
			t.Fatalf("%d were signed in, %d refused", opened.Load(), used.Load())
		}
	}
}

func TestLinksThatDoNotSignIn(t *testing.T) {
	s, token, tokens, _, c := startSignIns(t)
	link := func() string {
		secret, err := s.Link(t.Context(), token, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return secret
	}
	refused := func(secret string, want error) {
		t.Helper()
		if _, err := s.Look(t.Context(), secret); !errors.Is(err, want) {
			t.Errorf("looking: got %v, want %v", err, want)
		}
		if _, err := s.Use(t.Context(), secret); !errors.Is(err, want) {
			t.Errorf("using: got %v, want %v", err, want)
		}
	}
	refused("nothing", access.ErrNoLink)
	late, forgotten := link(), link()
	c.move(time.Hour)
	refused(late, access.ErrLinkOver)
	c.move(25 * time.Hour)
	if err := s.Forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	refused(forgotten, access.ErrNoLink)
	revoked := link()
	if err := tokens.Revoke(t.Context(), "acme", token); err != nil {
		t.Fatal(err)
	}
	refused(revoked, access.ErrLinkOver)
}

func TestANoticeIsToldOnce(t *testing.T) {
	s, token, _, _, c := startSignIns(t)
	secret, in := signedIn(t, s, token)
	if err := s.Tell(t.Context(), in, []byte("removed 王小明"), 7); err != nil {
		t.Fatal(err)
	}
	in, err := s.Find(t.Context(), secret)
	if err != nil || string(in.Notice) != "removed 王小明" || in.Wrote != 7 {
		t.Fatalf("got %q %d %v", in.Notice, in.Wrote, err)
	}
	var told atomic.Int32
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if is, err := s.Told(t.Context(), in); err != nil {
				t.Error(err)
			} else if is {
				told.Add(1)
			}
		})
	}
	all.Wait()
	if told.Load() != 1 {
		t.Errorf("told %d times", told.Load())
	}
	if err := s.Tell(t.Context(), in, nil, 0); err != nil { // leaves everything
		t.Fatal(err)
	}
	if in, err = s.Find(t.Context(), secret); err != nil || in.Notice != nil || in.Wrote != 7 {
		t.Errorf("got %q %d %v", in.Notice, in.Wrote, err)
	}
	c.move(time.Minute)
	if in, err = s.Find(t.Context(), secret); err != nil || in.Wrote != 0 {
		t.Errorf("a minute later, pages still wait for %d (%v)", in.Wrote, err)
	}
}

// Nobody but the sign-in itself finds what it looks for: not another one, and not who reads the database.
func TestQueriesBelongToTheirSignIn(t *testing.T) {
	s, token, _, pool, c := startSignIns(t)
	secret, in := signedIn(t, s, token)
	_, other := signedIn(t, s, token)
	id, err := s.SaveQuery(t.Context(), in, []byte(`{"needle":"王小明"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Query(t.Context(), in, id); err != nil || string(got) != `{"needle":"王小明"}` {
		t.Errorf("got %s %v", got, err)
	}
	if _, err := s.Query(t.Context(), other, id); !errors.Is(err, access.ErrNoQuery) {
		t.Errorf("another sign-in: %v", err)
	}
	if err := s.Tell(t.Context(), in, []byte("王小明"), 0); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"sign_ins", "sign_in_links", "sign_in_queries"} {
		var text string
		if err := pool.QueryRow(t.Context(), `select coalesce(string_agg(t::text, ' '), '') from `+table+` t`).Scan(&text); err != nil {
			t.Fatal(err)
		}
		for _, hidden := range []string{secret, "王小明", fmt.Sprintf("%x", "王小明"), fmt.Sprintf("%x", secret)} {
			if strings.Contains(text, hidden) {
				t.Errorf("%s has %s", table, hidden)
			}
		}
	}
	// A row that is put under another sign-in opens for nobody.
	if _, err := pool.Exec(t.Context(), `insert into sign_in_queries select h.hash, q.id, q.sealed, q.created_at from sign_in_queries q, sign_ins h where h.hash <> q.sign_in`); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Query(t.Context(), other, id); !errors.Is(err, access.ErrNoQuery) {
		t.Errorf("a row of another sign-in: %v", err)
	}
	// They are bounded, the oldest goes first; and gone with the sign-in.
	for range 505 {
		c.move(time.Millisecond)
		if _, err := s.SaveQuery(t.Context(), in, []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Query(t.Context(), in, id); !errors.Is(err, access.ErrNoQuery) {
		t.Errorf("the oldest of too many: %v", err)
	}
	c.move(48 * time.Hour)
	if err := s.Forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := pool.QueryRow(t.Context(), `select (select count(*) from sign_in_queries) + (select count(*) from sign_ins)`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d rows are left (%v)", left, err)
	}
}
