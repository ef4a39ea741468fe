package api

import (
	"cmp"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/httprate"

	"customercenter/api/access"
)

// Limits are how many requests this process takes. They are counted in each process by itself: with n processes behind one address,
// up to n times as many get through.
type Limits struct {
	// Requests is how many requests a second one token may make, on average over ten seconds; 0: any number. A channel's token may
	// make five times as many: it speaks for a whole account.
	Requests int
	// SignIns is how many tokens that are not valid one client address may try in a minute; 0: any number. Beyond that, the process
	// turns away every token from there that it does not know already, without looking it up: tokens cannot be guessed by trying,
	// and who works behind the same proxy goes on working.
	SignIns int
	// Turns is how many requests of one tenant are worked on at the same time; others of it wait. 0: any number.
	Turns int
	// UnderWay is how many requests one tenant may have under way, those that wait and those whose body is still to come included; 0: any number.
	UnderWay int
	// Proxies are the addresses of what stands before this process, and is believed when it says where a request comes from.
	Proxies []netip.Prefix
	// Streams is how many files and followed jobs and logs one tenant may have under way; 0: any number.
	Streams int
}

const (
	requestWindow = 10 * time.Second
	signInWindow  = time.Minute
	channelFactor = 5
	// maxCounted bounds the tokens and addresses that are counted one by one; those that come later in a window share one count.
	maxCounted = 50_000
)

// limiter counts requests by token and failed sign-ins by address.
type limiter struct {
	Limits
	requests *httprate.RateLimiter // nil: any number
	signIns  *httprate.RateLimiter
}

// newLimiter returns a limiter. A window that is not 0 takes the place of those above.
func newLimiter(l Limits, window time.Duration) *limiter {
	out := &limiter{Limits: l}
	if l.Requests > 0 {
		out.requests = httprate.NewRateLimiter(l.perWindow(), cmp.Or(window, requestWindow), httprate.WithLimitCounter(newCounter(maxCounted)))
	}
	if l.SignIns > 0 {
		// Whoever tries tokens need not learn how many more they may try.
		out.signIns = httprate.NewRateLimiter(l.SignIns, cmp.Or(window, signInWindow), httprate.WithLimitCounter(newCounter(maxCounted)),
			httprate.WithResponseHeaders(httprate.ResponseHeaders{RetryAfter: "Retry-After"}))
	}
	return out
}

func (l Limits) perWindow() int { return l.Requests * int(requestWindow/time.Second) }

// request counts a request of who and reports whether it is one too many. It sets the headers X-RateLimit-Limit, X-RateLimit-Remaining
// and X-RateLimit-Reset (Unix time), and Retry-After if it is.
func (l *limiter) request(w http.ResponseWriter, r *http.Request, who access.Principal) bool {
	if l.requests == nil {
		return false
	}
	if who.Role == access.Channel {
		r = r.WithContext(httprate.WithRequestLimit(r.Context(), channelFactor*l.perWindow()))
	}
	return l.requests.OnLimit(w, r, who.Token.String())
}

// closed reports whether too many tokens were tried from the caller's address, and sets Retry-After if so.
func (l *limiter) closed(w http.ResponseWriter, r *http.Request) bool {
	if l.signIns == nil {
		return false
	}
	_, rate, err := l.signIns.Status(l.address(r))
	if err != nil || int(rate+0.5) < l.SignIns {
		return false
	}
	w.Header().Set("Retry-After", "60")
	return true
}

// failed counts a token that is not valid and reports whether it was one too many.
func (l *limiter) failed(w http.ResponseWriter, r *http.Request) bool {
	return l.signIns != nil && l.signIns.OnLimit(w, r, l.address(r))
}

// address is where a request comes from, an IPv6 address by its /64. What headers say of it is believed only of a connection of one of our proxies, which adds to
// X-Forwarded-For whom it got the request from; anybody can write what stands before that.
func (l *limiter) address(r *http.Request) string {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	from := at.Addr().Unmap()
	said := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, before := range slices.Backward(said) {
		before = strings.TrimSpace(before)
		next, err := netip.ParseAddr(before)
		if with, is := netip.ParseAddrPort(before); is == nil { // some write the port, too
			next, err = with.Addr(), nil
		}
		if err != nil || !l.ours(from) {
			break
		}
		from = next.Unmap().WithZone("")
	}
	if from.Is6() {
		return netip.PrefixFrom(from, 64).Masked().Addr().String()
	}
	return from.String()
}

// ours reports whether an address is of one of our proxies.
func (l *limiter) ours(from netip.Addr) bool {
	return slices.ContainsFunc(l.Proxies, func(of netip.Prefix) bool { return of.Contains(from) })
}

// counter counts by key in windows of time: the present one and the one before. Unlike httprate's own it is bounded. It is safe for
// concurrent use.
type counter struct {
	max int

	mu                sync.Mutex
	window            time.Duration
	latest            time.Time // when the present window began
	present, previous map[string]int
}

// others is the key of all that are too many to be counted one by one.
const others = ""

func newCounter(max int) *counter {
	return &counter{max: max, present: map[string]int{}, previous: map[string]int{}}
}

// Config implements httprate.LimitCounter.
func (c *counter) Config(_ int, window time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.window = window
}

// Increment implements httprate.LimitCounter.
func (c *counter) Increment(key string, window time.Time) error { return c.IncrementBy(key, window, 1) }

// IncrementBy implements httprate.LimitCounter.
func (c *counter) IncrementBy(key string, window time.Time, amount int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn(window)
	c.present[c.counted(c.present, key)] += amount
	return nil
}

// Get implements httprate.LimitCounter.
func (c *counter) Get(key string, window, _ time.Time) (present, previous int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn(window)
	return c.present[c.counted(c.present, key)], c.previous[c.counted(c.previous, key)], nil
}

// counted is the key under which a key is counted in a window.
func (c *counter) counted(window map[string]int, key string) string {
	if _, ok := window[key]; !ok && len(window) >= c.max {
		return others
	}
	return key
}

// turn begins a new window. A clock that was set back begins no earlier one.
func (c *counter) turn(window time.Time) {
	if !window.After(c.latest) {
		return
	}
	if window.Equal(c.latest.Add(c.window)) {
		c.previous, c.present = c.present, c.previous
	} else {
		clear(c.previous)
	}
	clear(c.present)
	c.latest = window
}
