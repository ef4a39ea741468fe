//go:build unix

package natsserver

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Guest is somebody who may connect, but not do everything. Guests of one name share an account of their own. What is said there stays there, but for
// what is passed on; so no subject of others can be reached, not even as the one to which an answer is to be sent.
type Guest struct {
	Name string
	// Tell are the subjects of which messages are passed on from the guest, and answers back; Hear those that are passed on to it. They are what they are when a
	// name is first admitted.
	Tell, Hear []string
}

// ErrNotAdmitted says that a token is not valid.
var ErrNotAdmitted = errors.New("natsserver: the token is not valid")

const (
	// askAgain is how often it is asked whether the tokens of those who are connected are still valid.
	askAgain = 5 * time.Second
	// askWait bounds one question.
	askWait = 5 * time.Second
)

// door lets guests in. Whoever has the secret is no guest, but this process or who may read what it has written down.
type door struct {
	secret string
	admit  func(ctx context.Context, token string) (Guest, error)

	mu     sync.Mutex
	server *server.Server             // nil until it takes connections
	rooms  map[string]*server.Account // of guests, by name
	inside map[uint64]string          // tokens of those who have come in, by the number of the connection
}

func newDoor(admit func(ctx context.Context, token string) (Guest, error)) *door {
	return &door{secret: rand.Text(), admit: admit, rooms: map[string]*server.Account{}, inside: map[uint64]string{}}
}

// Check implements server.Authentication.
func (d *door) Check(c server.ClientAuthentication) bool {
	given := c.GetOpts().Token
	if given == "" {
		given = c.GetOpts().Password // as some libraries send it
	}
	if subtle.ConstantTimeCompare([]byte(given), []byte(d.secret)) == 1 {
		return true
	}
	if given == "" {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), askWait)
	defer cancel()
	guest, err := d.admit(ctx, given)
	if err != nil {
		return false // for the moment, or for good; the client tries again
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	room, err := d.room(guest)
	if err != nil {
		return false
	}
	c.RegisterUser(&server.User{Username: guest.Name, Account: room})
	d.inside[c.GetID()] = given
	return true
}

// room is the account of a guest, which is made for the first of its name. The door is locked.
func (d *door) room(guest Guest) (*server.Account, error) {
	if d.server == nil {
		return nil, errors.New("natsserver: not open yet")
	}
	if room := d.rooms[guest.Name]; room != nil {
		return room, nil
	}
	room, _ := d.server.LookupOrRegisterAccount("guest-" + guest.Name)
	whole := d.server.GlobalAccount()
	var errs []error
	for _, subject := range guest.Tell {
		errs = append(errs, whole.AddServiceExport(subject, nil), room.AddServiceImport(whole, subject, subject))
	}
	for _, subject := range guest.Hear {
		errs = append(errs, whole.AddStreamExport(subject, nil), room.AddStreamImport(whole, subject, ""))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	d.rooms[guest.Name] = room
	return room, nil
}

// open lets guests in.
func (d *door) open(s *server.Server) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.server = s
}

// watch has guests leave whose tokens are not valid any more, until stop is closed. While nobody can say so, they stay.
func (d *door) watch(s *server.Server, stop <-chan struct{}) {
	tick := time.NewTicker(askAgain)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			d.look(s)
		}
	}
}

func (d *door) look(s *server.Server) {
	valid := map[string]bool{}
	for id, token := range d.guests() {
		stays, asked := valid[token]
		if !asked {
			ctx, cancel := context.WithTimeout(context.Background(), askWait)
			_, err := d.admit(ctx, token)
			cancel()
			stays = !errors.Is(err, ErrNotAdmitted)
			valid[token] = stays
		}
		if gone := s.GetClient(id) == nil; gone || !stays {
			_ = s.DisconnectClientByID(id) // it fails for one that has gone
			d.mu.Lock()
			delete(d.inside, id)
			d.mu.Unlock()
		}
	}
}

func (d *door) guests() map[uint64]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.inside)
}
