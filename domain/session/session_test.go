package session_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/domaintest"
	"customercenter/domain/session"
)

type (
	testCase = domaintest.Case[session.State, session.Event]
	events   = []session.Event
	given    = []domain.Event
	when     = func(*session.State) ([]session.Event, error)
)

const invalid = domain.CodeValidation

var (
	somebody   = uuid.MustParse("6f1c8a1e-53c0-5d0e-9b1f-2f0e4b7a9c31")
	started    = session.Started{Customer: somebody, Association: 1, Channel: "web", Initiator: "customer"}
	callback   = session.Started{Customer: somebody, Association: 1, Channel: "web", Initiator: "agent", Callback: true}
	accepted   = session.Accepted{Agent: "ann"}
	closed     = session.Closed{By: "agent", Cause: "done"}
	aborted    = session.Aborted{By: "system", Cause: "timeout"}
	rated      = session.Rated{Score: 5}
	waiting    = given{started}
	processing = given{started, accepted}
	wasClosed  = given{started, accepted, closed} // at minute 2
	wasAborted = given{started, aborted}          // at minute 1
)

func TestStart(t *testing.T) {
	start := func(n session.New) when {
		return func(s *session.State) ([]session.Event, error) { return s.Start(n) }
	}
	n := session.New{Customer: somebody, Association: 1, Channel: "web"}
	back, long, nobody, nowhere := n, n, n, n
	back.CallbackBy = " ann "
	long.CallbackBy = strings.Repeat("a", 129)
	nobody.Customer = uuid.Nil
	nowhere.Channel = "fax"
	domaintest.Run(t, []testCase{
		{Name: "by the customer", When: start(n), Then: events{started}},
		{Name: "callback", When: start(back), Then: events{callback, accepted}},
		{Name: "again", Given: waiting, When: start(n), Refused: domain.CodeConflict},
		{Name: "after the end", Given: wasClosed, When: start(n), Refused: domain.CodeConflict},
		{Name: "of nobody", When: start(nobody), Refused: invalid, At: "customer"},
		{Name: "nowhere", When: start(nowhere), Refused: invalid, At: "channel"},
		{Name: "by an agent with an endless id", When: start(long), Refused: invalid, At: "agent"},
	})
}

func TestAcceptAndTransfer(t *testing.T) {
	accept := func(agent string) when {
		return func(s *session.State) ([]session.Event, error) { return s.Accept(agent) }
	}
	transfer := func(to string) when {
		return func(s *session.State) ([]session.Event, error) { return s.Transfer(to) }
	}
	toBob := session.Transferred{From: "ann", To: "bob"}
	domaintest.Run(t, []testCase{
		{Name: "accept", Given: waiting, When: accept("ann"), Then: events{accepted}},
		{Name: "accept again", Given: processing, When: accept("ann")},
		{Name: "accept what another has", Given: processing, When: accept("bob"), Refused: domain.CodeSessionTaken},
		{Name: "accept what was handed over", Given: given{started, accepted, toBob}, When: accept("bob")},
		{Name: "accept what one handed over", Given: given{started, accepted, toBob}, When: accept("ann"), Refused: domain.CodeSessionTaken},
		{Name: "accept after the close", Given: wasClosed, When: accept("ann"), Refused: domain.CodeSessionEnded},
		{Name: "accept after the abort", Given: wasAborted, When: accept("ann"), Refused: domain.CodeSessionEnded},
		{Name: "accept what never began", When: accept("ann"), Refused: domain.CodeNotFound},
		{Name: "accept by nobody", Given: waiting, When: accept(" "), Refused: invalid, At: "agent"},
		{Name: "accept by NUL", Given: waiting, When: accept("a\x00"), Refused: invalid, At: "agent"},

		{Name: "transfer", Given: processing, When: transfer("bob"), Then: events{toBob}},
		{Name: "transfer on", Given: given{started, accepted, toBob}, When: transfer("cat"), Then: events{session.Transferred{From: "bob", To: "cat"}}},
		{Name: "transfer to oneself", Given: processing, When: transfer("ann")},
		{Name: "transfer while waiting", Given: waiting, When: transfer("bob"), Refused: domain.CodeSessionNotAccepted},
		{Name: "transfer after the end", Given: wasClosed, When: transfer("bob"), Refused: domain.CodeSessionEnded},
		{Name: "transfer what never began", When: transfer("bob"), Refused: domain.CodeNotFound},
		{Name: "transfer to nobody", Given: processing, When: transfer(""), Refused: invalid, At: "to"},
	})
}

func TestEnd(t *testing.T) {
	end := func(by, cause string) when {
		return func(s *session.State) ([]session.Event, error) { return s.Close(by, cause) }
	}
	abort := func(by, cause string) when {
		return func(s *session.State) ([]session.Event, error) { return s.Abort(by, cause) }
	}
	domaintest.Run(t, []testCase{
		{Name: "close", Given: processing, When: end("agent", "done"), Then: events{closed}},
		{Name: "close without cause", Given: processing, When: end("customer", ""), Then: events{session.Closed{By: "customer"}}},
		{Name: "close while waiting is abort", Given: waiting, When: end("system", "timeout"), Then: events{aborted}},
		{Name: "close again", Given: wasClosed, When: end("system", "timeout")},
		{Name: "close after the abort", Given: wasAborted, When: end("system", "timeout")},
		{Name: "close what never began", When: end("agent", ""), Refused: domain.CodeNotFound},
		{Name: "close by nobody", Given: processing, When: end("", ""), Refused: invalid, At: "by"},
		{Name: "close for a story", Given: processing, When: end("agent", "he left"), Refused: invalid, At: "cause"},
		{Name: "close for a long code", Given: processing, When: end("agent", strings.Repeat("a", 65)), Refused: invalid, At: "cause"},

		{Name: "abort", Given: waiting, When: abort("system", "timeout"), Then: events{aborted}},
		{Name: "abort again", Given: wasAborted, When: abort("system", "timeout")},
		{Name: "abort what an agent has", Given: processing, When: abort("customer", ""), Refused: domain.CodeSessionTaken},
		{Name: "abort after the close", Given: wasClosed, When: abort("customer", ""), Refused: domain.CodeSessionEnded},
		{Name: "abort what never began", When: abort("customer", ""), Refused: domain.CodeNotFound},
		{Name: "abort by nobody", Given: waiting, When: abort("ghost", ""), Refused: invalid, At: "by"},
	})
}

func TestRecordMessage(t *testing.T) {
	hello := session.MessageRecorded{Message: "m1", Sender: session.Sender{Kind: "customer"}, Kind: session.KindText, Text: " 你好\n"}
	lateHello := hello
	lateHello.Late = true
	with := func(change func(*session.MessageRecorded)) session.MessageRecorded {
		m := hello
		change(&m)
		return m
	}
	at := func(m session.MessageRecorded, occurred time.Time) when {
		return func(s *session.State) ([]session.Event, error) {
			return s.RecordMessage(m, occurred, domaintest.Minute(60))
		}
	}
	record := func(change func(*session.MessageRecorded)) when { return at(with(change), domaintest.Minute(2)) }
	image := with(func(m *session.MessageRecorded) {
		m.Kind, m.Text, m.URL, m.Name = session.KindImage, "", "https://media.example/1.png", "1.png"
	})
	longest := with(func(m *session.MessageRecorded) { m.Text = strings.Repeat("字", 20_000) })
	domaintest.Run(t, []testCase{
		{Name: "waiting", Given: waiting, When: at(hello, domaintest.Minute(1)), Then: events{hello}},
		{Name: "processing", Given: processing, When: at(hello, domaintest.Minute(2)), Then: events{hello}},
		{Name: "written before the start", Given: waiting, When: at(hello, domaintest.Minute(-100)), Then: events{hello}},
		{Name: "late", Given: wasClosed, When: at(hello, domaintest.Minute(2).Add(-1)), Then: events{lateHello}},
		{Name: "late after the abort", Given: wasAborted, When: at(hello, domaintest.Minute(0)), Then: events{lateHello}},
		{Name: "at the very end", Given: wasClosed, When: at(hello, domaintest.Minute(2)), Refused: domain.CodeSessionEnded},
		{Name: "after the abort", Given: wasAborted, When: at(hello, domaintest.Minute(2)), Refused: domain.CodeSessionEnded},
		{Name: "lateness is not for the sender to say", Given: waiting, When: record(func(m *session.MessageRecorded) { m.Late = true }), Then: events{hello}},
		{Name: "never began", When: at(hello, domaintest.Minute(1)), Refused: domain.CodeNotFound},
		{Name: "ahead of us", Given: waiting, When: at(hello, domaintest.Minute(65)), Then: events{hello}},
		{Name: "in the future", Given: waiting, When: at(hello, domaintest.Minute(65).Add(1)), Refused: domain.CodeOccurredInFuture, At: "occurred_at"},

		{Name: "image", Given: waiting, When: at(image, domaintest.Minute(1)), Then: events{image}},
		{Name: "longest text", Given: waiting, When: at(longest, domaintest.Minute(1)), Then: events{longest}},
		{Name: "text too long", Given: waiting, When: record(func(m *session.MessageRecorded) { m.Text = longest.Text + "字" }), Refused: invalid, At: "message.text"},
		{Name: "text with NUL", Given: waiting, When: record(func(m *session.MessageRecorded) { m.Text = "a\x00" }), Refused: invalid, At: "message.text"},
		{Name: "broken text", Given: waiting, When: record(func(m *session.MessageRecorded) { m.Text = "a\xff" }), Refused: invalid, At: "message.text"},
		{Name: "text without text", Given: waiting, When: record(func(m *session.MessageRecorded) { m.Text, m.URL = "", image.URL }), Refused: invalid, At: "message.text"},
		{Name: "image without address", Given: waiting, When: record(func(m *session.MessageRecorded) { m.Kind = session.KindImage }), Refused: invalid, At: "message.url"},
		{
			Name: "location in words", Given: waiting, When: record(func(m *session.MessageRecorded) { m.Kind = session.KindLocation }),
			Then: events{with(func(m *session.MessageRecorded) { m.Kind = session.KindLocation })},
		},
		{Name: "location nowhere", Given: waiting, When: record(func(m *session.MessageRecorded) { m.Kind, m.Text = session.KindLocation, "" }), Refused: invalid, At: "message.url"},
		{Name: "unknown kind", Given: waiting, When: record(func(m *session.MessageRecorded) { m.Kind = "smell" }), Refused: invalid, At: "message.kind"},
		{Name: "address that runs", Given: waiting, When: record(func(m *session.MessageRecorded) { m.URL = "javascript:alert(1)" }), Refused: invalid, At: "message.url"},
		{Name: "address of a file", Given: waiting, When: record(func(m *session.MessageRecorded) { m.URL = "file:///etc/passwd" }), Refused: invalid, At: "message.url"},
		{Name: "address without host", Given: waiting, When: record(func(m *session.MessageRecorded) { m.URL = "https:///1.png" }), Refused: invalid, At: "message.url"},
		{Name: "address too long", Given: waiting, When: record(func(m *session.MessageRecorded) { m.URL = "https://a/" + strings.Repeat("a", 2_039) }), Refused: invalid, At: "message.url"},
		{Name: "address with NUL", Given: waiting, When: record(func(m *session.MessageRecorded) { m.URL = "https://a/\x00" }), Refused: invalid, At: "message.url"},
		{Name: "no id", Given: waiting, When: record(func(m *session.MessageRecorded) { m.Message = "" }), Refused: invalid, At: "message.id"},
		{Name: "id too long", Given: waiting, When: record(func(m *session.MessageRecorded) { m.Message = strings.Repeat("1", 129) }), Refused: invalid, At: "message.id"},
		{Name: "name too long", Given: waiting, When: record(func(m *session.MessageRecorded) { m.Name = strings.Repeat("1", 256) }), Refused: invalid, At: "message.name"},
		{Name: "unknown sender", Given: waiting, When: record(func(m *session.MessageRecorded) { m.Sender.Kind = "dog" }), Refused: invalid, At: "message.sender"},
		{Name: "agent without id", Given: waiting, When: record(func(m *session.MessageRecorded) { m.Sender.Kind = "agent" }), Refused: invalid, At: "message.sender"},
		{Name: "sender with NUL", Given: waiting, When: record(func(m *session.MessageRecorded) { m.Sender.ID = "\x00" }), Refused: invalid, At: "message.sender"},
	})
}

func TestRecordWebAttributes(t *testing.T) {
	record := func(w session.WebAttributesRecorded, occurred time.Time) when {
		return func(s *session.State) ([]session.Event, error) {
			return s.RecordWebAttributes(w, occurred, domaintest.Minute(60))
		}
	}
	first := session.WebAttributesRecorded{IP: "203.0.113.7", UserAgent: "Mozilla/5.0"}
	both := session.WebAttributesRecorded{IP: "203.0.113.7", UserAgent: "Mozilla/5.0", Region: "上海"}
	now := domaintest.Minute(2)
	domaintest.Run(t, []testCase{
		{Name: "first", Given: waiting, When: record(first, now), Then: events{first}},
		{Name: "same", Given: given{started, first}, When: record(first, now)},
		{Name: "a part of it", Given: given{started, first}, When: record(session.WebAttributesRecorded{IP: "203.0.113.7"}, now)},
		{Name: "more", Given: given{started, first}, When: record(session.WebAttributesRecorded{Region: " 上海 "}, now), Then: events{both}},
		{Name: "nothing", Given: waiting, When: record(session.WebAttributesRecorded{}, now)},
		{
			Name: "addresses in one form", Given: waiting, When: record(session.WebAttributesRecorded{IP: "::FFFF:203.0.113.7"}, now),
			Then: events{session.WebAttributesRecorded{IP: "203.0.113.7"}},
		},
		{Name: "no address", Given: waiting, When: record(session.WebAttributesRecorded{IP: "203.0.113"}, now), Refused: invalid, At: "web.ip"},
		{Name: "NUL", Given: waiting, When: record(session.WebAttributesRecorded{UserAgent: "a\x00b"}, now), Refused: invalid, At: "web.user_agent"},
		{Name: "region too long", Given: waiting, When: record(session.WebAttributesRecorded{Region: strings.Repeat("沪", 129)}, now), Refused: invalid, At: "web.region"},
		{Name: "referrer too long", Given: waiting, When: record(session.WebAttributesRecorded{Referrer: strings.Repeat("a", 2_049)}, now), Refused: invalid, At: "web.referrer"},
		{Name: "late", Given: wasClosed, When: record(first, domaintest.Minute(1)), Then: events{first}},
		{Name: "after the end", Given: wasClosed, When: record(first, domaintest.Minute(3)), Refused: domain.CodeSessionEnded},
		{Name: "never began", When: record(first, now), Refused: domain.CodeNotFound},
		{Name: "in the future", Given: waiting, When: record(first, domaintest.Minute(90)), Refused: domain.CodeOccurredInFuture, At: "occurred_at"},
	})
}

func TestRate(t *testing.T) {
	rate := func(r session.Rated) when {
		return func(s *session.State) ([]session.Event, error) { return s.Rate(r) }
	}
	ten := strings.Split("a b c d e f g h i j", " ")
	domaintest.Run(t, []testCase{
		{Name: "processing", Given: processing, When: rate(rated), Then: events{rated}},
		{Name: "after the close", Given: wasClosed, When: rate(rated), Then: events{rated}},
		{
			Name: "reasons and comment", Given: wasClosed, When: rate(session.Rated{Score: 1, Reasons: []string{" 慢 ", "", "慢", "贵"}, Comment: " a\r\nb "}),
			Then: events{session.Rated{Score: 1, Reasons: []string{"慢", "贵"}, Comment: "a\nb"}},
		},
		{Name: "ten reasons", Given: wasClosed, When: rate(session.Rated{Score: 3, Reasons: ten}), Then: events{session.Rated{Score: 3, Reasons: ten}}},
		{Name: "again", Given: given{started, accepted, rated, closed}, When: rate(rated), Refused: domain.CodeAlreadyRated},
		{Name: "waiting", Given: waiting, When: rate(rated), Refused: domain.CodeSessionNotAccepted},
		{Name: "aborted", Given: wasAborted, When: rate(rated), Refused: domain.CodeSessionNotAccepted},
		{Name: "never began", When: rate(rated), Refused: domain.CodeNotFound},
		{Name: "too low", Given: processing, When: rate(session.Rated{}), Refused: invalid, At: "score"},
		{Name: "too high", Given: processing, When: rate(session.Rated{Score: 6}), Refused: invalid, At: "score"},
		{Name: "eleven reasons", Given: processing, When: rate(session.Rated{Score: 1, Reasons: append(ten[:10:10], "k")}), Refused: invalid, At: "reasons"},
		{Name: "long reason", Given: processing, When: rate(session.Rated{Score: 1, Reasons: []string{strings.Repeat("慢", 51)}}), Refused: invalid, At: "reasons"},
		{Name: "long comment", Given: processing, When: rate(session.Rated{Score: 1, Comment: strings.Repeat("慢", 1_001)}), Refused: invalid, At: "comment"},
		{Name: "comment with NUL", Given: processing, When: rate(session.Rated{Score: 1, Comment: "a\x00b"}), Refused: invalid, At: "comment"},
	})
}

func TestApply(t *testing.T) {
	message := func(kind string) session.MessageRecorded {
		return session.MessageRecorded{Message: "m", Sender: session.Sender{Kind: kind, ID: "x"}, Kind: session.KindText, Text: "x"}
	}
	var s session.State
	for _, e := range []struct {
		event  domain.Event
		minute int
	}{
		{callback, 0}, {accepted, 0}, {message("customer"), 5}, {message("customer"), 3}, {message("agent"), 7},
		{session.Transferred{From: "ann", To: "bob"}, 8}, {rated, 9}, {closed, 10}, {message("customer"), 9},
	} {
		s.Apply(e.event, domaintest.Minute(e.minute))
	}
	want := session.State{
		Status: session.StatusClosed, Customer: somebody, Association: 1, Channel: "web", Initiator: "agent", Callback: true, Agent: "bob",
		StartedAt: domaintest.Minute(0), AcceptedAt: domaintest.Minute(0), EndedAt: domaintest.Minute(10),
		Messages: 4, LastCustomerMessageAt: domaintest.Minute(9), Rated: true,
	}
	if s != want {
		t.Errorf("state is %+v, want %+v", s, want)
	}
	if clone := s.Clone(); clone != s {
		t.Errorf("clone is %+v", clone)
	}
	if got, want := session.Stream(somebody), "session-"+somebody.String(); got != want {
		t.Errorf("Stream = %q, want %q", got, want)
	}
}
