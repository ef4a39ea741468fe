package access_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/api/access"
)

func TestAnAccountHasOneTokenForWhatItMayDo(t *testing.T) {
	s, _, tokens, _, c := startSignIns(t)
	open := func(a access.Account) uuid.UUID {
		t.Helper()
		secret, err := s.OpenAccount(t.Context(), a, time.Hour, []byte("proof"))
		if err != nil {
			t.Fatal(err)
		}
		in, err := s.Find(t.Context(), secret)
		if err != nil || in.Tenant != a.Tenant || in.Role != a.Role || in.ID != a.Actor || in.Kind != string(a.Role) || in.Personal != (a.Role != access.Analyst || a.Personal) {
			t.Fatalf("%+v may do %+v (%v)", a, in, err)
		}
		return in.Token
	}
	agent := access.Account{Tenant: "acme", Role: access.Agent, Actor: "u1"}
	first := open(agent)
	var windows sync.WaitGroup
	for range 4 {
		windows.Go(func() {
			if _, err := s.OpenAccount(t.Context(), agent, time.Hour, nil); err != nil {
				t.Error(err)
			}
		})
	}
	windows.Wait()
	c.move(30 * 24 * time.Hour) // it had expired
	if again := open(agent); again != first {
		t.Errorf("two tokens: %s and %s", first, again)
	}
	others := map[uuid.UUID]bool{first: true}
	for _, a := range []access.Account{
		{Tenant: "acme", Role: access.Admin, Actor: "u1"}, {Tenant: "acme", Role: access.Agent, Actor: "u2"}, {Tenant: "acme", Role: access.Analyst, Actor: "u1"},
		{Tenant: "acme", Role: access.Analyst, Actor: "u1", Personal: true}, {Role: access.Operator, Actor: "u1"},
	} {
		if id := open(a); others[id] {
			t.Errorf("%+v shares a token", a)
		} else {
			others[id] = true
		}
	}
	if err := tokens.Revoke(t.Context(), "acme", first); err != nil {
		t.Fatal(err)
	}
	if another := open(agent); others[another] {
		t.Error("a token that was revoked counts again")
	}
	// A token that somebody has is never taken for one of an account.
	_, made, err := tokens.Create(t.Context(), access.New{Tenant: "acme", Role: access.Agent, Actor: "u9", Name: "company account", By: access.Maker{Kind: "admin", ID: "company-account"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if id := open(access.Account{Tenant: "acme", Role: access.Agent, Actor: "u9"}); id == made.ID {
		t.Error("an account signs in with somebody's token")
	}
	if _, err := s.OpenAccount(t.Context(), access.Account{Tenant: "nowhere", Role: access.Agent, Actor: "u1"}, time.Hour, nil); !errors.Is(err, access.ErrTenant) {
		t.Errorf("a tenant that there is not: %v", err)
	}
}

func TestASignInByAnAccountEnds(t *testing.T) {
	s, token, _, pool, c := startSignIns(t)
	a := access.Account{Tenant: "acme", Role: access.Admin, Actor: "u1"}
	short, err := s.OpenAccount(t.Context(), a, time.Hour, []byte("proof of 欧阳"))
	if err != nil {
		t.Fatal(err)
	}
	long, err := s.OpenAccount(t.Context(), a, 100*time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	if proof, err := s.Proof(t.Context(), short); err != nil || string(proof) != "proof of 欧阳" {
		t.Errorf("got %q, %v", proof, err)
	}
	var row string
	if err := pool.QueryRow(t.Context(), `select string_agg(t::text || encode(account, 'escape'), ' ') from sign_ins t`).Scan(&row); err != nil || strings.Contains(row, "proof of") {
		t.Errorf("the database has %s (%v)", row, err)
	}
	c.move(time.Hour)
	if _, err := s.Find(t.Context(), short); !errors.Is(err, access.ErrSignInOver) {
		t.Errorf("after its time: %v", err)
	}
	if proof, err := s.Proof(t.Context(), short); err != nil || proof != nil {
		t.Errorf("its proof is still %q, %v", proof, err)
	}
	for range 11 {
		if _, err := s.Find(t.Context(), long); err != nil {
			t.Fatal(err)
		}
		c.move(time.Hour)
	}
	if _, err := s.Find(t.Context(), long); !errors.Is(err, access.ErrSignInOver) {
		t.Errorf("longer than any: %v", err)
	}

	closed, err := s.OpenAccount(t.Context(), a, time.Hour, []byte("proof"))
	if err == nil {
		err = s.Close(t.Context(), closed)
	}
	if err != nil {
		t.Fatal(err)
	}
	var left int
	if err := pool.QueryRow(t.Context(), `select count(*) from sign_ins where ended_at is not null and account is not null`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d proofs are left behind (%v)", left, err)
	}
	plain, _ := signedIn(t, s, token)
	for _, secret := range []string{plain, closed, "", strings.Repeat("x", 100_000)} {
		if proof, err := s.Proof(t.Context(), secret); err != nil || proof != nil {
			t.Errorf("%.5s: got %q, %v", secret, proof, err)
		}
	}
}
