// Command provider is a provider of OpenID Connect for tests: the certified library of zitadel with its example's storage and pages to sign in, and with groups. It is a module of its own, so that
// what it needs stays out of the product. It serves until its standard input ends, and prints its address.
//
// Beside what the protocol has, it takes POST /control/rotate (another key from now on; the one before is gone), POST /control/client with a client as JSON, and GET /control/out: how often somebody signed out.
package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// user is somebody who may sign in.
type user struct {
	ID, Name, Password, Given, Family, Email string
	Groups                                   []string
}

// registered is a client as /control/client takes it.
type registered struct {
	ID, Secret         string
	Returns, SignedOut string
	// InIDToken puts the groups into the ID token; without, only the user info endpoint tells them.
	InIDToken bool
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "where to listen")
	people := flag.String("users", "[]", "who may sign in, as JSON")
	flag.Parse()
	if err := run(*listen, *people); err != nil {
		fmt.Fprintln(os.Stderr, "provider:", err)
		os.Exit(1)
	}
}

func run(listen, people string) error {
	var users []user
	if err := json.Unmarshal([]byte(people), &users); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	issuer := "http://" + listener.Addr().String()
	k := &keeper{Storage: storage.NewStorageWithClients(known{storage.NewUserStore(issuer), users}, map[string]*storage.Client{}), users: users, clients: map[string]registered{}, web: map[string]*storage.Client{}}
	if err := k.rotate(); err != nil {
		return err
	}
	router := http.NewServeMux()
	router.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	router.HandleFunc("POST /control/rotate", func(w http.ResponseWriter, _ *http.Request) {
		if err := k.rotate(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	router.HandleFunc("POST /control/client", func(w http.ResponseWriter, r *http.Request) {
		var c registered
		if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		k.register(c)
	})
	router.HandleFunc("GET /control/out", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, k.signedOut()) })
	router.Handle("/", exampleop.SetupServer(issuer, k, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})), false))
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Println(issuer)
	return http.Serve(listener, router)
}

// known are the users under which the example's storage looks.
type known struct {
	storage.UserStore
	users []user
}

func (k known) GetUserByID(id string) *storage.User {
	return k.find(func(u user) bool { return u.ID == id })
}

func (k known) GetUserByUsername(name string) *storage.User {
	return k.find(func(u user) bool { return u.Name == name })
}

func (k known) find(is func(user) bool) *storage.User {
	i := slices.IndexFunc(k.users, is)
	if i < 0 {
		return nil
	}
	u := k.users[i]
	return &storage.User{ID: u.ID, Username: u.Name, Password: u.Password, FirstName: u.Given, LastName: u.Family, Email: u.Email, EmailVerified: true}
}

// keeper is the example's storage with clients, groups and keys of its own.
type keeper struct {
	*storage.Storage
	users []user

	mu      sync.Mutex
	clients map[string]registered
	web     map[string]*storage.Client
	key     signing
	out     int
}

func (k *keeper) register(c registered) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.clients[c.ID] = c
	k.web[c.ID] = storage.WebClient(c.ID, c.Secret, c.Returns)
}

func (k *keeper) signedOut() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.out
}

func (k *keeper) TerminateSession(ctx context.Context, userID, clientID string) error {
	k.mu.Lock()
	k.out++
	k.mu.Unlock()
	return k.Storage.TerminateSession(ctx, userID, clientID)
}

// client is a client that signs out and asks for groups.
type client struct {
	op.Client
	registered
}

func (c client) PostLogoutRedirectURIs() []string     { return []string{c.SignedOut} }
func (c client) IDTokenUserinfoClaimsAssertion() bool { return c.InIDToken }
func (c client) IsScopeAllowed(scope string) bool     { return scope == "groups" }

func (k *keeper) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c, ok := k.clients[id]
	if !ok {
		return nil, fmt.Errorf("there is no client %s", id)
	}
	return client{k.web[id], c}, nil
}

func (k *keeper) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if c, ok := k.clients[id]; !ok || c.Secret != secret {
		return oidc.ErrInvalidClient()
	}
	return nil
}

func (k *keeper) SetUserinfoFromScopes(context.Context, *oidc.UserInfo, string, string, []string) error {
	return nil
}

func (k *keeper) SetUserinfoFromRequest(_ context.Context, info *oidc.UserInfo, token op.IDTokenRequest, scopes []string) error {
	k.mu.Lock()
	all := k.clients[token.GetClientID()].InIDToken
	k.mu.Unlock()
	if !all {
		scopes = slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return s == "groups" })
	}
	k.tell(info, token.GetSubject(), scopes)
	return nil
}

func (k *keeper) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, tokenID, subject, origin string) error {
	if err := k.Storage.SetUserinfoFromToken(ctx, info, tokenID, subject, origin); err != nil {
		return err
	}
	k.tell(info, subject, []string{"groups"}) // whoever has the access token asked for them
	return nil
}

// tell says of a user what the scopes ask for.
func (k *keeper) tell(info *oidc.UserInfo, subject string, scopes []string) {
	i := slices.IndexFunc(k.users, func(u user) bool { return u.ID == subject })
	if i < 0 {
		return
	}
	u := k.users[i]
	if slices.Contains(scopes, "openid") {
		info.Subject = subject
	}
	if slices.Contains(scopes, "email") {
		info.Email = u.Email
	}
	if slices.Contains(scopes, "profile") {
		info.Name, info.PreferredUsername = u.Given+" "+u.Family, u.Name
	}
	if slices.Contains(scopes, "groups") && len(u.Groups) > 0 {
		info.AppendClaims("groups", u.Groups)
	}
}

// signing is a key that signs, and verifies.
type signing struct {
	id  string
	key *rsa.PrivateKey
}

func (s signing) ID() string                                  { return s.id }
func (s signing) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (s signing) Key() any                                    { return s.key }

type verifying struct{ signing }

func (v verifying) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (v verifying) Use() string                        { return "sig" }
func (v verifying) Key() any                           { return &v.key.PublicKey }

func (k *keeper) rotate() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.key = signing{uuid.NewString(), key}
	return nil
}

func (k *keeper) SigningKey(context.Context) (op.SigningKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.key, nil
}

func (k *keeper) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.RS256}, nil
}

func (k *keeper) KeySet(context.Context) ([]op.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return []op.Key{verifying{k.key}}, nil
}
